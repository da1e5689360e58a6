#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Branch coverage of hypervisor/core by its host tests and the seeds of its fuzz targets, or of a room of the unikernel by its tests.

usage: coverage.py BUILD-DIR [--of SUBJECT] [--floor PERCENT] [--missing] [--record]

Builds the tests and fuzz targets of the subject (the pure half, unless --of names another) with clang's source-based coverage in BUILD-DIR, runs them (a fuzz
target over its seeds only), and prints branches taken by file. Status 1 below the floor. --missing lists what was not taken;
--record writes that list to scripts/untaken/SUBJECT.txt, by the text of the lines, so that a change elsewhere in a file does not touch it.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
CORE = SOURCE / "hypervisor/core"
# Other subjects: their sources, their tests, and the least share that is asked for.
ROOMS = {"signal": (["partitions/unikernel/signal", "partitions/unikernel/task/pending.cpp"], ["unikernel_signal_test", "unikernel_delivery_test"], 85.0),
         # Without the kernel's own tables and the copies to user memory, which are not built for the host.
         "mm": ([f"partitions/unikernel/mm/{name}.cpp" for name in ("address_space", "fault", "fork", "frames", "page_table", "remap", "vma")],
                ["unikernel_mm_test"], 85.0),
         "sched": (["partitions/unikernel/sched", "partitions/unikernel/base/wait_queue.cpp"],
                   ["unikernel_sched_test", "unikernel_scheduler_test", "unikernel_base_test"], 85.0)}
# The readers of what core writes, and the writer of what core reads.
OTHER_TESTS = ["tool_plan_test", "tool_channel_test"]


def tool(name):
    for candidate in (name, *(f"{name}-{version}" for version in range(20, 13, -1))):
        if subprocess.run(["which", candidate], capture_output=True, check=False).returncode == 0:
            return candidate
    sys.exit(f"{name} is missing: apt-get install llvm")


def build(folder, room):
    subprocess.run(["cmake", "-S", SOURCE, "-B", folder, "-G", "Ninja", "-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++",
                    "-DCAISSON_COVERAGE=ON", "-DCAISSON_FUZZ=ON", "-DCAISSON_TESTS=ON"], check=True, stdout=subprocess.DEVNULL)
    if room:
        tests, fuzzers = ROOMS[room][1], {}
    else:
        targets = subprocess.run(["ninja", "-C", folder, "-t", "targets", "all"], check=True, capture_output=True, text=True).stdout
        known = {line.split(":")[0] for line in targets.split("\n")}
        tests = [f"core_{entry.name}_test" for entry in sorted(CORE.iterdir()) if f"core_{entry.name}_test" in known] + OTHER_TESTS
        fuzzers = {source.stem: source.parent for source in sorted(CORE.rglob("*_fuzz.cpp"))}
    made = subprocess.run(["ninja", "-C", folder, *tests, *fuzzers], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        sys.exit(f"does not build:\n{made.stdout[-4000:]}")
    programs = {path.name: path for path in pathlib.Path(folder).rglob("*") if path.is_file() and os.access(path, os.X_OK)}
    return [(programs[name], None) for name in tests] + [(programs[name], where) for name, where in fuzzers.items()]


def run(programs, folder):
    profiles = []
    for program, fuzzed in programs:
        profile = folder / f"{program.name}.profraw"
        profiles.append(profile)
        environment = {**os.environ, "LLVM_PROFILE_FILE": str(profile)}
        if fuzzed is None:
            module = program.name.removeprefix("core_").removesuffix("_test")
            where = CORE / module if (CORE / module).is_dir() else SOURCE
            command = [program]
        else:
            where = fuzzed
            seeds = sorted(path for path in (fuzzed / "corpus" / program.name).rglob("*") if path.is_file())
            command = [program, "-runs=0", *seeds]
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            sys.exit(f"{program.name} fails:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    merged = folder / "core.profdata"
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", *profiles, "-o", merged], check=True)
    return merged


def is_counted(name, room):
    path = pathlib.Path(os.path.normpath(name))  # a build directory elsewhere goes up and down again
    sources = [SOURCE / source for source in ROOMS[room][0]] if room else [CORE]
    return any(path.is_relative_to(source) for source in sources) and not path.stem.endswith(("_test", "_fuzz", "_proof", "host_seam", "test_memory"))


def report(programs, merged, missing, room):
    objects = [argument for program, _ in programs for argument in ("-object", program)]
    exported = subprocess.run([tool("llvm-cov"), "export", "-format=text", f"-instr-profile={merged}", *objects[1:]],
                              check=True, capture_output=True, text=True)
    taken_by_file = {}
    # A branch region: place, true count, false count. Instantiations of one template share the place.
    for data in json.loads(exported.stdout)["data"]:
        for entry in data["files"]:
            if not is_counted(entry["filename"], room):
                continue
            places = taken_by_file.setdefault(os.path.relpath(entry["filename"], SOURCE), {})
            text = pathlib.Path(entry["filename"]).read_text().splitlines()
            for line, column, _, _, yes, no, *_ in entry["branches"]:
                if text[line - 1][column - 1:].startswith("base::weak("):  # a constant but in the tests' weak image
                    continue
                old = places.get((line, column), (0, 0))
                places[line, column] = (old[0] + yes, old[1] + no)
    total = covered = 0
    untaken = []
    for name, places in sorted(taken_by_file.items()):
        here = sum((yes > 0) + (no > 0) for yes, no in places.values())
        total += 2 * len(places)
        covered += here
        if places:
            print(f"{100 * here / (2 * len(places)):6.1f} %  {here:4} of {2 * len(places):4}  {name}")
        text = (SOURCE / name).read_text().splitlines()
        for (line, column), (yes, no) in sorted(places.items()):
            for taken, what in ((yes, "true"), (no, "false")):
                if taken:
                    continue
                untaken.append(f"{name}: never {what}: {text[line - 1][column - 1:].strip()}")
                if missing:
                    print(f"          never {what}: {name}:{line}:{column}")
    return covered, total, untaken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--of", choices=sorted(ROOMS), help="a room of the unikernel instead of hypervisor/core")
    parser.add_argument("--floor", type=float)
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    folder = options.build.resolve()
    programs = build(folder, options.of)
    covered, total, untaken = report(programs, run(programs, folder), options.missing, options.of)
    share = 100 * covered / total
    if options.record:
        where = SOURCE / f"scripts/untaken/{options.of or 'core'}.txt"
        where.parent.mkdir(exist_ok=True)
        where.write_text(f"# SPDX-License-Identifier: Apache-2.0\n# Branches that no host test takes; written by coverage.py --of {options.of} --record.\n"
                         + "".join(f"{line}\n" for line in untaken))
    floor = options.floor if options.floor is not None else ROOMS[options.of][2] if options.of else 95.0
    subject = f"partitions/unikernel/{options.of}" if options.of else "hypervisor/core"
    print(f"branches of {subject}: {covered} of {total}, {share:.1f} % (at least {floor:.1f} % are asked for)")
    return 0 if share >= floor else 1


if __name__ == "__main__":
    sys.exit(main())
