#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the boot cases on every platform, the same loader and bundle on each, and prints one table. Status: 0 all passed."""
import argparse
import concurrent.futures
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib

import batch as batches
import bochs
import case as cases
import check
import frames
import images
import machine
import run_case
import weak

EXCLUSIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../platforms.toml")
# Bochs executes so much slower than QEMU that a case's limit is not enough there.
BOCHS_FACTOR, BOCHS_EXTRA = 2, 60
IN_TURN, LONG = {"chroot", "trust"}, 300 # labels; seconds of a limit


def boots_an_appliance(case):
    return "command" not in case and not case.get("boot", {}).keys() & {"elf", "direct"}


def load_cases(folder):
    """{name: case} of every case that boots an appliance: not those that run the tool or a kernel alone."""
    found = {os.path.splitext(os.path.basename(path))[0]: cases.load(path) for path in sorted(glob.glob(folder + "/*.toml"))}
    return {name: case for name, case in found.items() if boots_an_appliance(case)}


def load_exclusions(path, known):
    """-> ({(case, platform): reason}, complaints): every platform that a case leaves out has its reason, and none else."""
    with open(path, "rb") as file:
        entries = tomllib.load(file).get("exclude", [])
    given = {(entry["case"], platform): entry["reason"] for entry in entries for platform in entry["platforms"]}
    excluded, complaints = {}, []
    for name, case in known.items():
        why = batches.only_qemu(case)
        for platform in set(cases.PLATFORMS) - set(batches.runs_on(case)):
            excluded[(name, platform)] = why or given.get((name, platform), "")
            if not excluded[(name, platform)]:
                complaints.append(f"{name} leaves out {platform} without a reason in platforms.toml")
    complaints += [f"platforms.toml excludes {name} on {platform}, the case does not" for name, platform in given
                   if (name, platform) not in excluded]
    return excluded, complaints


def in_turn(known):
    """{case: the models of Bochs that it is left out on} of cases that do not depend on the vendor: programs in a unikernel of one CPU, and
    what the loader does with bundles. They take the models in turn; those that take long run on neither."""
    free = [name for name, case in known.items() if IN_TURN & set(case.get("labels", [])) and set(bochs.MODELS) <= set(batches.runs_on(case))
            and not re.search(r"\bcpus: *([2-9]|\d\d)", case["manifest"]["text"].split("partitions:", 1)[1])]
    models = list(bochs.MODELS)
    return {name: set(models) if known[name].get("time_limit", 0) > LONG else {models[place % len(models)]} for place, name in enumerate(free)}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


class Runner:
    def __init__(self, options, known):
        self.options, self.known = options, known
        self.results = {}   # (case, platform) -> (verdict, detail)
        self.boots = []     # (platform, members, loader, bundle, seconds)

    def case(self, name):
        path = os.path.join(self.options.cases, name + ".toml")
        return run_case.Case(path, self.options.build, os.path.join(self.options.work, name), os.path.join(self.options.work, "home"))

    def build(self, batch, members):
        """-> (boot, kernel, module)"""
        for one in members.values():
            one.make_images()
            one.make_keys()
        if batch.alone:
            return next(iter(members.values())).build_appliance()[:3]
        merged = batches.Batch(batch.platforms)
        for name, one in members.items():
            merged.add(name, one.case, cases.substitute(one.case["manifest"]["text"], one.variables))
        kernel, module = next(iter(members.values())).build_bundle("batch", merged.manifest())
        memory = 2 * batches.memory_of(merged.blocks) + 256
        return {"cpus": batches.cpus_of(merged.blocks), "memory": f"{memory}M"}, kernel, module

    def run_batch(self, batch, platforms):
        members = {name: self.case(name) for name in batch.members}
        try:
            boot, kernel, module = self.build(batch, members)
        except (cases.CaseError, weak.WeaknessError, images.ImageError, machine.MachineError, subprocess.TimeoutExpired, OSError) as error:
            self.results.update({(name, p): ("failed", str(error)) for name in members for p in platforms})
            return
        if self.options.threads:
            boot = {**boot, "threads": True, "icount": False}
        hashes = sha256(kernel), sha256(module)
        for platform in platforms:
            directory = os.path.join(self.options.work, members[batch.members[0]].name, platform)
            os.makedirs(directory, exist_ok=True)
            limit = batch.time_limit * BOCHS_FACTOR + BOCHS_EXTRA if platform in bochs.MODELS else batch.time_limit
            started = time.monotonic()
            try:
                run = run_case.boot_on(platform, boot, kernel, module, limit, directory)
            except machine.MachineError as error:
                self.results.update({(name, platform): ("failed", str(error)) for name in members})
                continue
            self.boots.append((platform, batch.members, *hashes, time.monotonic() - started))
            for name, one in members.items():
                if self.results.get((name, platform), ("passed",))[0] == "passed":
                    self.judge(batch, name, one, platform, run)
            if all(self.results[(name, platform)][0] == "passed" for name in members):
                shutil.rmtree(directory, ignore_errors=True)

    def judge(self, batch, name, one, platform, run):
        whole = frames.Line(run.serial)
        line = batches.view(whole, batch.names[name])
        expect = cases.substitute(one.case["expect"], one.variables)
        partitions = list(batch.names[name].values())
        complaints = check.check_machine(line, partitions, expect, one.chroot) + check.check_run(run, expect)
        if not complaints:
            self.results[(name, platform)] = ("passed", "")
            return
        self.results[(name, platform)] = ("failed", complaints[0])
        text = [f"== {name} on {platform} (booted with {', '.join(batch.members)})"]
        for console, said in run_case.consoles_of(line, run).items():
            if "(another case's)" not in console:
                text += [f"--- {console} (last 30 lines)", *said.replace("\x1b", "\\e").split("\n")[-31:]]
        print("\n".join(text + [f"FAILED: {complaint}" for complaint in complaints]), flush=True)

    def run(self, packed):
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            for job in [pool.submit(self.run_batch, *one) for one in packed]:
                job.result()


def table(known, results, excluded, skipped, platforms, own=(), turns=None):
    """Lines of the table, then every exclusion with its reason. `own`: cases that were left to the tests boot.NAME; `turns`: {case: the
    platforms that were left to others}."""
    turns = turns or {}
    marks = {"passed": "passed", "failed": "FAILED", "excluded": "excluded", "skipped": "skipped", "own": "own test", "turn": "in turn"}
    width = max(len(name) for name in known)
    lines = ["case".ljust(width) + "".join(f"  {p:<10}" for p in platforms)]
    for name in known:
        cells = []
        for platform in platforms:
            verdict = ("excluded" if (name, platform) in excluded else "skipped" if name in skipped else "own" if name in own
                       else "turn" if platform in turns.get(name, ()) else results[(name, platform)][0])
            cells.append(f"  {marks[verdict]:<10}")
        lines.append((name.ljust(width) + "".join(cells)).rstrip())
    for platform in platforms:
        count = {verdict: sum(1 for (_, p), (v, _) in results.items() if p == platform and v == verdict) for verdict in ("passed", "failed")}
        out = sum(1 for name, p in excluded if p == platform and name in known)
        others = sum(1 for name, left in turns.items() if platform in left and name in known and name not in skipped)
        lines.append(f"{platform}: {count['passed']} passed, {count['failed']} failed, {out} excluded, "
                     f"{sum(1 for name in skipped if (name, platform) not in excluded)} skipped, "
                     f"{sum(1 for name in own if (name, platform) not in excluded)} left to tests of their own (boot.CASE)"
                     + (f", {others} left to the other model (nightly: on both)" if others else ""))
    for name in known:
        left_out = {}
        for platform in platforms:
            if (name, platform) in excluded:
                left_out.setdefault(excluded[(name, platform)], []).append(platform)
        lines += [f"excluded: {name} on {', '.join(where)}: {why}" for why, where in left_out.items()]
    lines += [f"skipped: {name}: {why}" for name, why in skipped.items()]
    lines += [f"FAILED: {name} on {platform}: {' '.join(why.split())[-400:]}" for (name, platform), (verdict, why) in results.items()
              if verdict == "failed"]
    return lines


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="the build directory")
    parser.add_argument("--cases", default=None, help="folder of case files (default: the source tree's)")
    parser.add_argument("--platform", action="append", choices=cases.PLATFORMS, help="only this one (repeatable)")
    parser.add_argument("--only", action="append", metavar="CASE", help="only this case (repeatable)")
    parser.add_argument("--nightly", action="store_true", help="also the cases labelled nightly")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", help="where files go (default: qemu-tests/platforms in the build directory)")
    parser.add_argument("--shared", action="store_true", help="not the cases of one platform alone: their tests boot.CASE tell the same; and on one model of Bochs, in turn, "
                        "those that do not depend on the vendor")
    parser.add_argument("--threads", action="store_true", help="QEMU with a thread for each CPU and without icount, to let races show")
    parser.add_argument("--repeat", type=int, default=1, help="run everything so often; one failure is a failure")
    parser.add_argument("--table", help="write the table to this file too")
    options = parser.parse_args(arguments)
    options.cases = options.cases or os.path.join(os.path.dirname(EXCLUSIONS), "cases")
    options.build = os.path.abspath(options.build)
    options.work = os.path.abspath(options.work or os.path.join(options.build, "qemu-tests/platforms"))
    platforms = ["qemu-svm"] if options.threads else options.platform or cases.PLATFORMS
    shutil.rmtree(options.work, ignore_errors=True)
    known = load_cases(options.cases)
    excluded, complaints = load_exclusions(os.path.join(options.cases, "../platforms.toml"), known)
    known = {name: case for name, case in known.items() if (not options.only or name in options.only)
             and (options.nightly or "nightly" not in case.get("labels", []))}
    if not known:
        raise cases.CaseError("no case selected")
    reason = bochs.missing() if set(platforms) & set(bochs.MODELS) else None
    if reason:
        print(f"skipped: {reason}")
        return run_case.SKIPPED
    runner = Runner(options, known)
    skipped = {name: why for name in known if (why := runner.case(name).missing("qemu-svm"))}
    if options.threads: # without icount
        skipped |= {name: "its firmware's devices go by virtual time" for name, case in known.items() if "stage" in case.get("boot", {})}
    own = [name for name, case in known.items() if options.shared and name not in skipped and len(batches.runs_on(case)) == 1]
    turns = in_turn(known) if options.shared else {}
    selected = {name: (case, tuple(p for p in batches.runs_on(case) if p not in turns.get(name, ()))) for name, case in known.items() if name not in skipped and name not in own}
    packed = [(batch, wanted) for batch in batches.pack(selected) if (wanted := [p for p in batch.platforms if p in platforms])]
    for _ in range(options.repeat):
        runner.run(packed)
    print("boots (platform, seconds, loader, bundle, cases):")
    for platform, members, loader, bundle, seconds in sorted(runner.boots):
        print(f"  {platform:<10} {seconds:6.1f}  {loader}  {bundle}  {' '.join(members)}")
    lines = table(known, runner.results, excluded, skipped, platforms, own, turns) + [f"FAILED: {complaint}" for complaint in complaints]
    print("\n".join(lines))
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    failed = complaints or any(verdict == "failed" for verdict, _ in runner.results.values())
    return run_case.FAILED if failed or not runner.results else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except cases.CaseError as error:
        print(f"FAILED: {error}")
        sys.exit(run_case.FAILED)
