#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutations of hypervisor/core: do the tests see a change of one operator or constant?

usage: mutate.py BUILD-DIR [--modules bytes,paging,plan,bundle] [--sample N] [--seed S] [--floor PERCENT] [--survivors]

Changes one operator or constant of one line at a time in a copy of the module, compiles what that touches, and runs the module's
test program. A mutant that does not compile is not counted; one that the tests fail on, or that hangs them, is killed.
BUILD-DIR is a finished build: everything but the module is taken from its hosted libraries. --sample takes that many mutants of
all, chosen by the seed. Status 1 when fewer than the floor are killed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
# The tests of each module, and the hosted libraries its test program needs beside the module's own objects.
MODULES = {
    "bytes": (["hypervisor/core/bytes/bytes_test.cpp"], []),
    "paging": (["hypervisor/core/paging/table_builder_test.cpp"], []),
    "plan": (["hypervisor/core/plan/plan_test.cpp", "hypervisor/core/plan/bind_test.cpp", "image-tools/plan/layout_test.cpp"],
             ["image-tools/plan/libtool_plan.a", "image-tools/kernel/libtool_kernel.a", "hypervisor/core/memory/libcore_memory.a",
              "hypervisor/core/bytes/libcore_bytes.a"]),
    "bundle": (["hypervisor/core/bundle/bundle_test.cpp"],
               ["hypervisor/core/crypto/libcore_crypto.a", "third_party/libsodium.a", "hypervisor/core/bytes/libcore_bytes.a", "-lcrypto"]),
}
# Binary operators stand between spaces (clang-format), so templates' brackets are left alone.
SWAPS = [(" == ", " != "), (" != ", " == "), (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "),
         (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " + "), (" % ", " / "), (" & ", " | "),
         (" | ", " & "), (" << ", " >> "), (" >> ", " << "), (" += ", " -= "), (" -= ", " += "), ("++", "--"), ("--", "++"),
         ("return true;", "return false;"), ("return false;", "return true;"), ("(!", "("), (" !", " ")]
NUMBER = re.compile(r"(?<![\w.\"'])(\d+)(?![\w.\"'])")
LEFT_ALONE = re.compile(r"^\s*(//|#|static_assert|namespace|using|template|Text\{|return \"|case |enum|\})|operator|__FILE|std::array<")


def mutants_of(path):
    """(line number, mutated line) of every mutant of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    declaration = False
    for number, line in enumerate(lines):
        code = line.split(" // ")[0]
        if re.match(r"^(enum|struct)\b.*\{$", line):
            declaration = True
        if re.match(r"^\};", line):
            declaration = False
        if declaration or LEFT_ALONE.search(line):
            continue
        rest = line[len(code):]
        for old, new in SWAPS:
            for match in re.finditer(re.escape(old), code):
                yield number, code[:match.start()] + new + code[match.end():] + rest
        for match in NUMBER.finditer(code):
            if "[[" in code and "nodiscard" in code and "=" not in code:
                continue
            yield number, code[:match.start()] + str(int(match.group()) + 1) + code[match.end():] + rest


class Program:
    """A module's test program in a folder of its own, rebuilt for each mutant."""

    def __init__(self, module, build, folder):
        self.module, self.folder = module, pathlib.Path(folder)
        self.tests, self.libraries = MODULES[module]
        self.build = build
        self.tree = self.folder / "tree"
        where = self.tree / "hypervisor/core" / module
        shutil.copytree(SOURCE / "hypervisor/core" / module, where, ignore=shutil.ignore_patterns("corpus"))
        self.sources = [f"hypervisor/core/{module}/{path.name}" for path in sorted(where.glob("*.cpp"))
                        if not re.search(r"_(test|fuzz|proof)$", path.stem)]
        self.flags = ["-std=c++20", "-O1", "-w", "-D_GLIBCXX_ASSERTIONS", f"-I{self.tree}", f"-I{SOURCE}", f"-I{build}/generated"]
        self.reads = {}
        for source in [*self.sources, *self.tests]:
            if self.compile(source) is None:
                sys.exit(f"{source} does not compile unchanged")
        if self.outcome() != "survived":
            sys.exit(f"the tests of {module} fail unchanged")

    def object(self, source):
        return self.folder / (source.replace("/", "_") + ".o")

    def compile(self, source):
        """The object, or nothing. Notes which files of the module it was made from."""
        path = self.tree / source if (self.tree / source).exists() else SOURCE / source
        out = self.object(source)
        done = subprocess.run(["c++", *self.flags, "-MMD", "-MF", f"{out}.d", "-c", path, "-o", out], capture_output=True, check=False)
        if done.returncode != 0:
            return None
        self.reads[source] = pathlib.Path(f"{out}.d").read_text(encoding="utf-8")
        return out

    def outcome(self):
        program = self.folder / "test"
        libraries = [item if item.startswith("-") else str(self.build / item) for item in self.libraries]
        done = subprocess.run(["c++", "-o", program, *map(self.object, [*self.sources, *self.tests]), *libraries,
                               str(self.build / "hypervisor/base/libbase.a"), "-lgtest", "-lgtest_main", "-lpthread"],
                              capture_output=True, check=False)
        if done.returncode != 0:
            return "invalid"
        try:
            done = subprocess.run([program, "--gtest_fail_fast"], cwd=SOURCE / "hypervisor/core" / self.module, capture_output=True,
                                  timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "killed"
        return "survived" if done.returncode == 0 else "killed"

    def run(self, mutant):
        name, number, line = mutant
        path = self.tree / name
        text = path.read_text(encoding="utf-8")
        lines = text.split("\n")
        lines[number] = line
        path.write_text("\n".join(lines), encoding="utf-8")
        touched = [source for source, reads in self.reads.items() if str(path) in reads]
        try:
            if any(self.compile(source) is None for source in touched):
                return "invalid"
            return self.outcome()
        finally:
            path.write_text(text, encoding="utf-8")
            for source in touched:
                self.compile(source)


def mutate(module, build, chosen):
    with tempfile.TemporaryDirectory(prefix=f"mutate-{module}-") as folder:
        program = Program(module, build, folder)
        return [(mutant, program.run(mutant)) for mutant in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--modules", default=",".join(MODULES))
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--floor", type=float, default=80.0)
    parser.add_argument("--survivors", action="store_true")
    options = parser.parse_args()
    everything = []
    for module in options.modules.split(","):
        for path in sorted((SOURCE / "hypervisor/core" / module).glob("*.[ch]pp")):
            if not re.search(r"_(test|fuzz|proof)$", path.stem):
                everything += [(module, (str(path.relative_to(SOURCE)), number, line)) for number, line in mutants_of(path)]
    if options.sample and options.sample < len(everything):
        everything = random.Random(options.seed).sample(everything, options.sample)
    killed = counted = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = {module: pool.submit(mutate, module, options.build.resolve(), [mutant for owner, mutant in everything if owner == module])
                for module in options.modules.split(",")}
        for module, future in runs.items():
            results = future.result()
            dead, alive = (sum(outcome == wanted for _, outcome in results) for wanted in ("killed", "survived"))
            killed, counted = killed + dead, counted + dead + alive
            print(f"{module}: {dead} of {dead + alive} mutants killed, {len(results) - dead - alive} do not compile")
            for (name, number, line), outcome in results if options.survivors else ():
                if outcome == "survived":
                    print(f"    {name}:{number + 1}: {line.strip()}")
    share = 100 * killed / max(counted, 1)
    print(f"mutants of hypervisor/core: {killed} of {counted} killed, {share:.1f} % (at least {options.floor:.1f} % are asked for)")
    return 0 if share >= options.floor else 1


if __name__ == "__main__":
    sys.exit(main())
