#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The calls of `caisson bench` on Debian's cloud kernel, booted on the same emulated machine with calls.c as its first process.

usage: linux_figures.py BUILD-DIR [KERNEL] > linux.json      for scripts/write_benchmarks.py
       linux_figures.py --check BUILD-DIR [KERNEL]           measures both and holds them against each other
KERNEL: a vmlinuz; left out, the one that `./caisson selftest --nightly` unpacked into the cache. Status 77 where there is none.

QEMU counts each byte of REP MOVSB and STOSB as an instruction; Linux, told by CPUID that they are fast, copies with them. So both run with
-cpu max,-erms,-fsrm. A second column has mitigations=off: what Linux does against faults of processors that the emulator does not have.
"""
import glob
import json
import math
import os
import re
import subprocess
import sys
import tempfile

CPU = "max,-erms,-fsrm"
LIMIT = 0.45          # geometric mean of the unikernel's figures over Linux's
GETPPID = 240
TIME_LIMIT = 1200     # wall seconds of one boot: a hang only
# Calls that cost more here than on Linux: none. One that does for a time stands here, and goes when it no longer does (checked both ways).
ABOVE = set()


def find_kernel(arguments):
    if arguments:
        return arguments[0]
    cache = os.environ.get("CAISSON_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
    found = sorted(glob.glob(os.path.join(cache, "peers/boot/vmlinuz-*-cloud-amd64")))
    return found[-1] if found else None


def newc(entries):
    """A cpio archive of (name, mode, device numbers, data)."""
    out = bytearray()
    for number, (name, mode, device, data) in enumerate(entries + [("TRAILER!!!", 0, (0, 0), b"")], 1):
        path = os.fsencode(name)
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path) + 1, 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + path + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def initramfs(program, files):
    with open(program, "rb") as file:
        code = file.read()
    entries = [("dev", 0o40755, (0, 0), b""), ("dev/console", 0o20600, (5, 1), b""), ("dev/null", 0o20666, (1, 3), b""), ("tmp", 0o41777, (0, 0), b"")]
    made = {"dev", "tmp"}
    for path, data in files.items():
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in made:
                entries.append((folder, 0o40755, (0, 0), b""))
                made.add(folder)
        entries.append(("/".join(parts), 0o100644, (0, 0), data))
    return newc(entries + [("init", 0o100755, (0, 0), code)])


def calls_of(text):
    return {name: int(value) for name, value in re.findall(r"@@ CALL (\w+) (\d+)", text)}


def boot_linux(qemu, kernel, archive, more):
    """-> {call: instructions}. The first process's end is the kernel's panic, which ends QEMU."""
    command = [qemu, "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm,base=2026-01-01", "-M", "q35", "-cpu", CPU,
               "-smp", "1", "-m", "512M", "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot", "-nic", "none",
               "-kernel", kernel, "-initrd", archive, "-append", f"console=ttyS0 quiet panic=-1 transparent_hugepage=never {more}"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False)
    calls = calls_of(run.stdout.decode("utf-8", "replace"))
    if "execve" not in calls:
        sys.exit(f"Linux did not come to the end of calls.c; it said ...{run.stdout[-1500:].decode('utf-8', 'replace')}\n{run.stderr[-500:].decode()}")
    return calls


def measure_linux(build, kernel):
    qemu = os.environ.get("CAISSON_QEMU") or "qemu-system-x86_64"
    with tempfile.TemporaryDirectory() as directory:
        archive = os.path.join(directory, "initramfs")
        with open(archive, "wb") as file:
            file.write(initramfs(os.path.join(build, "qemu-tests/bench/calls"),
                                 {"/bigfile": bytes(range(256)) * (4 << 12), "/etc/data": b"d" * 10_000, "/a/b/c/d/e/file": b"f"}))
        return {"schema": "caisson.linux/1", "kernel": re.sub(r".*vmlinuz-", "", kernel), "default": boot_linux(qemu, kernel, archive, ""),
                "mitigations_off": boot_linux(qemu, kernel, archive, "mitigations=off")}


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def compare(ours, linux, above):
    """-> complaints about our figures beside Linux's, both {call: instructions}."""
    complaints = []
    for name in sorted(set(ours) ^ set(linux)):
        complaints.append(f"{name} was measured on one side only")
    both = sorted(set(ours) & set(linux))
    for name in both:
        slower = ours[name] > linux[name]
        print(f"{name:<28} {ours[name]:>9,} {linux[name]:>9,}  {ours[name] / linux[name]:.2f}{'  above' if slower else ''}")
        if slower and name not in above:
            complaints.append(f"{name} costs {ours[name]}, on Linux {linux[name]}")
        if not slower and name in above:
            complaints.append(f"{name} is not above Linux any more: take it off the list in linux_figures.py")
    mean = geometric_mean([ours[name] / linux[name] for name in both]) if both else 1
    print(f"geometric mean {mean:.3f} of at most {LIMIT}")
    if mean > LIMIT:
        complaints.append(f"the geometric mean is {mean:.3f}, its limit {LIMIT}")
    if ours.get("getppid", GETPPID + 1) > GETPPID:
        complaints.append(f"getppid is {ours.get('getppid')}, its limit {GETPPID}")
    return complaints


def main():
    arguments = sys.argv[1:]
    checking = arguments[:1] == ["--check"]
    if checking:
        del arguments[0]
    build, kernel = arguments[0], find_kernel(arguments[1:])
    if kernel is None:
        print("skipped: Debian's cloud kernel is not in the cache (./caisson selftest --nightly unpacks it)")
        sys.exit(77)
    linux = measure_linux(build, kernel)
    if not checking:
        json.dump(linux, sys.stdout, indent=1)
        return
    with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
        tool = json.load(file)["tool"]
    said = subprocess.run([tool, "bench", "--format", "json"], stdout=subprocess.PIPE, check=True).stdout
    ours = {item["name"].removeprefix("call_"): item["value"] for item in json.loads(said)["items"] if item["name"].startswith("call_")}
    sys.exit("\n".join(compare(ours, linux["default"], ABOVE)) or 0)


if __name__ == "__main__":
    main()
