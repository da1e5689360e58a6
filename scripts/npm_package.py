# SPDX-License-Identifier: Apache-2.0
"""A package of npm for a test: fetched once, into the cache, and pinned by its SHA-256."""
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile


def npm_package(name, version, sha256):
    """The package as an open archive; None, and why is said, without it and without npm or a network."""
    cache = os.environ.get("CAISSON_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
    path = os.path.join(cache, "vectors", f"{name.split('/')[-1]}-{version}.tgz")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as work:
            try:
                subprocess.run(["npm", "pack", "--silent", "--pack-destination", work, f"{name}@{version}"], check=True,
                               timeout=120, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"npm does not give {name}@{version}: {error}")
                return None
            os.replace(os.path.join(work, os.listdir(work)[0]), path)
    with open(path, "rb") as file:
        data = file.read()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        sys.exit(f"{path}: SHA-256 {found}, expected {sha256}")
    return tarfile.open(fileobj=io.BytesIO(data))
