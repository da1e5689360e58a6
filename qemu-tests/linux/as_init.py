# SPDX-License-Identifier: Apache-2.0
"""as_init.py ROOT ENVIRONMENT PROGRAM ARGUMENT...: becomes PROGRAM, PID 1 of the pid namespace that unshare(1) made, in
ROOT with /proc, the devices of a container and /dev/shm. The mounts end with their namespace."""
import json
import os
import stat
import subprocess
import sys

DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}

root, environment, *command = sys.argv[1:]


def mount(kind, options, path):
    os.makedirs(root + path, exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, kind, root + path], check=True)


mount("proc", "nosuid,nodev,noexec", "/proc")
mount("tmpfs", "nosuid,size=65536k,mode=755", "/dev")
mount("tmpfs", "nosuid,nodev,noexec,size=65536k,mode=1777", "/dev/shm")
for name, number in DEVICES.items():
    os.mknod(f"{root}/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(1, number))
    os.chmod(f"{root}/dev/{name}", 0o666)
os.mknod(f"{root}/dev/tty", 0o666 | stat.S_IFCHR, os.makedev(5, 0))
os.chmod(f"{root}/dev/tty", 0o666)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # a partition here has one CPU
os.setpriority(os.PRIO_PROCESS, 0, 0)
os.chroot(root)
os.chdir("/")
os.execve(command[0], command, json.loads(environment))
