# SPDX-License-Identifier: Apache-2.0
"""as_init.py ROOT ENVIRONMENT PROGRAM ARGUMENT...: becomes PROGRAM, PID 1 of the pid namespace that unshare(1) made, in
ROOT with /proc, the devices of a container and /dev/shm. The mounts end with their namespace. Nothing that a program
inherits (actions and mask of signals, limits, umask, priority) is left as whoever started the tests had it."""
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys

# As partitions/unikernel/start/container.cpp sets them; what is not here has no limit, or depends on memory (signals, processes).
NONE, STACK, FILES = resource.RLIM_INFINITY, 8 << 20, (1024, 1 << 20)
LIMITS = {"STACK": (STACK, NONE), "CORE": (0, NONE), "NOFILE": FILES, "MEMLOCK": (STACK, STACK), "MSGQUEUE": (819200, 819200), "NICE": (0, 0),
          "RTPRIO": (0, 0), **{name: (NONE, NONE) for name in ("CPU", "FSIZE", "DATA", "RSS", "AS")}}
DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}

CAPABILITIES = 0xA80425FB  # the bounding set that Docker gives, which is a partition's default
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
mount("devpts", "newinstance,nosuid,noexec,ptmxmode=0666,mode=620,gid=5", "/dev/pts")
os.symlink("pts/ptmx", f"{root}/dev/ptmx")
os.mknod(f"{root}/dev/tty", 0o666 | stat.S_IFCHR, os.makedev(5, 0))
os.chmod(f"{root}/dev/tty", 0o666)
with socket.socket() as any_socket:  # a network namespace of its own has the loopback, switched off
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
    os.symlink(f"/proc/self/fd{target}", f"{root}/dev/{name}")
os.setsid()  # as a container's first process
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # a partition here has one CPU
os.setpriority(os.PRIO_PROCESS, 0, 0)
for name, wanted in LIMITS.items():
    kind = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(kind)[1]  # which only CAP_SYS_RESOURCE raises
    resource.setrlimit(kind, [limit if hard == NONE or 0 <= limit < hard else hard for limit in wanted])
os.umask(0o022)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:  # Python itself ignores SIGPIPE and SIGXFSZ
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
libc = ctypes.CDLL(None)
for number in range(41):
    if not CAPABILITIES >> number & 1:
        libc.prctl(24, number, 0, 0, 0)  # PR_CAPBSET_DROP
os.chroot(root)
os.chdir("/")
os.execve(command[0], command, json.loads(environment))
