# SPDX-License-Identifier: Apache-2.0
"""Trees for test images, their OCI layouts (made by the tool), and the same tree run in a chroot."""
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import patience

BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"]
HERE = os.path.dirname(os.path.abspath(__file__))
ENTER = os.path.join(HERE, "enter_root.py")
AS_INIT = os.path.join(HERE, "../linux/as_init.py")
COMPILE_LIMIT = 600
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageError(Exception):
    pass


def put(root, path, data=None, source=None, mode=0o755):
    target = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if source:
        shutil.copyfile(source, target)
    else:
        with open(target, "wb") as file:
            file.write(data)
    os.chmod(target, mode)


def libraries(program):
    """What the program's own loader would map, as absolute paths (the loader included)."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    found = set(re.findall(r"(/[^\s]+) \(0x", said.stdout))
    interpreter = subprocess.run(["readelf", "-l", program], capture_output=True, text=True, check=False).stdout
    match = re.search(r"interpreter: (/[^\]]+)\]", interpreter)
    if match:
        found.add(match.group(1))
    if "not found" in said.stdout:
        raise ImageError(f"{program}: ldd says {said.stdout}")
    return sorted(found)


def add_program(root, program, path):
    put(root, path, source=program)
    interpreter = subprocess.run(["readelf", "-l", program], capture_output=True, text=True, check=False).stdout
    match = re.search(r"interpreter: (/[^\]]+)\]", interpreter)
    if match and "ld-musl" in match.group(1):
        # musl's loader is its C library; nothing else is linked by the test programs.
        put(root, match.group(1), source=os.path.realpath(match.group(1)))
        return
    if match:
        for library in libraries(program):
            if not os.path.lexists(os.path.join(root, library.lstrip("/"))):  # a package may have brought it
                put(root, library, source=os.path.realpath(library))


def package_tree(package):
    """The tree with a Debian package and what it depends on, which the root script unpacked into the cache; None: it did not."""
    cache = os.environ.get("CAISSON_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
    tree = os.path.join(cache, "roots", platform.freedesktop_os_release().get("VERSION_CODENAME", "none"), package)
    return tree if os.path.isdir(tree) else None


def tree(name):
    """Where scripts/packages.sh unpacks the Debian packages of the set tree-NAME."""
    cache = os.environ.get("CAISSON_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
    return os.path.join(cache, "trees", name)


def add_busybox(root, applets):
    """Static busybox, and links to it for what the root has not."""
    busybox = next((path for path in BUSYBOX if os.path.isfile(path)), None)
    if not busybox:
        raise ImageError("busybox-static is not installed")
    put(root, "/bin/busybox", source=busybox)
    for applet in applets:
        if not os.path.lexists(os.path.join(root, "bin", applet)):
            os.symlink("busybox", os.path.join(root, "bin", applet))


def compile_in(how, root, path):
    """Makes `path` of a root, a file or a directory, by a compiler of Debian packages that was unpacked into the cache. `how`: package, source
    (its text) and run, the command in the package's own root, in which the source is /source and the result goes to /made."""
    with tempfile.TemporaryDirectory() as directory:
        tools = os.path.join(directory, "root")
        subprocess.run(["cp", "-a", "--reflink=auto", package_tree(how["package"]), tools], check=True)
        add_busybox(tools, ["sh", "cp", "mkdir"])
        put(tools, "/source", data=how["source"].encode(), mode=0o644)
        for name in ("proc", "tmp"):
            os.makedirs(os.path.join(tools, name), exist_ok=True)
        said, status = run_in_chroot({"entrypoint": how["run"], "isolated": True, "env": {"HOME": "/tmp"}}, tools, COMPILE_LIMIT)
        made = os.path.join(tools, "made")
        if status != 0 or not os.path.exists(made):
            raise ImageError(f"{path}: {' '.join(how['run'])}: status {status}\n{said.decode('utf-8', 'replace')}")
        target = os.path.join(root, path.lstrip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.move(made, target)


def make_root(spec, root, programs):
    """programs: directories where the build puts test programs."""
    if "tree" in spec:
        subprocess.run(["cp", "-a", "--reflink=auto", tree(spec["tree"]), root], check=True)
    else:
        os.makedirs(root)
    for package in spec.get("packages", []):
        subprocess.run(["cp", "-a", os.path.join(package_tree(package), "."), root], check=True)
    for path, mode in spec.get("directories", {}).items():
        os.makedirs(os.path.join(root, path.lstrip("/")), exist_ok=True)
        os.chmod(os.path.join(root, path.lstrip("/")), mode)
    for name in spec.get("programs", []):
        candidates = [os.path.join(directory, name) for directory in programs]
        program = next((path for path in candidates if os.path.isfile(path)), None)
        if not program:
            raise ImageError(f"test program {name} was not built; looked for {', '.join(candidates)}")
        add_program(root, program, f"/bin/{name}")
    for path in spec.get("host", []):
        add_program(root, os.path.realpath(path), path)
    for path in spec.get("host_trees", []):
        shutil.copytree(path, os.path.join(root, path.lstrip("/")), symlinks=True, dirs_exist_ok=True)
    if "busybox" in spec:
        add_busybox(root, spec["busybox"])
    for path, text in spec.get("files", {}).items():
        put(root, path, data=text.encode("utf-8", "surrogateescape"), mode=0o644)
    for path, how in spec.get("compiled", {}).items():
        compile_in(how, root, path)
    for path, target in spec.get("links", {}).items():
        os.makedirs(os.path.dirname(os.path.join(root, path.lstrip("/"))), exist_ok=True)
        os.symlink(target, os.path.join(root, path.lstrip("/")))


def create_arguments(spec, root, layout):
    arguments = ["image", "create", "--from", root]
    for part in spec.get("entrypoint", []):
        arguments += [f"--entrypoint={part}"]
    for part in spec.get("args", []):
        arguments += [f"--cmd={part}"]
    for key, value in spec.get("env", {}).items():
        arguments += [f"--env={key}={value}"]
    if "working_dir" in spec:
        arguments += [f"--workdir={spec['working_dir']}"]
    if "stop_signal" in spec:
        arguments += [f"--stop-signal={spec['stop_signal']}"]
    if "user" in spec:
        arguments += [f"--user={spec['user']}"]
    return arguments + [f"oci:{layout}"]


def can_chroot():
    """How to enter a root here: as root directly, as a user through a user namespace; None when neither works."""
    if os.geteuid() == 0:
        return []
    if subprocess.run(["unshare", "-r", "true"], capture_output=True, check=False).returncode == 0:
        return ["unshare", "-r"]
    return None


def chroot_command(spec, root, arguments):
    """What runs a program of the root here, with this machine's network."""
    environment = json.dumps({"PATH": PATH, **spec.get("env", {})})
    return can_chroot() + [sys.executable, ENTER, root, spec.get("working_dir", "/"), spec.get("user", "0:0"), environment] + arguments


def run_in_chroot(spec, root, time_limit):
    """-> (all bytes of stdout and stderr in the order written, status) of the image's own entrypoint."""
    arguments = spec.get("entrypoint", []) + spec.get("args", [])
    environment = json.dumps({"PATH": PATH, **spec.get("env", {})})
    if spec.get("isolated"):
        # With its own processes, /proc, devices and loopback, as in a container: for servers.
        command = ["unshare", "--pid", "--mount", "--net", "--fork", "--kill-child", sys.executable, AS_INIT, root, environment] + arguments
    else:
        command = chroot_command(spec, root, arguments)
    try:
        ended = patience.run(command, time_limit, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as late:
        raise ImageError(f"in the chroot the program did not end within {time_limit} s") from late
    return ended.stdout, ended.returncode if ended.returncode >= 0 else 128 - ended.returncode


def run_as_init(spec, root, time_limit):
    """The same as PID 1 of a pid namespace, with /proc, devices, limits and capabilities of a container. Needs root."""
    arguments = spec.get("entrypoint", []) + spec.get("args", [])
    environment = json.dumps({"PATH": PATH, "HOSTNAME": "linux", "HOME": "/root", **spec.get("env", {})})
    command = ["unshare", "--pid", "--mount", "--net", "--ipc", "--uts", "--fork", "--kill-child", sys.executable, AS_INIT, root, environment]
    try:
        ended = patience.run(command + arguments, time_limit, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as late:
        raise ImageError(f"natively the program did not end within {time_limit} s") from late
    return ended.stdout, ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
