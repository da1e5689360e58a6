#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""process_figures.py BUILD-DIR: instructions of starting dynamically linked programs (spawns.c, this machine's dash and true), in a partition
and on Debian's cloud kernel on the same emulated machine. Status 1 where one costs more than half of what it costs on Linux; 77 where the
kernel is not in the cache. The programs are the same files on both sides: what they and their loader do in user mode is in both."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../harness")]

import images  # noqa: E402
import linux_figures  # noqa: E402
import server_figures  # noqa: E402

MOST = 0.5
SPEC = {"programs": ["spawns"], "host": ["/bin/true", "/bin/dash"], "busybox": ["sh", "mount", "ifconfig", "poweroff"],
        "directories": {"/tmp": 0o1777, "/dev": 0o755, "/proc": 0o755}, "files": {"/servers.sh": "/bin/spawns\n"}}


def figures_of(text):
    found = linux_figures.calls_of(text)
    if "@@ end" not in text or len(found) != 3:
        sys.exit(f"spawns.c did not come to its end; it said ...{text[-1500:]}")
    return found


def main():
    build, kernel = os.path.abspath(sys.argv[1]), linux_figures.find_kernel([])
    if kernel is None or not os.path.exists("/bin/dash"):
        print("skipped: needs dash, and Debian's cloud kernel in the cache (./caisson selftest --nightly unpacks it)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as directory:
        root = os.path.join(directory, "root")
        images.make_root(SPEC, root, [os.path.join(build, "qemu-tests/bench")])
        ours = server_figures.in_partition(root, build, directory, figures_of)
        linux = server_figures.on_linux(root, kernel, directory, figures_of)
    for name, value in ours.items():
        print(f"{name:<26} {value:>10,} {linux[name]:>10,}  {value / linux[name]:.2f}")
    above = [name for name, value in ours.items() if value > MOST * linux[name]]
    sys.exit(f"above {MOST} of Linux: {', '.join(above)}" if above else 0)


if __name__ == "__main__":
    main()
