#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of Intel VT-x, which QEMU does not emulate: exitbench as a partition in Bochs.

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
machine: {{board: qemu-q35, cpus: 1, memory: 128MiB}}
partitions:
  exits: {{kernel: "{guest}", memory: 4MiB}}
"""


def main():
    build = os.path.abspath(sys.argv[-1])
    reason = bochs.missing()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
        built = json.load(file)
    with tempfile.TemporaryDirectory() as work:
        manifest, bundle = os.path.join(work, "appliance.yaml"), os.path.join(work, "figures.bundle")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(MANIFEST.format(guest=os.path.join(build, "qemu-tests/bench/exitbench.elf")))
        subprocess.run([built["tool"], "build", "-q", manifest, "-o", bundle], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "XDG_CONFIG_HOME": work})
        run = bochs.run("bochs-vmx", {"cpus": 1, "memory": "128M"}, os.path.join(work, "figures.elf"), bundle, 300,
                        os.path.join(work, "machine"))
    text = frames.Line(run.serial).output("exits").decode("utf-8", "replace")
    items = []
    for name, line, unit in (("exit_hypercall_vmx", "vmcall17", "instructions"),
                             ("steady_state_exits_vmx", "steady_exits", "exits")):
        found = re.search(rf"^@@ EX {line} .*?med=(\d+)", text, re.MULTILINE)
        if found:
            items.append({"name": name, "value": int(found[1]), "unit": unit})
    if "--check" in sys.argv:
        names = ["exit_hypercall_vmx", "steady_state_exits_vmx"]
        sys.exit("\n".join(write_benchmarks.check_items(items, names)) or 0)
    print(json.dumps({"items": items}))


if __name__ == "__main__":
    main()
