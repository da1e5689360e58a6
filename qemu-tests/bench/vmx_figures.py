#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of Intel VT-x, which QEMU does not emulate: exitbench and latency as partitions in Bochs.

usage: vmx_figures.py [--check] BUILD-DIR      prints {"items": [...]}; --check holds them to their limits instead

A tick of Bochs is one instruction of one CPU. Needs bochs and GRUB, else exit 77.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "../harness"), os.path.join(here, "../../scripts")]
import bochs  # noqa: E402
import frames  # noqa: E402
import write_benchmarks  # noqa: E402

MANIFEST = """apiVersion: caisson/v1
name: figures
machine: {{board: qemu-q35, cpus: {cpus}, memory: 128MiB}}
partitions:
{partitions}
"""
FLOOD_ROUNDS = 200_000


def boot(built, work, name, partitions, enough=None):
    """-> the serial line of an appliance with these partitions {name: "{...}"}"""
    manifest, bundle = os.path.join(work, name + ".yaml"), os.path.join(work, name + ".bundle")
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(MANIFEST.format(cpus=len(partitions), partitions="\n".join(f"  {key}: {text}" for key, text in partitions.items())))
    subprocess.run([built["tool"], "build", "-q", manifest, "-o", bundle], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "XDG_CONFIG_HOME": work})
    run = bochs.run("bochs-vmx", {"cpus": len(partitions), "memory": "128M"}, os.path.join(work, name + ".elf"), bundle, 300,
                    os.path.join(work, name), enough)
    return frames.Line(run.serial)


def figure(line, partition, name):
    """The median that the partition says, or None"""
    found = re.search(rf"^@@ EX {name} .*?med=(\d+)", line.output(partition).decode("utf-8", "replace"), re.MULTILINE)
    return int(found[1]) if found else None


def latency(built, build, work, name, other, ends):
    """As `caisson bench` takes it: only where the CPU never left guest mode, and the flood outlasted the measurement."""
    guest = os.path.join(build, "qemu-tests/bench/latency.elf")
    both = {key: f'{{kernel: "{guest}", memory: 4MiB, cmdline: {words}}}' for key, words in (("measure", "measure"), ("other", other))}
    line = boot(built, work, name, both, lambda serial: len(frames.Line(serial).of("x")) >= ends)
    if figure(line, "measure", "latency_exits") != 0 or [end.keys["partition"] for end in line.of("x")] != ["measure", "other"][:ends]:
        return None
    return figure(line, "measure", "latency")


def main():
    build = os.path.abspath(sys.argv[-1])
    reason = bochs.missing()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
        built = json.load(file)
    with tempfile.TemporaryDirectory() as work:
        exits = boot(built, work, "exits", {"exits": f'{{kernel: "{build}/qemu-tests/bench/exitbench.elf", memory: 4MiB}}'})
        values = {"exit_cpuid_vmx": (figure(exits, "exits", "cpuid0"), "instructions"),
                  "exit_hypercall_vmx": (figure(exits, "exits", "vmcall17"), "instructions"),
                  "steady_state_exits_vmx": (figure(exits, "exits", "steady_exits"), "exits")}
        for name, other, ends in (("interrupt_latency_idle_vmx", "rest", 1),
                                  ("interrupt_latency_flood_vmx", f"flood {FLOOD_ROUNDS}", 2)):
            values[name] = latency(built, build, work, name, other, ends), "instructions"
    items = [{"name": name, "value": value, "unit": unit} for name, (value, unit) in values.items() if value is not None]
    if "--check" in sys.argv:
        sys.exit("\n".join(write_benchmarks.check_items(items, list(values))) or 0)
    print(json.dumps({"items": items}))


if __name__ == "__main__":
    main()
