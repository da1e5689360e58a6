#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py --build BUILD-DIR LIST: runs a list of modules.toml natively and in a partition. At least 99 % of the tests that pass natively
must pass, and the others are exactly those of known_failures.txt. Status: 0 as expected, 1 not, 77 skipped with a reason.
  --only MODULE   one of the list
  --together      all in one boot, where the list gives each its own
  --write FILE    into FILE, as it goes: how many of how many tests of each module pass, its date and commit, and which do not; what FILE
                  says of modules that do not run now stays"""
import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../linux"), os.path.join(HERE, "../harness")]

import case as cases  # noqa: E402
import compare as linux  # noqa: E402
import images  # noqa: E402
import machine  # noqa: E402
import run_case  # noqa: E402

KNOWN = os.path.join(HERE, "known_failures.txt")
LEAST = 0.99
NATIVE_LIMIT, BOOT_LIMIT = 1500, 5400  # seconds
PYTHON = "/usr/bin/python3.11"
LIBRARY = "/usr/lib/python3.11"


def results_of(lines):
    """-> {test: ok, FAIL, ERROR or skip}, the worst where there are several; what a module said of its end counts as a failed test."""
    found = {}
    for line in lines:
        name, _, word = line.rpartition(" ")
        if word in ("ok", "FAIL", "ERROR", "skip") and name.startswith("test."):
            found[name] = word if found.get(name, "ok") == "ok" else found[name]
    return found


def known_failures():
    with open(KNOWN, encoding="utf-8") as file:
        return {line.split("#")[0].strip() for line in file} - {""}


class Results:
    """What is known of a list's modules, in a file if there is one: a line a module and a line a test that does not pass."""

    def __init__(self, name, path):
        self.name, self.path, self.modules, self.missing = name, path, {}, {}
        said = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
        self.when = f"{datetime.date.today()} {said or 'unknown'}"
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    if found := re.match(r"(test_\w+) +(\d+) of +(\d+)  (.*)", line):
                        self.modules[found[1]] = (int(found[2]), int(found[3]), found[4])
                    elif line.startswith("not here: "):
                        test = line.removeprefix("not here: ").strip()
                        self.missing.setdefault(test.split(".")[1], set()).add(test)

    def note(self, module, here, same):
        self.modules[module], self.missing[module] = (len(same), len(here), self.when), set(here) - same
        print(f"{module:<28} {len(same):>5} of {len(here):>5}", flush=True)
        if self.path:
            self.write()

    def write(self):
        good, all_ = (sum(counts[at] for counts in self.modules.values()) for at in (0, 1))
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("# SPDX-License-Identifier: Apache-2.0\n"
                       f"# {self.name}: tests that pass in a partition, of those that pass natively, when and of which sources. Written by compare.py.\n")
            for module, (same, here, when) in self.modules.items():
                file.write(f"{module:<28} {same:>5} of {here:>5}  {when}\n")
            file.write(f"{'all':<28} {good:>5} of {all_:>5}\n")
            for tests in self.missing.values():
                file.writelines(f"not here: {test}\n" for test in sorted(tests))


def compile_library(root, modules):
    """Byte code of the library and of the modules' tests, which a package's installation makes: without it every Python that a test starts
    compiles what it imports. By content, not by time: an image keeps no seconds' fractions."""
    tests = [f"{LIBRARY}/test/{name}" for module in modules for name in (f"{module}.py", module)]
    shared = [f"{LIBRARY}/test/{name}" for name in ("__init__.py", "support", "libregrtest", "_test_multiprocessing.py", "lock_tests.py")]
    paths = [path for path in tests + shared if os.path.exists(root + path)]
    command = [PYTHON, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    for words in ([*command, "-x", "/(test|idlelib|lib2to3|dist-packages)/", LIBRARY], [*command, *paths]):
        output, status = images.run_as_init({"entrypoint": words}, root, NATIVE_LIMIT)
        if status != 0:
            raise images.ImageError(f"{' '.join(words)}: status {status}, {output[-300:]!r}")


def compare(options, directory):
    with open(os.path.join(HERE, "modules.toml"), "rb") as file:
        chosen = tomllib.load(file)[options.list]
    modules = [word for word in chosen["modules"] if not options.only or word.partition("=")[0] in options.only]
    texts = {}
    for name in ("one_module.py", "run_modules.py"):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            texts[f"/t/{name}"] = file.read()
    texts["/etc/hosts"] = "127.0.0.1 localhost\n::1 localhost\n"
    spec = {"tree": "python", "files": texts, "directories": {"/tmp": 0o1777}}
    root = os.path.join(directory, "root")
    images.make_root(spec, root, [])
    compile_library(root, [word.partition("=")[0] for word in modules])
    boots = linux.Boots(os.path.abspath(options.build), directory, "qemu-svm", BOOT_LIMIT)
    boots.image(root)
    complaints, passed, both = [], 0, 0
    results = Results(options.list, options.write)
    known, missing, good = known_failures(), set(), set()
    for number, words in enumerate([[word] for word in modules] if chosen.get("apart") and not options.together else [modules]):
        command = [PYTHON, "-B", "/t/run_modules.py", *words]
        copy = os.path.join(directory, "native")
        subprocess.run(["cp", "-a", "--reflink=auto", root, copy], check=True)
        output, _ = images.run_as_init({"entrypoint": command}, copy, NATIVE_LIMIT)
        shutil.rmtree(copy)
        native = results_of(output.decode("utf-8", "replace").split("\n"))
        said, wrong = boots.run(number, [{"name": "python", "command": command, "memory": 384}])
        complaints += wrong
        ours = results_of(said.get("python", []))
        print("\n".join(line for line in said.get("python", []) if " ended with " in line))
        for module in (word.partition("=")[0] for word in words):
            here = [name for name, word in native.items() if word == "ok" and name.startswith(f"test.{module}.")]
            same = {name for name in here if ours.get(name) == "ok"}
            good |= same
            missing |= set(here) - same
            passed, both = passed + len(here), both + len(same)
            results.note(module, here, same)
    complaints += [f"{name} passes natively and not here" for name in sorted(missing - known)]
    complaints += [f"{name} is in known_failures.txt and passes" for name in sorted(known & good)]
    if options.list == "nightly" and not options.only:
        ran = {word.partition("=")[0] for word in modules}
        complaints += [f"{name} is in known_failures.txt and did not run or passes nowhere" for name in sorted(known - good - missing)
                       if name.split(".")[1] in ran]
    if passed == 0 or both < LEAST * passed:
        complaints.append(f"{both} of {passed} is less than {LEAST:.0%}")
    print(f"{'all':<28} {both:>5} of {passed:>5}")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", choices=["ci", "chosen", "nightly", "sockets"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--write")
    options = parser.parse_args()
    if os.geteuid() != 0 or not os.path.isdir(images.tree("python")):
        print("skipped: needs root and the Debian packages tree-python (packaging/packages.txt)")
        return run_case.SKIPPED
    directory = os.path.join(os.path.abspath(options.build), "qemu-tests/work", f"cpython-{options.list}")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    try:
        complaints = compare(options, directory)
    except (cases.CaseError, images.ImageError, machine.MachineError, OSError) as error:
        complaints = [str(error)]
    for complaint in complaints:
        print(f"FAILED: {complaint[:400]}")
    if complaints:
        return run_case.FAILED
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
