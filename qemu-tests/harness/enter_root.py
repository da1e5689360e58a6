# SPDX-License-Identifier: Apache-2.0
"""enter_root.py ROOT DIRECTORY UID:GID ENVIRONMENT PROGRAM ARGUMENT...: becomes PROGRAM inside ROOT, as chroot(1)
would do it, with exactly the environment given (JSON): the interpreter running this adds to its own."""
import json
import os
import stat
import sys

root, directory, user, environment = sys.argv[1:5]
for name, number in (("null", 3), ("zero", 5), ("urandom", 9)):
    # What every container has; a user namespace may not make devices, there the program runs without.
    path = os.path.join(root, "dev", name)
    if os.geteuid() == 0 and not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, number))
            os.chmod(path, 0o666)
        except PermissionError:
            pass
os.chroot(root)
os.chdir(directory)
uid, _, gid = user.partition(":")
if (int(uid), int(gid or 0)) != (0, 0):
    os.setgroups([])
    os.setgid(int(gid or 0))
    os.setuid(int(uid))
try:
    os.execve(sys.argv[5], sys.argv[5:], json.loads(environment))
except FileNotFoundError:
    os._exit(127)
except OSError:
    os._exit(126)
