#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scaling.py BUILD-DIR: how much faster programs become by 2 and 4 CPUs, in a container and on Debian's cloud kernel on the same emulated machine.
  --record         writes the table of docs/scaling.md
Status: 0 where all of them scale as they should beside Linux (computing ones 0.9 of it, those that live in system calls 0.7; KNOWN says which do not
yet), 1 where not, 77 where the kernel or packages are not in the cache.

Time is counted by in_step.c, a plugin of QEMU's, under icount. The fewer CPUs, the longer an instruction (icount's shift), so that each CPU has the
same speed beside the machine's timers always."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../harness"), os.path.join(HERE, "../bench")]

import images  # noqa: E402
import linux_figures  # noqa: E402
import machine  # noqa: E402
import server_figures  # noqa: E402
from frames import Line  # noqa: E402

PAGE = os.path.join(HERE, "../../docs/scaling.md")
BEGIN, END = "<!-- table: qemu-tests/scaling/scaling.py -->", "<!-- end of table -->"
CPUS = (1, 2, 4)
SHIFTS = {1: 4, 2: 3, 4: 2}
TIME_LIMIT = 1500
CALLING, COMPUTING = 0.7, 0.9
# Programs that do not reach their part of Linux's scaling yet, and the least that they must; one that does goes off the list (checked both ways).
# All are what one lock of the kernel allows: of what is done in it one CPU does all.
KNOWN = {"computing with a file now and then, 4 processes": 0.65, "open, write, read, close, 4 processes": 0.27,
         "map, touch, unmap 64 pages, 4 processes": 0.29, "pipes there and back, 4 pairs of processes": 0.25,
         "a local stream, 4 processes": 0.31, "fork, end, wait, 4 processes": 0.27}
DIRECTORIES = {"/tmp": 0o1777, "/dev": 0o755, "/proc": 0o755}
FIGURES = ["computing, 4 threads", "computing, 4 processes", "computing with a file now and then, 4 processes", "open, write, read, close, 4 processes",
           "map, touch, unmap 64 pages, 4 processes", "the same, 4 threads of a process", "pipes there and back, 4 pairs of processes",
           "a local stream, 4 processes", "fork, end, wait, 4 processes"]


def command_line(cpus, out):
    """What is the same on both sides."""
    return ["-accel", "tcg,thread=single", "-icount", f"shift={SHIFTS[cpus]},sleep=off", "-rtc", "clock=vm,base=2026-01-01",
            "-plugin", f"{os.path.join(os.path.dirname(out), 'in_step.so')},out={out}"]


def run(command, out):
    """-> (what came by the serial line, what QEMU said, {number: time})"""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False)
    with open(out, encoding="ascii") as file:
        lines = [list(map(int, text.split())) for text in file.read().splitlines()]
    return ended.stdout, ended.stderr, {number: clock for number, clock, *_ in lines}


def on_linux(root, cpus, kernel, directory):
    archive, out = (os.path.join(directory, part) for part in ("initramfs", "linux.out"))
    with open(archive, "wb") as file:
        file.write(server_figures.tree_archive(root))
    command = [machine.find_qemu(), *command_line(cpus, out), "-M", "q35", "-cpu", server_figures.CPU, "-smp", str(cpus), "-m", "1G", "-display", "none",
               "-nodefaults", "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", archive, "-append",
               "console=ttyS0 quiet panic=-1 transparent_hugepage=never idle=halt rootfstype=ramfs"]
    serial, errors, clocks = run(command, out)
    return complete(clocks, serial, errors)


def in_container(root, cpus, build, directory):
    with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
        tool = json.load(file)["tool"]
    environment = {**os.environ, "HOME": directory, "XDG_CONFIG_HOME": directory + "/config", "XDG_DATA_HOME": directory + "/data"}
    manifest, bundle, out = (os.path.join(directory, part) for part in ("main.yaml", "main.bundle", "here.out"))
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(f"apiVersion: caisson/v1\nname: scaling\nversion: 1.0.0\nsecurityVersion: 1\nmachine: {{board: qemu-q35, cpus: {cpus}, memory: 1GiB}}\n"
                   f"partitions:\n  work: {{image: \"oci:{directory}/image\", cpus: {cpus}, memory: 256MiB}}\n")
    for arguments in (["image", "create", "--from", root, "--entrypoint=/bin/sh", "--cmd=/servers.sh", f"oci:{directory}/image"],
                      ["build", manifest, "-o", bundle]):
        subprocess.run([tool, *arguments], env=environment, check=True, capture_output=True)
    boot = {"cpus": cpus, "memory": "1G", "cpu": server_figures.CPU + ",+svm", "qemu": command_line(cpus, out)}
    command = machine.command_line(boot, os.path.join(directory, "main.elf"), bundle, directory)
    del command[1:3] # -accel
    serial, errors, clocks = run(command, out)
    return complete(clocks, Line(serial).output("work"), errors)


def complete(clocks, serial, errors):
    if b"@@ done" not in serial or sorted(clocks) != list(range(1, len(FIGURES) + 1)):
        sys.exit(f"work.c did not come to its end; it said ...{serial[-1500:].decode('utf-8', 'replace')}\n{errors[-500:].decode('utf-8', 'replace')}")
    return [clocks[number] for number in sorted(clocks)]


def measure(build, kernel):
    """-> [(figure, {cpus: time here}, {cpus: time on Linux})]"""
    found = [(figure, {}, {}) for figure in FIGURES]
    built = os.path.join(build, "qemu-tests/scaling")
    spec = {"busybox": ["sh", "mount", "ifconfig", "poweroff"], "directories": DIRECTORIES, "files": {"/servers.sh": "/bin/work && echo @@ done\n"}}
    for cpus in CPUS:
        with tempfile.TemporaryDirectory() as directory:
            root = os.path.join(directory, "root")
            images.make_root(spec, root, [])
            images.put(root, "/bin/work", source=os.path.join(built, "work"))
            os.symlink(os.path.join(built, "in_step.so"), os.path.join(directory, "in_step.so"))
            sides = (in_container(root, cpus, build, directory), on_linux(root, cpus, kernel, directory))
        for side, times in enumerate(sides, 1):
            for row, clock in zip(found, times):
                row[side][cpus] = clock
        for figure, here, there in found:
            print(f"{figure:<50} {cpus} CPUs {here[cpus]:>11,} {there[cpus]:>11,}", flush=True)
    return found


def line_of(figure, here, there, limit):
    faster = [[times[1] / times[cpus] for cpus in CPUS[1:]] for times in (here, there)]
    part = faster[0][-1] / faster[1][-1]
    cells = [figure, f"{here[1]:,}", *(f"{value:.2f}" for value in faster[0]), f"{there[1]:,}", *(f"{value:.2f}" for value in faster[1]), f"{part:.2f}", f"{limit}",
             f"{here[CPUS[-1]] / there[CPUS[-1]]:.2f}"]
    return part, f"| {' | '.join(cells)} |"


HEAD = """| | here, 1 CPU | 2 CPUs | 4 CPUs | Linux, 1 CPU | 2 CPUs | 4 CPUs | here / Linux at 4 | at least | time at 4, here / Linux |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    kernel = linux_figures.find_kernel([])
    if kernel is None:
        print("skipped: Debian's cloud kernel is not in the cache (./caisson selftest --nightly unpacks it)")
        sys.exit(77)
    lines, wrong = [], []
    for figure, here, there in measure(os.path.abspath(options.build), kernel):
        limit = COMPUTING if figure.startswith("computing, ") else CALLING
        part, line = line_of(figure, here, there, limit)
        lines.append(line)
        if part < KNOWN.get(figure, limit):
            wrong.append(f"{figure}: {part:.2f} of Linux's scaling, at least {KNOWN.get(figure, limit)}")
        elif part >= limit and figure in KNOWN:
            wrong.append(f"{figure}: {part:.2f} of Linux's scaling, take it off the list")
    table = "\n".join([HEAD, *lines])
    print(table)
    if options.record:
        with open(PAGE, encoding="utf-8") as file:
            text = file.read()
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: f"{BEGIN}\n{table}\n{END}", text, flags=re.S))
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
