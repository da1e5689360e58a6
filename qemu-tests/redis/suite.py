#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""suite.py --build BUILD-DIR LIST: redis' own test suite (from Debian's source package, in the cache), against Debian's redis, inside a
partition: the files of a list of lists.toml. Every test of passes.txt must pass, and one that passes and is not there is a complaint too.
Status: 0 as expected, 1 not, 77 skipped with a reason.
  --only FILE      one of the list (unit/type/list)
  --natively       in a pid namespace of this machine instead
  --record         writes what passed into passes.txt, for the files that ran"""
import argparse
import os
import re
import shutil
import sys
import tarfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../linux"), os.path.join(HERE, "../harness")]

import case as cases  # noqa: E402
import compare as linux  # noqa: E402
import images  # noqa: E402
import machine  # noqa: E402
import run_case  # noqa: E402

PASSES = os.path.join(HERE, "passes.txt")
PINS = os.path.join(HERE, "../../third_party/pins.cmake")
NATIVE_LIMIT, BOOT_LIMIT = 1500, 10800  # seconds
MEMORY = 768  # MiB: a server of 100 MB saves them, into a file that is memory too, and loads them again
LARGER = {"copies": 2560, "tools": 2560}  # several servers of that kind at once
PACKAGES = ["redis-server", "redis-tools", "tcl"]
# The suite is one tclsh that starts another for its tests, and servers in folders of their own.
SCRIPT = """cd /redis
for file in "$@"; do
    echo "== $file"
    tclsh tests/test_helper.tcl --single $file --clients 1 --timeout 100000 --tags "-slow -large-memory" 2>&1
    echo "== status $?"
done
"""


def archive():
    """The source package's archive in the cache, or None."""
    with open(PINS, encoding="utf-8") as file:
        pin = re.search(r"CAISSON_REDIS_TESTS .*?SHA256 ([0-9a-f]{64})", file.read(), re.S).group(1)
    cache = os.environ.get("CAISSON_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
    path = os.path.join(cache, "sources/sha256", pin)
    return path if os.path.exists(path) else None


def make_root(root):
    spec = {"packages": PACKAGES, "busybox": ["sh", "cat", "uname", "kill", "rm", "cp", "mkdir", "ls", "sleep", "grep", "tail", "head", "wc", "which",
                                              "hostname", "find", "touch", "date", "env", "sed", "awk", "cmp", "pkill", "pgrep", "echo", "id", "chmod"],
            "host": ["/usr/bin/ps", "/usr/bin/getconf"], "links": {"/usr/bin/env": "/bin/busybox"},
            "directories": {"/tmp": 0o1777, "/dev": 0o755, "/proc": 0o755}, "isolated": True, "files": {"/suite.sh": SCRIPT,
            "/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"}}
    images.make_root(spec, root, [])
    with tarfile.open(archive()) as source:
        for member in source.getmembers():
            top, _, member.name = member.name.partition("/")
            if member.name.startswith("tests/") and not member.name.startswith(("tests/modules/", "tests/cluster/")):
                source.extract(member, os.path.join(root, "redis"), filter="data")
    for name in ("redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb"):
        os.makedirs(os.path.join(root, "redis/src"), exist_ok=True)
        os.symlink(f"/usr/bin/{name}", os.path.join(root, "redis/src", name))
    return spec


def results_of(lines):
    """-> ({file: [test that passed]}, [line about one that did not])"""
    passed, wrong, file = {}, [], None
    for line in lines:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if plain.startswith("== status"):
            if plain != "== status 0":
                wrong.append(f"{file}: {plain[3:]}")
        elif plain.startswith("== "):
            file = plain[3:]
            passed[file] = []
        elif match := re.match(r"\[ok\]: (.*?)( \(\d+ ms\))?$", plain):
            passed[file].append(re.sub(r"\d{4,}", "N", match.group(1)))
        elif plain.startswith(("[err]", "[exception]", "[timeout]", "[TIMEOUT]")):
            wrong.append(f"{file}: {plain}")
    return passed, wrong


def read_passes():
    """-> {file: [test]}"""
    known, file = {}, None
    with open(PASSES, encoding="utf-8") as text:
        for line in text.read().split("\n"):
            if line.startswith("== "):
                file = line[3:]
                known[file] = []
            elif line and not line.startswith("#"):
                known[file].append(line)
    return known


def write_passes(known):
    with open(PASSES, "w", encoding="utf-8") as out:
        out.write("# SPDX-License-Identifier: Apache-2.0\n# The tests of redis' own suite that must pass, by file. Written by suite.py --record.\n")
        for file, tests in sorted(known.items()):
            out.write(f"== {file}\n" + "".join(f"{test}\n" for test in sorted(tests)))


def complaints_of(passed, wrong, known):
    complaints = list(wrong)
    for file, tests in passed.items():
        listed = known.get(file, [])
        if not tests:
            complaints.append(f"{file}: no test ran")
        complaints += [f"{file}: '{test}' is in passes.txt and did not pass" for test in sorted(set(listed) - set(tests))]
        complaints += [f"{file}: '{test}' passed and is not in passes.txt (--record)" for test in sorted(set(tests) - set(listed))]
        print(f"{file:<40} {len(tests):>4} passed")
    return complaints


def run(options, directory):
    with open(os.path.join(HERE, "lists.toml"), "rb") as file:
        chosen = [name for name in tomllib.load(file)[options.list] if not options.only or name in options.only]
    root = os.path.join(directory, "root")
    spec = make_root(root)
    command = ["/bin/sh", "/suite.sh", *chosen]
    if options.natively:
        output, _ = images.run_as_init({**spec, "entrypoint": command}, root, NATIVE_LIMIT)
        lines, complaints = output.decode("utf-8", "replace").split("\n"), []
    else:
        boots = linux.Boots(os.path.abspath(options.build), directory, "qemu-svm", BOOT_LIMIT)
        boots.image(root)
        said, complaints = boots.run(0, [{"name": "redis", "command": command, "memory": LARGER.get(options.list, MEMORY)}])
        lines = said.get("redis", [])
    with open(os.path.join(directory, "said.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    passed, wrong = results_of(lines)
    if set(passed) != set(chosen):
        complaints.append(f"ran {', '.join(passed) or 'nothing'} of {', '.join(chosen)}")
    if options.record:
        write_passes({**read_passes(), **passed})
    return complaints + complaints_of(passed, wrong, read_passes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", choices=["chosen", "nightly", "others", "copies", "tools"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--natively", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    absent = [package for package in PACKAGES if images.package_tree(package) is None] + ([] if archive() else ["the source package of redis"])
    if os.geteuid() != 0 or absent:
        print(f"skipped: needs root, and in the cache: {', '.join(absent)} (./caisson selftest unpacks it)")
        return run_case.SKIPPED
    directory = os.path.join(os.path.abspath(options.build), "qemu-tests/work", f"redis-{options.list}" + ("-native" if options.natively else ""))
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    try:
        complaints = run(options, directory)
    except (cases.CaseError, images.ImageError, machine.MachineError, OSError) as error:
        complaints = [str(error)]
    for complaint in complaints:
        print(f"FAILED: {complaint[:400]}")
    return run_case.FAILED if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
