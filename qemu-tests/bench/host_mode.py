#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the hypervisor's code on a partition's CPU while the partition computes, without asking the hypervisor.

usage: host_mode.py BUILD-DIR [vmx]

QEMU, on SVM: the emulator writes down which translated blocks it enters (`-d exec`, by address range and CPU). A CPU that leaves guest
mode always enters a block of the loader's address range, so none between the first and the last entry of the guest's loop
means: not one host-mode instruction there. The control hypervisor, which intercepts interrupts, must show some.

Bochs, on VT-x (`vmx`): its debugger stops at every VM exit, which is the only way out of guest mode, and says when that was
and what was in the registers. The guest asks for its count of exits before and after its loop, by a hypercall whose number is
in RAX; no stop between the two means the same.
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))
import bochs  # noqa: E402 the harness's
import machine  # noqa: E402
import patience  # noqa: E402

LOOP = re.compile(rb"[\x48-\x4f]\x8d[\x00-\xff]{2,3}[\x48-\x4f]\xff.[\x48-\x4f]\xff.\x75[\xf0-\xfa]", re.DOTALL)
ENTRY = re.compile(r"^Trace (\d+): \S+ \[[0-9a-f]+/([0-9a-f]+)/")
STOP = re.compile(r"Caught VMEXIT breakpoint\s+Next at t=(\d+).*?^rax: ([0-9a-f]{8})_([0-9a-f]{8})", re.DOTALL | re.MULTILINE)
CALL_COUNTER = 6        # partitions/abi/hypercall.h
LOOP_TICKS = 10**9      # the guest's loop: an instruction a tick
MANIFEST = """apiVersion: caisson/v1
name: host-mode
machine: {{board: qemu-q35, cpus: 2, memory: 256MiB}}
partitions:
  steady: {{kernel: "{guest}", cpus: 1, memory: 4MiB}}
"""


def segments(elf):
    """[(file offset, the address at which it runs, file bytes)] of what is loaded."""
    table, size, count = struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54)
    entries = (struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count))
    return [(offset, address, length) for kind, _, offset, address, _, length in entries if kind == 1]


def loop_of(guest):
    """Where the guest's loop lies: (first byte, byte behind it)."""
    with open(guest, "rb") as file:
        elf = file.read()
    found = list(LOOP.finditer(elf))
    if len(found) != 1:
        sys.exit(f"{guest}: the loop is there {len(found)} times")
    for offset, address, length in segments(elf):
        if offset <= found[0].start() < offset + length:
            return address + found[0].start() - offset, address + found[0].end() - offset
    sys.exit(f"{guest}: the loop is in no segment")


def build_bundle(built, guest, loader, work):
    """-> the bundle's path; its loader is host.elf beside it."""
    library = os.path.join(work, "library")
    os.makedirs(library)
    os.symlink(loader, os.path.join(library, "caisson.elf"))
    os.symlink(built["unikernel"], os.path.join(library, "unikernel.elf"))
    os.symlink(built["unikernel-net"], os.path.join(library, "unikernel-net.elf"))
    manifest, bundle = os.path.join(work, "appliance.yaml"), os.path.join(work, "host.bundle")
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(MANIFEST.format(guest=guest))
    subprocess.run([built["tool"], "build", "-q", manifest, "-o", bundle], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "CAISSON_LIB": library, "XDG_CONFIG_HOME": work})
    return bundle


def stops(built, guest, loader, work):
    """-> VM exits between the guest's two questions. The second CPU has no partition: it sends what boot said, for which time would
    interrupt the guest (hypervisor.md, rule 11)."""
    bundle = build_bundle(built, guest, loader, work)
    run = bochs.run("bochs-vmx", {"cpus": 2, "memory": "256M"}, os.path.join(work, "host.elf"), bundle, 300, work,
                    commands="vmexitbp\n" + "c\nr\n" * 10_000)
    if run.timed_out or run.complaints:
        sys.exit("\n".join(run.complaints) or "Bochs ran too long")
    said = bochs.read(os.path.join(work, "bochs.out")).decode("utf-8", "replace")
    found = [(int(m[1]), int(m[2] + m[3], 16)) for m in STOP.finditer(said)]
    questions = [i for i, (_, rax) in enumerate(found) if rax == CALL_COUNTER]
    if len(questions) != 2 or found[questions[1]][0] - found[questions[0]][0] < LOOP_TICKS:
        sys.exit(f"the guest's two questions are not among the {len(found)} exits")
    return questions[1] - questions[0] - 1


def blocks(built, guest, loader, work):
    """-> (entries of the loop, entries of the hypervisor's blocks between the first and the last of them)"""
    bundle = build_bundle(built, guest, loader, work)
    first, end = loop_of(guest)
    with open(loader, "rb") as file:
        host = [address for _, address, _ in segments(file.read())]
    host_end = max(host) + 0x400000
    log = os.path.join(work, "blocks")
    patience.run(
        [machine.find_qemu(), "-M", "q35", "-cpu", "max,+svm", "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
         "-rtc", "clock=vm,base=2026-01-01", "-smp", "2", "-m", "256M", "-display", "none", "-nodefaults", "-no-reboot",
         "-serial", "file:" + os.path.join(work, "serial"), "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
         "-kernel", os.path.join(work, "host.elf"), "-initrd", bundle, "-d", "exec", "-D", log,
         "-dfilter", f"{first:#x}+{end - first:#x},{min(host):#x}+{host_end - min(host):#x}"],
        600)
    with open(log, encoding="utf-8", errors="replace") as file:
        entered = [(int(m[1]), int(m[2], 16)) for m in map(ENTRY.match, file) if m]
    loop = [i for i, (_, address) in enumerate(entered) if first <= address < end]
    if not loop:
        sys.exit("the guest's loop was never entered")
    own = entered[loop[0]][0]
    return len(loop), sum(1 for cpu, address in entered[loop[0]:loop[-1]] if cpu == own and not first <= address < end)


def main():
    build = os.path.abspath(sys.argv[1])
    with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
        built = json.load(file)
    guest = os.path.join(build, "qemu-tests/guests/steady.elf")
    vmx, complaints = sys.argv[2:] == ["vmx"], []
    if vmx and (reason := bochs.missing()):
        print(f"skipped: {reason}")
        sys.exit(77)
    for name, loader, wrong in (("caisson.elf", built["loader"], lambda host: host != 0),
                                ("the control", built["control"], lambda host: host == 0)):
        with tempfile.TemporaryDirectory() as work:
            if vmx:
                host = stops(built, guest, loader, work)
                print(f"{name}: {host} VM exits within the loop")
            else:
                loop, host = blocks(built, guest, loader, work)
                print(f"{name}: the loop was entered {loop} times, the hypervisor's code {host} times in between")
                if loop < 100:
                    complaints.append(f"{name}: too few interrupts came to say anything")
        if wrong(host):
            complaints.append(f"{name}: left guest mode {host} times")
    sys.exit("\n".join(complaints) or 0)


if __name__ == "__main__":
    main()
