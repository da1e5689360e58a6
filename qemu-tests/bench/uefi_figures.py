#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From power-on to a container's first byte, by UEFI beside PVH: what the path through firmware costs after firmware.

usage: uefi_figures.py BUILD-DIR

The same appliance is started by QEMU's own loader (PVH) and as a UEFI application by OVMF, each with `-icount shift=0`, so that a tick
of the TSC is an instruction of one of the machine's CPUs. From the hypervisor's entry, which follows ExitBootServices, to the first byte
of the container UEFI may take a million instructions more. What Boot Services take before is firmware's: it is shown.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))
import frames  # noqa: E402 the harness's
import machine  # noqa: E402

MOST_MORE = 1_000_000
TIME_LIMIT = 600  # seconds of the emulator's CPU time
MANIFEST = """apiVersion: caisson/v1
name: power-on
machine: {{board: qemu-q35, cpus: 2, memory: 512MiB}}
partitions:
  hello: {{image: "oci:{image}", cpus: 1, memory: 16MiB}}
"""


def build(built, program, work):
    """-> (bundle, its loader, the UEFI application)"""
    os.makedirs(os.path.join(work, "root/bin"))
    image, manifest = os.path.join(work, "image"), os.path.join(work, "appliance.yaml")
    target = os.path.join(work, "root/bin/hello")
    with open(program, "rb") as source, open(target, "wb") as copy:
        copy.write(source.read())
    os.chmod(target, 0o755)
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(MANIFEST.format(image=image))
    own = {**os.environ, "XDG_CONFIG_HOME": work, "XDG_CACHE_HOME": work, "HOME": work}
    files = [os.path.join(work, "x" + ending) for ending in (".bundle", ".elf", ".efi")]
    for words in (["image", "create", "--from", os.path.join(work, "root"), "--entrypoint", "/bin/hello", "oci:" + image, "-q"],
                  ["build", "-q", manifest, "-o", files[0], "-o", files[2]]):
        subprocess.run([built["tool"], *words, "--progress", "none"], check=True, stdout=subprocess.DEVNULL, env=own)
    return files


def boot(path, kernel, module, work):
    """-> (instructions from the hypervisor's entry to the first byte, what the log says of Boot Services)"""
    directory = os.path.join(work, path)
    os.makedirs(directory)
    settings = {"path": path, "cpus": 2, "memory": "512M", "icount": True}
    run = machine.run(machine.command_line(settings, kernel, module, directory), TIME_LIMIT, directory)
    line = frames.Line(run.serial)
    ends, began = line.ends("hello"), line.of("b")
    if run.timed_out or not ends or ends[-1]["status"] != "0" or not began:
        sys.exit(f"{path}: hello did not end with status 0; the last lines:\n" + run.serial[-1500:].decode("utf-8", "replace"))
    said = re.search(rb"UEFI: ([0-9]+ ms in Boot Services)", run.serial)
    return int(ends[-1]["first_output"]) - int(began[0].keys["entry"]), said[1].decode() if said else None


def main():
    build_folder = os.path.abspath(sys.argv[1])
    if machine.find_ovmf() is None:
        print("skipped: needs OVMF")
        sys.exit(77)
    with open(os.path.join(build_folder, "qemu-tests/built.json"), encoding="utf-8") as file:
        built = json.load(file)
    with tempfile.TemporaryDirectory(prefix="caisson-uefi-") as work:
        bundle, loader, application = build(built, os.path.join(build_folder, "qemu-tests/bench/hello-static"), work)
        pvh, _ = boot("pvh", loader, bundle, work)
        uefi, services = boot("efi", application, None, work)
    print(f"from the hypervisor's entry to hello: PVH {pvh:,} instructions, UEFI {uefi:,} ({uefi - pvh:+,}; at most +{MOST_MORE:,})")
    print(f"by UEFI before that: {services}")
    if services is None or uefi - pvh > MOST_MORE:
        sys.exit(1)


if __name__ == "__main__":
    main()
