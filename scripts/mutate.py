#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutations of hypervisor/core: do the tests see a change of one operator or constant?

usage: mutate.py BUILD-DIR [--modules bytes,paging,plan,bundle] [--sample N] [--seed S] [--jobs N] [--floor PERCENT] [--survivors]

Changes one operator or constant of one line at a time, in copies of the module (never in the tree), compiles what that touches,
and runs the module's test program. A mutant that the tests fail on, that hangs them or that a static_assert refuses is killed;
one that does not compile otherwise is not counted. BUILD-DIR is a build folder: the hosted libraries that are not mutated come
from there. --sample takes that many mutants of all, chosen by the seed. Status 1 when fewer than the floor are killed.
"""
import argparse
import os
import pathlib
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
# The tests of each module, and the hosted libraries its test program needs beside the module's own objects.
MODULES = {
    "bytes": (["hypervisor/core/bytes/bytes_test.cpp"], []),
    "paging": (["hypervisor/core/paging/table_builder_test.cpp", "hypervisor/core/paging/live_table_test.cpp"], []),
    "plan": ([*(f"hypervisor/core/plan/{name}_test.cpp" for name in ("plan", "bind", "bind_cpus", "check")), "image-tools/plan/layout_test.cpp"],
             ["image-tools/plan/libtool_plan.a", "image-tools/elf/libtool_elf.a", "hypervisor/core/memory/libcore_memory.a",
              "hypervisor/core/bytes/libcore_bytes.a"]),
    "bundle": (["hypervisor/core/bundle/bundle_test.cpp"],
               ["hypervisor/core/crypto/libcore_crypto.a", "third_party/libsodium.a", "hypervisor/core/bytes/libcore_bytes.a", "-lcrypto"]),
}
# What every test program includes, compiled once a worker.
PRECOMPILED = ["gtest/gtest.h", "array", "functional", "memory", "optional", "span", "string", "vector"]
# A test that runs this much longer than on the unchanged module hangs: a factor, and seconds for a busy machine.
PATIENCE, GRACE = 4, 5
# A compiler that evaluates a mutant's endless constant, a test that allocates without end.
COMPILE_SECONDS, MEMORY = 120, 4 << 30
# Binary operators stand between spaces (clang-format), so templates' brackets are left alone.
SWAPS = [(" == ", " != "), (" != ", " == "), (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "),
         (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " + "), (" % ", " / "), (" & ", " | "),
         (" | ", " & "), (" << ", " >> "), (" >> ", " << "), (" += ", " -= "), (" -= ", " += "), ("++", "--"), ("--", "++"),
         ("return true;", "return false;"), ("return false;", "return true;"), ("(!", "("), (" !", " ")]
NUMBER = re.compile(r"(?<![\w.\"'])(\d+)(?![\w.\"'])")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
LEFT_ALONE = re.compile(r"^\s*(//|#|static_assert|namespace|using|template|Text\{|return \"|case |enum|\})|operator|__FILE|std::array<")


def mutants_of(path):
    """(line number, mutated line) of every mutant of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    declaration = asserted = False
    for number, line in enumerate(lines):
        code = line.split(" // ")[0]
        was_asserted = asserted
        asserted = (asserted or code.lstrip().startswith("static_assert")) and not code.endswith(";")
        if re.match(r"^(enum|struct)\b.*\{$", line):
            declaration = True
        if re.match(r"^\};", line):
            declaration = False
        if declaration or was_asserted or LEFT_ALONE.search(line):
            continue
        rest = line[len(code):]
        texts = [match.span() for match in STRING.finditer(code)]
        changes = [(match.span(), new) for old, new in SWAPS for match in re.finditer(re.escape(old), code)]
        if not ("[[" in code and "nodiscard" in code and "=" not in code):
            changes += [(match.span(), str(int(match.group()) + 1)) for match in NUMBER.finditer(code)]
        for (start, end), new in changes:
            if not any(start < last and first < end for first, last in texts):
                yield number, code[:start] + new + code[end:] + rest


def is_mutated(path):
    return not re.search(r"_(test|fuzz|proof)$", path.stem)


class Command:
    """A finished command; one that takes too long is ended together with what it started."""

    def __init__(self, arguments, seconds, folder=None):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with subprocess.Popen([str(argument) for argument in arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True, preexec_fn=limit) as process:
            try:
                self.errors = process.communicate(timeout=seconds)[1]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                self.errors = process.communicate()[1]
        self.good = process.returncode == 0


class Program:
    """A module's test program in a folder of its own. Unchanged objects are kept; a mutant's are made beside them."""

    def __init__(self, module, build, folder):
        self.module, self.folder = module, folder
        self.tests, libraries = MODULES[module]
        self.tree = folder / "tree"
        where = self.tree / "hypervisor/core" / module
        shutil.copytree(SOURCE / "hypervisor/core" / module, where, ignore=shutil.ignore_patterns("corpus"))
        self.sources = [f"hypervisor/core/{module}/{path.name}" for path in sorted(where.glob("*.cpp")) if is_mutated(path)]
        self.libraries = [*(item if item.startswith("-") else build / item for item in [*libraries, "hypervisor/base/libbase.a"]),
                          "-lgtest", "-lgtest_main", "-lpthread"]
        self.flags = ["-std=c++20", "-O0", "-w", "-D_GLIBCXX_ASSERTIONS", f"-I{self.tree}", f"-I{SOURCE}", f"-I{build}/generated",
                      "-isystem", build / "third_party/sodium/src/libsodium/include"]
        self.linker = next((f"-fuse-ld={name}" for name in ("lld", "gold") if shutil.which(f"ld.{name}")), "-fuse-ld=bfd")
        prefix = folder / "precompiled.hpp"
        prefix.write_text("".join(f"#include <{name}>\n" for name in PRECOMPILED), encoding="utf-8")
        Command(["c++", *self.flags, "-x", "c++-header", prefix, "-o", f"{prefix}.gch"], COMPILE_SECONDS)
        self.reads = {}
        for source in [*self.sources, *self.tests]:
            made = self.compile(source, "o", ["-MMD", "-MF", folder / "reads"])
            if not made.good:
                sys.exit(f"{source} does not compile unchanged:\n{made.errors}")
            self.reads[source] = (folder / "reads").read_text(encoding="utf-8").split()
        if not self.link([]).good:
            sys.exit(f"the tests of {module} do not link: build the hosted libraries first")
        start = time.monotonic()
        if not self.test(300).good:
            sys.exit(f"the tests of {module} fail unchanged")
        self.seconds = PATIENCE * (time.monotonic() - start) + GRACE

    def object(self, source, suffix):
        return self.folder / f"{source.replace('/', '_')}.{suffix}"

    def compile(self, source, suffix, more=()):
        prefix = ["-include", self.folder / "precompiled.hpp"] if source in self.tests else []
        path = self.tree / source if (self.tree / source).exists() else SOURCE / source
        return Command(["c++", *self.flags, *prefix, *more, "-c", path, "-o", self.object(source, suffix)], COMPILE_SECONDS)

    def link(self, touched):
        objects = [self.object(source, "mutant" if source in touched else "o") for source in [*self.sources, *self.tests]]
        return Command(["c++", self.linker, "-o", self.folder / "test", *objects, *self.libraries], COMPILE_SECONDS)

    def test(self, seconds):
        return Command([self.folder / "test", "--gtest_fail_fast", "--gtest_brief=1"], seconds,
                       SOURCE / "hypervisor/core" / self.module)

    def run(self, name, number, line):
        path = self.tree / name
        text = path.read_text(encoding="utf-8")
        lines = text.split("\n")
        lines[number] = line
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            touched = [source for source, reads in self.reads.items() if str(path) in reads]
            for source in touched:
                made = self.compile(source, "mutant")
                if not made.good:
                    return "killed" if re.search(r"static[ _]assert(ion)? failed", made.errors) else "invalid"
            if not self.link(touched).good:
                return "invalid"
            return "survived" if self.test(self.seconds).good else "killed"
        finally:
            path.write_text(text, encoding="utf-8")


class Run:
    """Workers that take mutants from one queue, each in a folder of its own."""

    def __init__(self, build, mutants, folder):
        self.build, self.folder = build, folder
        self.waiting = queue.SimpleQueue()
        for mutant in mutants:
            self.waiting.put(mutant)
        self.total, self.outcomes, self.lock, self.failure = len(mutants), {}, threading.Lock(), None
        self.start = self.told = time.monotonic()

    def work(self, worker):
        program = None
        try:
            while self.failure is None:
                mutant = self.waiting.get_nowait()
                module, *change = mutant
                if program is None or program.module != module:
                    where = self.folder / f"{module}-{worker}"
                    where.mkdir()
                    program = Program(module, self.build, where)
                self.note(mutant, program.run(*change))
        except queue.Empty:
            pass
        except (Exception, SystemExit) as failure:  # pylint: disable=broad-except
            self.failure = failure

    def note(self, mutant, outcome):
        with self.lock:
            self.outcomes[mutant] = outcome
            now = time.monotonic()
            if now - self.told >= 30:
                self.told = now
                print(f"  {now - self.start:5.0f} s: {len(self.outcomes)} of {self.total} mutants, in {mutant[0]}", flush=True)

    def all(self, jobs):
        workers = [threading.Thread(target=self.work, args=(worker,)) for worker in range(jobs)]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except BaseException as failure:  # interrupted: each worker ends its mutant, then the folders go
            self.failure = failure
            for worker in workers:
                worker.join()
        if self.failure is not None:
            raise self.failure
        return self.outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--modules", default=",".join(MODULES))
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--floor", type=float, default=80.0)
    parser.add_argument("--survivors", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    modules = options.modules.split(",")
    mutants = [(module, str(path.relative_to(SOURCE)), number, line) for module in modules
               for path in sorted((SOURCE / "hypervisor/core" / module).glob("*.[ch]pp")) if is_mutated(path)
               for number, line in mutants_of(path)]
    print(f"{len(mutants)} mutants of {options.modules}", flush=True)
    if 0 < options.sample < len(mutants):
        chosen = sorted(random.Random(options.seed).sample(range(len(mutants)), options.sample))
        mutants = [mutants[place] for place in chosen]
        print(f"a sample of {len(mutants)} by seed {options.seed}", flush=True)
    build = options.build.resolve()
    libraries = {item for module in modules for item in [*MODULES[module][1], "hypervisor/base/libbase.a"] if not item.startswith("-")}
    made = subprocess.run(["ninja", "-C", build, *sorted(libraries)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        sys.exit(f"does not build:\n{made.stdout[-4000:]}")
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        outcomes = Run(build, mutants, pathlib.Path(folder)).all(options.jobs)
    killed = counted = 0
    for module in modules:
        of_module = {mutant: outcome for mutant, outcome in outcomes.items() if mutant[0] == module}
        dead, alive = (sum(outcome == wanted for outcome in of_module.values()) for wanted in ("killed", "survived"))
        killed, counted = killed + dead, counted + dead + alive
        print(f"{module}: {dead} of {dead + alive} mutants killed ({100 * dead / max(dead + alive, 1):.1f} %), "
              f"{len(of_module) - dead - alive} do not compile")
        for (_, name, number, line), outcome in sorted(of_module.items()) if options.survivors else ():
            if outcome == "survived":
                print(f"    {name}:{number + 1}: {line.strip()}")
    share = 100 * killed / max(counted, 1)
    print(f"mutants of hypervisor/core: {killed} of {counted} killed, {share:.1f} % (at least {options.floor:.1f} % are asked for)")
    return 0 if share >= options.floor else 1


if __name__ == "__main__":
    sys.exit(main())
