#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""without_limits.py --build BUILD-DIR: takes each limit of limits.toml out of the unikernel and boots the program of the case
hostile-processes that it is for. Status 1 where the case does not notice.
  --only NAME   one partition's"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(HERE, "../harness"))

import run_case  # noqa: E402

CASE = os.path.join(HERE, "../cases/hostile-processes.toml")
SECONDS = 90  # of one boot: without its limit a program may go on for ever


def commands(build):
    """-> (compilations, link) of unikernel.elf, as ninja runs them."""
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", "unikernel_elf"], check=True, capture_output=True, text=True).stdout.split("\n")
    return [line for line in lines if " -c " in line], next(line for line in lines if "-o partitions/unikernel/start/unikernel.elf" in line)


def kernel_without(build, how, directory):
    """unikernel.elf with one file's limit taken away."""
    path = os.path.join(SOURCE, "partitions/unikernel", how["file"])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if how["limit"] not in text:
        sys.exit(f"limits.toml: {how['file']} does not have the text {how['limit']!r}")
    changed, made = os.path.join(directory, "changed.cpp"), os.path.join(directory, "changed.o")
    with open(changed, "w", encoding="utf-8") as file:
        file.write(text.replace(how["limit"], how["without"]))
    compilations, link = commands(build)
    words = shlex.split(next(line for line in compilations if line.endswith(f"/partitions/unikernel/{how['file']}") and ".uk.dir" in line or
                             line.endswith(f"/partitions/unikernel/{how['file']}") and "unikernel_elf.dir" in line))
    words[-1] = changed
    replaced = words[words.index("-o") + 1]
    words[words.index("-o") + 1], words[words.index("-MF") + 1] = made, os.path.join(directory, "changed.d")
    subprocess.run(words, cwd=build, check=True)
    kernel = os.path.join(directory, "unikernel.elf")
    # An archive's member is not taken where an object before it has all that is asked of it.
    link = link.replace(f" {replaced} ", " ").replace(" -o partitions/unikernel/start/unikernel.elf", f" {made} -o {kernel}")
    subprocess.run(["sh", "-c", link], cwd=build, check=True)
    return kernel


def boot(build, name, how, directory):
    """-> what the case complains about."""
    kernel = kernel_without(build, how, directory)
    one = run_case.Case(CASE, build, os.path.join(directory, "case"))
    one.limit = SECONDS
    one.built = {**one.built, "unikernel": kernel}
    library = os.path.join(directory, "library")
    os.makedirs(library)
    for of, to in (("caisson.elf", one.built["loader"]), ("unikernel.elf", kernel), ("unikernel-net.elf", one.built["unikernel-net"])):
        os.symlink(to, os.path.join(library, of))
    one.environment["CAISSON_LIB"] = library
    text = one.case["manifest"]["text"]
    kept = re.search(rf"^  {name}: .*\n", text, re.M).group(0)
    one.case["manifest"]["text"] = text[:text.index("partitions:\n")].replace("cpus: 11", "cpus: 1") + "partitions:\n" + kept
    expect = one.case["expect"]
    one.case["expect"] = {"no_audit": expect["no_audit"], "partitions": {name: expect["partitions"][name]}}
    try:
        return one.run("qemu-svm")[0]
    except subprocess.TimeoutExpired:
        return [f"no end within {SECONDS} s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    with open(os.path.join(HERE, "limits.toml"), "rb") as file:
        limits = {name: how for name, how in tomllib.load(file).items() if not options.only or name in options.only}
    unnoticed = []
    for name, how in limits.items():
        directory = os.path.join(build, "qemu-tests/work", f"without-{name}")
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        complaints = boot(build, name, how, directory)
        print(f"{name}: {'; '.join(complaints)[:300] if complaints else 'NOT NOTICED'}", flush=True)
        if complaints:
            shutil.rmtree(directory)
        else:
            unnoticed.append(name)
    if unnoticed or not limits:
        sys.exit(f"passed without its limit: {', '.join(unnoticed) or 'nothing ran'}")


if __name__ == "__main__":
    main()
