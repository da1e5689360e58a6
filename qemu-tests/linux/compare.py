#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py --build BUILD-DIR GROUP: runs a group's programs natively and each in a partition, and compares every line.

What differs must be in known_differences.txt, and what is there must differ: the list shrinks when the unikernel grows.
  --shrink   takes what no longer differs off the list (it never adds)
  --only RUN a single run of the group
Status: 0 as expected, 1 not, 77 skipped with a reason."""
import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import case as cases  # noqa: E402
import check  # noqa: E402
import images  # noqa: E402
import machine  # noqa: E402
import run_case  # noqa: E402
from frames import Line  # noqa: E402

KNOWN = os.path.join(HERE, "known_differences.txt")
TIME_LIMIT = 900     # wall seconds; only a hang reaches it
NATIVE_LIMIT = 60
LATE_RUNS = 5        # of a native program that the machine let wait
AT_ONCE = 6          # partitions of one boot


class Known:
    """The list: `== RUN` begins a run's part, `-` what Linux prints, `+` what is printed here, `#` why. `#only FLAG` makes a part
    count only where /proc/cpuinfo of this machine has the flag."""

    def __init__(self, text, flags=()):
        self.parts, run, self.flags = {}, None, set(flags)  # run -> its lines, in order
        for number, line in enumerate(text.split("\n"), 1):
            if line.startswith("== "):
                run = line[3:]
                if run in self.parts:
                    raise cases.CaseError(f"{KNOWN}:{number}: {run} is there twice")
                self.parts[run] = []
            elif line and not line.startswith(("#", "-", "+")):
                raise cases.CaseError(f"{KNOWN}:{number}: a line begins with '== ', '#', '-' or '+', not {line[:1]!r}")
            elif line and not (run is None and line.startswith("#")):
                if run is None:
                    raise cases.CaseError(f"{KNOWN}:{number}: no '== RUN' before it")
                self.parts[run].append(line)
        self.head = [line for line in text.split("\n== ")[0].split("\n") if line.startswith("#")]

    def counts(self, run):
        wanted = [line.split()[1] for line in self.parts.get(run, []) if line.startswith("#only ")]
        return all(flag in self.flags for flag in wanted)

    def of(self, run):
        return [line for line in self.parts.get(run, []) if line[0] != "#"] if self.counts(run) else []

    def shrink(self, run, differences):
        """Keeps what is in both, in order; a part in which nothing differs goes with its reasons."""
        if run not in self.parts or not self.counts(run):
            return
        left, kept = list(differences), []
        for line in self.parts[run]:
            if line[0] == "#":
                kept.append(line)
            elif line in left:
                left.remove(line)
                kept.append(line)
        if any(line[0] != "#" for line in kept):
            self.parts[run] = kept
        else:
            del self.parts[run]

    def text(self):
        parts = [f"== {run}\n" + "\n".join(lines) + "\n" for run, lines in sorted(self.parts.items())]
        return "\n".join(self.head) + "\n\n" + "\n".join(parts)


def flags_of_this_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].split() for line in file if line.startswith("flags")), [])


def differences_of(native, ours):
    """-> "-line" and "+line" for all that is not the same in both, in order."""
    found = []
    matcher = difflib.SequenceMatcher(None, native, ours, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            found += [f"-{line}" for line in native[a:b]] + [f"+{line}" for line in ours[c:d]]
    return found


def judge(run, known, differences):
    """Both ways: what differs and is not listed, what is listed and does not differ."""
    listed, complaints = known.of(run), []
    left = list(listed)
    for line in differences:
        if line in left:
            left.remove(line)
        else:
            complaints.append(f"{run}: not the same, and not a known difference: {line}")
    return complaints + [f"{run}: a known difference that is none any more (compare.py --shrink takes it off): {line}" for line in left]


def lines_of(output, status):
    """What a program printed and how it ended, without the kernel's own notes about it."""
    lines = output.decode("utf-8", "backslashreplace").split("\n")
    return [line for line in lines if not line.startswith("[caisson] ")] + [f"status {status}"]


def make_root(directory, build):
    """The tree that all programs see."""
    root = os.path.join(directory, "root")
    pattern = "".join(chr(33 + (7 * index + index // 90) % 90) for index in range(128 * 1024))
    # With what the tool would put into an image that lacks it.
    images.make_root({"busybox": ["sh", "cat"], "directories": {"/tmp": 0o1777, "/dev": 0o755, "/proc": 0o755, "/root": 0o700},
                      "files": {"/etc/data": pattern[:10_000], "/etc/big": pattern, "/etc/hostname": "linux\n",
                                "/etc/hosts": "127.0.0.1 localhost\n", "/etc/resolv.conf": ""},
                      "links": {"/etc/mtab": "/proc/mounts"}}, root, [])
    built = os.path.join(build, "qemu-tests/linux")
    for name in sorted(os.listdir(built)):
        if os.path.isfile(os.path.join(built, name)) and os.access(os.path.join(built, name), os.X_OK):
            images.put(root, f"/bin/{name}", source=os.path.join(built, name))
    return root


def run_natively(root, directory, command):
    """As PID 1 of a pid namespace in a copy of the root; again when this machine let it wait. -> lines"""
    environment = '{"PATH": "%s", "HOME": "/root", "HOSTNAME": "linux"}' % images.PATH
    for _ in range(LATE_RUNS):
        copy = os.path.join(directory, "native")
        subprocess.run(["cp", "-a", root, copy], check=True)
        process = subprocess.Popen(["unshare", "--pid", "--mount", "--net", "--fork", "--kill-child", sys.executable, os.path.join(HERE, "as_init.py"),
                                    copy, environment, *command],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(timeout=NATIVE_LIMIT)
        except subprocess.TimeoutExpired as late:
            process.kill()
            process.communicate()
            raise images.ImageError(f"{command[0]}: natively it did not end within {NATIVE_LIMIT} s") from late
        shutil.rmtree(copy)
        if b"not about" not in output:
            break
    return lines_of(output, process.returncode if process.returncode >= 0 else 128 - process.returncode)


class Boots:
    """The programs in partitions, a few of them a machine."""

    def __init__(self, build, directory, platform, limit):
        self.build, self.directory, self.platform, self.limit = build, directory, platform, limit
        self.built = run_case.json.load(open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8"))
        home = os.path.join(directory, "home")
        os.makedirs(home)
        self.environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home + "/config", "XDG_CACHE_HOME": home + "/cache",
                            "XDG_DATA_HOME": home + "/data", "XDG_STATE_HOME": home + "/state"}
        self.environment.pop("CAISSON_CACHE", None)

    def tool(self, *arguments):
        run = subprocess.run([self.built["tool"], *arguments], capture_output=True, text=True, check=False, env=self.environment)
        if run.returncode != 0:
            raise cases.CaseError(f"caisson {' '.join(arguments)}: status {run.returncode}\n{run.stdout}{run.stderr}")

    def image(self, root):
        self.tool("image", "create", "--from", root, "--entrypoint=/bin/sh", f"oci:{self.directory}/image")

    def run(self, number, runs):
        """-> {run: lines}"""
        directory = os.path.join(self.directory, f"boot{number}")
        os.makedirs(directory)
        memory = sum(run["memory"] for run in runs)
        names = [re.sub("_", "-", run["name"]) for run in runs]
        blocks = [f"  {name}: {{image: \"oci:{self.directory}/image\", cpus: 1, memory: {run['memory']}MiB, "
                  f"entrypoint: {list(run['command'])!r}}}".replace("'", '"') for name, run in zip(names, runs)]
        manifest, bundle = os.path.join(directory, "main.yaml"), os.path.join(directory, "main.bundle")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write("apiVersion: caisson/v1\nname: linux\nversion: 1.0.0\nsecurityVersion: 1\n"
                       f"machine: {{board: qemu-q35, cpus: {len(runs)}, memory: {2 * memory + 256}MiB}}\npartitions:\n" + "\n".join(blocks) + "\n")
        self.tool("build", manifest, "-o", bundle)
        boot = {"cpus": len(runs), "memory": f"{2 * memory + 256}M", "icount": True}
        run = run_case.boot_on(self.platform, boot, os.path.join(directory, "main.elf"), bundle, self.limit, directory)
        line = Line(run.serial)
        complaints = check.check_run(run, {}) + [f"serial line: {error}" for error in line.errors]
        said = {}
        for name, one in zip(names, runs):
            ends = [end for end in line.ends(name) if end["last"] == "1"]
            if not ends:
                complaints.append(f"{one['name']}: its partition has no record of its end; it said ...{line.output(name)[-300:]!r}")
            else:
                said[one["name"]] = lines_of(line.output(name), ends[-1]["status"])
        return said, complaints


def runs_of(group, only):
    with open(os.path.join(HERE, "programs.toml"), "rb") as file:
        groups = tomllib.load(file)
    if group not in groups:
        raise cases.CaseError(f"no group {group}; there are {', '.join(groups)}")
    chosen = []
    for run in groups[group]["runs"]:
        folder = run.get("folder", groups[group].get("folder", group))
        name = f"{folder}_{run.get('as', run['program'])}".replace("-", "_")
        chosen.append({"name": name, "command": [f"/bin/{folder}_{run['program']}", *run.get("args", [])], "memory": run.get("memory", 48)})
    chosen = [run for run in chosen if not only or run["name"] in only]
    if not chosen:
        raise cases.CaseError(f"--only: nothing of group {group} has that name")
    return chosen


def compare(options, directory):
    runs = runs_of(options.group, options.only)
    with open(KNOWN, encoding="utf-8") as file:
        known = Known(file.read(), flags_of_this_machine())
    root = make_root(directory, options.build)
    native = {run["name"]: run_natively(root, directory, run["command"]) for run in runs}
    boots = Boots(os.path.abspath(options.build), directory, options.platform, options.time_limit)
    boots.image(root)
    ours, complaints = {}, []
    for number, at in enumerate(range(0, len(runs), AT_ONCE)):
        said, wrong = boots.run(number, runs[at:at + AT_ONCE])
        ours.update(said)
        complaints += wrong
    lines = same = 0
    for name, said in ours.items():
        differences = differences_of(native[name], said)
        lines += len(native[name])
        same += len(native[name]) - sum(1 for line in differences if line[0] == "-")
        if options.add and known.counts(name):
            known.parts[name] = [line for line in known.parts.get(name, []) if line[0] == "#"] + differences
            if not differences:
                del known.parts[name]
        elif options.shrink:
            known.shrink(name, differences)
        complaints += judge(name, known, differences)
    if options.add or options.shrink:
        with open(KNOWN, "w", encoding="utf-8") as file:
            file.write(known.text())
    print(f"{options.group}: {same} of {lines} lines of {len(ours)} programs are Linux's")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group")
    parser.add_argument("--build", required=True)
    parser.add_argument("--platform", choices=cases.PLATFORMS, default="qemu-svm")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--time-limit", type=int, default=TIME_LIMIT, help="of one boot, in seconds")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--add", action="store_true", help="lists what differs now, for a new program: each needs its reason written beside it")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: needs root, for a pid namespace with its own /proc and devices")
        return run_case.SKIPPED
    if options.platform != "qemu-svm" and run_case.bochs.missing():
        print(f"skipped: {run_case.bochs.missing()}")
        return run_case.SKIPPED
    directory = os.path.join(os.path.abspath(options.build), "qemu-tests/work", f"linux-{options.group}-{options.platform}")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    try:
        complaints = compare(options, directory)
    except (cases.CaseError, images.ImageError, machine.MachineError, OSError) as error:
        complaints = [str(error)]
    for complaint in complaints:
        print(f"FAILED: {complaint[:400]}")
    if complaints:
        print(f"files: {directory}")
        return run_case.FAILED
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
