# SPDX-License-Identifier: Apache-2.0
"""run_modules.py MODULE[=PART,...]...: each with one_module.py in a process and a directory of its own. Runs inside the image."""
import os
import shutil
import subprocess
import sys

LIMIT = 1500  # seconds of one module

for word in sys.argv[1:]:
    module, _, parts = word.partition("=")
    place = f"/tmp/{module}"
    os.mkdir(place)
    command = [sys.executable, "-B", "/t/one_module.py", module, *filter(None, parts.split(","))]
    with subprocess.Popen(command, cwd=place, env={**os.environ, "TMPDIR": place}, start_new_session=True) as child:
        try:
            status = child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            status = "out of time"
    if status != 0:
        print(f"{module} ended with {status}", flush=True)
    shutil.rmtree(place, ignore_errors=True)
