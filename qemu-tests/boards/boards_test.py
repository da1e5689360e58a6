#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boards as descriptions beside the emulators that they describe; see README.md. Status: 0 passed, 1 failed, 77 skipped."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "qemu-tests/harness"))
import bochs  # noqa: E402
import frames  # noqa: E402
import machine  # noqa: E402

LIMIT = 120
NIC, NVME, DISK = ["-device", "e1000e,addr=2"], ["-device", "nvme,serial=one,addr=3"], 0x1b360010
VTD = ["-device", "intel-iommu,intremap=on,eim=on"]
# name: how the emulator is started, and what must be found there: functions by their address.
BOARDS = {
    "qemu-q35-vtd": {"boot": {"cpus": 4, "memory": "512M", "qemu": [*VTD, *NIC, *NVME, "-device", "i6300esb,addr=4"]},
                     "remapping": "vtd", "functions": {"00:02.0": 0x808610d3, "00:03.0": DISK, "00:04.0": 0x808625ab}},
    "qemu-q35-amdvi": {"boot": {"cpus": 2, "memory": "256M", "qemu": ["-device", "amd-iommu,intremap=on,pt=off", *NIC, *NVME]},
                       "remapping": "amdvi", "functions": {"00:02.0": 0x808610d3, "00:03.0": DISK}},
    "qemu-q35": {"boot": {"cpus": 1, "memory": "3G", "qemu": ["-device", "virtio-net-pci,addr=2", *NVME]},
                 "remapping": "none", "functions": {"00:02.0": 0x1af41000, "00:03.0": DISK}},
    "qemu-q35-smt": {"boot": {"cpus": 4, "memory": "6G", "cpu": "EPYC,+svm,+x2apic,+topoext,cpuid-0xb=off",
                              "qemu": ["-smp", "4,cores=2,threads=2", *VTD, "-device", "pcie-root-port,id=root5,addr=5",
                                       "-device", "nvme,serial=one,bus=root5", "-device", "pcie-pci-bridge,id=old,addr=6",
                                       "-device", "e1000,bus=old,addr=1"]},
                     "remapping": "vtd", "functions": {"00:05.0": 0x1b36000c, "01:00.0": DISK, "02:01.0": None, "03:01.0": None}},
    "qemu-no-svm": {"boot": {"cpus": 2, "memory": "256M", "cpu": "max,-svm"}, "remapping": "none", "functions": {},
                    "missing": "does not offer AMD-V"},
    "qemu-q35-ovmf": {"boot": {"cpus": 2, "memory": "1G", "path": "img", "qemu": [*VTD, *NIC]},
                      "remapping": "vtd", "functions": {"00:02.0": 0x808610d3}},
    "bochs-svm": {"platform": "bochs-svm", "boot": {"cpus": 2, "memory": "256M"}, "remapping": "none",
                  "functions": {"00:00.0": 0x80861237}},
    "bochs-vmx": {"platform": "bochs-vmx", "boot": {"cpus": 4, "memory": "512M"}, "remapping": "none",
                  "functions": {"00:00.0": 0x80861237}},
    "bochs-no-svm": {"platform": "bochs-svm", "boot": {"cpus": 1, "memory": "128M", "models": {"bochs-svm": "athlon64_clawhammer"}},
                     "remapping": "none", "functions": {"00:00.0": 0x80861237}, "missing": "does not offer AMD-V"},
}
MEBIBYTE = 1 << 20


class Failed(Exception):
    pass


class Bench:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.work = tempfile.mkdtemp(prefix="caisson-boards.")
        self.tool = os.path.join(self.build, "image-tools/cli/caisson")
        self.environment = {**os.environ, "HOME": self.work, "XDG_CONFIG_HOME": self.work + "/config",
                            "XDG_CACHE_HOME": self.work + "/cache", "NO_COLOR": "1"}
        self.environment.pop("CAISSON_CACHE", None)

    def caisson(self, *arguments, status=0):
        done = subprocess.run([self.tool, *arguments], capture_output=True, text=True, check=False, env=self.environment, cwd=self.work)
        if status is not None and done.returncode != status:
            raise Failed(f"caisson {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def folder(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def boot(self, board, kernel, module, name):
        """The serial line of a boot. A case on Bochs waits until the machine ends, or has said how it is refused."""
        boot, where = board["boot"], self.folder("run-" + name)
        if "platform" in board:
            run = bochs.run(board["platform"], boot, kernel, module, LIMIT, where)
        else:
            run = machine.run(machine.command_line(boot, kernel, module, where), LIMIT, where)
        if run.timed_out or not run.serial:
            raise Failed(f"{name}: the machine did not end: {run.serial[-300:]!r} {run.stderr[-300:]!r}")
        return run.serial


def bytes_of(text):
    return int(text[:-1]) * {"M": MEBIBYTE, "G": MEBIBYTE * 1024}[text[-1]]


def skipped(board):
    """Why it cannot run here, or None."""
    if "platform" in board:
        return bochs.missing()
    if board["boot"].get("path") and not machine.find_ovmf():
        return "needs OVMF"
    return None


def normal(text):
    """Without what differs from run to run: rates as measured."""
    return re.sub(r'"tscHz":\d+', '"tscHz":0', text)


def scan(bench, name, board):
    """-> the description's text."""
    path = board["boot"].get("path", "elf")
    medium = os.path.join(bench.work, f"{name}.{path}")
    bench.caisson("board", "scan", "-o", medium)
    module = os.path.join(bench.work, "nothing")
    with open(module, "w", encoding="utf-8") as file:
        file.write("GRUB wants a module\n")
    line = bench.boot(board, medium, module if "platform" in board else None, name)
    recorded, described = os.path.join(bench.work, name + ".line"), os.path.join(bench.work, name + ".json")
    with open(recorded, "wb") as file:
        file.write(line)
    bench.caisson("board", "import", recorded, "--name", name, "-o", described)
    # A line that lost a byte of it is refused.
    middle = line.index(b"caisson.board/1")
    with open(recorded, "wb") as file:
        file.write(line[:middle] + line[middle + 1:])
    done = bench.caisson("board", "import", recorded, status=None)
    if done.returncode == 0:
        raise Failed(f"{name}: a damaged line was taken")
    with open(described, encoding="utf-8") as file:
        text = file.read()
    if path == "img" and shutil.which("mcopy"):
        keep(bench, name, board, medium, text)
    return text


def on_medium(medium):
    """The description's file on a stick."""
    return subprocess.run(["mcopy", "-n", "-i", medium + "@@1M", "::/EFI/caisson/board.json", "-"], capture_output=True, check=True,
                          text=True).stdout


def keep(bench, name, board, medium, text):
    """The description comes onto the stick itself, over a reset that keeps memory. The boot before had asked for that, but its machine
    was not reset: the next one says so and is off in the end; then all goes well."""
    if not on_medium(medium).startswith('{"schema":"caisson.no-scan/1","kept":"0x') or "kept\":\"0x0000000000000000" in on_medium(medium):
        raise Failed(f"{name}: the stick does not say where the description is kept: {on_medium(medium)[:100]}")
    if b"Memory did not keep the description" not in bench.boot(board, medium, None, name + "-lost"):
        raise Failed(f"{name}: a description that was lost is not missed")
    where = bench.folder("run-" + name + "-kept")
    words = machine.command_line({**board["boot"], "lives": 2}, medium, None, where)
    exit_device = words.index("isa-debug-exit,iobase=0xf4,iosize=4") # it would end QEMU in place of the reset
    run = machine.run(words[:exit_device - 1] + words[exit_device + 1:], LIMIT, where)
    kept = on_medium(medium)
    if run.timed_out or b"is on this medium now" not in run.serial:
        raise Failed(f"{name}: the description did not come onto the stick: {run.serial[-600:]!r}")
    if len(kept) != MEBIBYTE or normal(kept.rstrip() + "\n") != normal(text.replace(f'"name":"{name}"', '"name":"a scanned board"')):
        raise Failed(f"{name}: the stick says something else than the serial line: {kept[:300]}")


def compare(name, board, found):
    """What is described beside what the emulator was started with; -> what is wrong."""
    boot, wrong = board["boot"], []

    def expect(what, is_, should):
        if is_ != should:
            wrong.append(f"{name}: {what} is {is_!r}, not {should!r}")

    expect("the number of CPUs", sum(cpu["enabled"] for cpu in found["cpus"]), boot.get("cpus", 1))
    usable = sum(int(run["bytes"], 16) for run in found["memory"] if run["usable"])
    asked = bytes_of(boot["memory"])
    if not asked - 32 * MEBIBYTE <= usable <= asked: # firmware keeps some
        wrong.append(f"{name}: {usable} bytes are usable of {asked}")
    expect("the IOMMU", found["firmware"]["remapping"]["kind"], board["remapping"])
    functions = {one["address"]: int(one["vendor"], 16) << 16 | int(one["device"], 16) for one in found["pci"]["functions"]}
    for address, identity in board["functions"].items():
        if identity is not None:
            expect(f"the function {address}", functions.get(address), identity)
    missing = found["processor"]["missing"]
    if board.get("missing", "") not in missing or (missing != "" and "missing" not in board):
        wrong.append(f"{name}: virtualization: {missing!r}")
    expect("the UART", (found["uartAnswers"], found["uart"]["base"]), ("yes", "0x3f8"))
    expect("the boot CPU", found["processor"]["apicId"], 0)
    if board["remapping"] == "vtd":
        expect("the VT-d units that were read", ["capability" in unit for unit in found["firmware"]["remapping"]["units"]], [True])
    return wrong


def scan_all(bench, update, only):
    wrong, ran, left = [], 0, []
    for name, board in BOARDS.items():
        if only and name not in only:
            continue
        if why := skipped(board):
            left.append(f"{name}: {why}")
            continue
        text = normal(scan(bench, name, board))
        wrong += compare(name, board, json.loads(text))
        kept = os.path.join(SOURCE, "boards", name + ".json")
        if update:
            with open(kept, "w", encoding="utf-8") as file:
                file.write(text)
        with open(kept, encoding="utf-8") as file:
            known = file.read()
        if known != text:
            diff = [f"  {old} -> {new}" for old, new in zip(known.splitlines(), text.splitlines()) if old != new]
            # Another release of an emulator or its firmware may differ in what it offers.
            print(f"note: {name} is not as boards/{name}.json has it:", *diff[:5], sep="\n")
        ran += 1
        print(f"{name}: scanned")
    return wrong, ran, left


# Appliances: the partitions' lines of a manifest, and more lines. MEMORY stands for what plan --board finds to be the most.
GUEST = 'kernel: "GUEST", cmdline: "0"'
APPLIANCES = {
    "one": ["a: {%s, cpus: 1, memory: 16MiB}"],
    "three": ["a: {%s, cpus: 1, memory: 16MiB}", "b: {%s, cpus: 1, memory: 16MiB}", "c: {%s, cpus: 1, memory: 16MiB}"],
    "pair": ["a: {%s, cpus: 2, memory: 16MiB}"],
    "named": ["a: {%s, cpuset: \"3\", memory: 16MiB}", "machine: cpus: 4"],
    "siblings": ["a: {%s, cpuset: \"0\", memory: 16MiB}", "b: {%s, cpuset: \"1\", memory: 16MiB}"],
    "large": ["a: {%s, cpus: 1, memory: 400MiB}"],
    "disk": ["a: {%s, cpus: 1, memory: 16MiB, devices: [\"pci:1b36:0010\"]}"],
    "network": ["a: {%s, cpus: 1, memory: 16MiB, devices: [\"pci:8086:10d3\"]}"],
    "virtio": ["a: {%s, cpus: 1, memory: 16MiB, devices: [\"pci:1af4:1000\"]}"],
    "bridge": ["a: {%s, cpus: 1, memory: 16MiB, devices: [\"pci:0000:00:05.0\"]}"],
    "second": ["a: {%s, cpus: 1, memory: 16MiB, devices: [\"pci:1b36:0010#1\"]}"],
    "watchdog": ["a: {%s, cpus: 1, memory: 16MiB, watchdog: 10s}"],
    "console": ["a: {%s, cpus: 1, memory: 16MiB}", "machine: requireConsole: true"],
    "measured": ["a: {%s, cpus: 1, memory: 16MiB}", "machine: tpm: required"],
    "most": ["a: {%s, cpus: 1, memory: MEMORY}"],
    "too-much": ["a: {%s, cpus: 1, memory: TOO-MUCH}"],
}
PLAN_BOARDS = ["qemu-q35-vtd", "qemu-q35-amdvi", "qemu-q35", "qemu-q35-smt", "qemu-no-svm"]
PLAN_BOCHS = {"bochs-svm": ["one", "three"], "bochs-vmx": ["three", "disk"], "bochs-no-svm": ["one"]}
PREFIX = "the hypervisor cannot run on this machine: "


def manifest(bench, name, appliance, memory=""):
    lines = [line for line in appliance if not line.startswith("machine: ")]
    guest = os.path.join(bench.build, "qemu-tests/guests/statuses.elf")
    text = "apiVersion: caisson/v1\nname: board\nversion: 1.0.0\nsecurityVersion: 1\n"
    for line in appliance:
        if line.startswith("machine: "):
            text += "machine: {" + line[len("machine: "):] + "}\n"
    text += "partitions:\n" + "".join("  " + line.replace("%s", GUEST).replace("GUEST", guest) + "\n" for line in lines)
    path = os.path.join(bench.folder("manifest-" + name), "appliance.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub("MEMORY|TOO-MUCH", memory, text))
    return path


def planned(bench, path, board):
    """What `plan --board` says: the line of a refusal, or None."""
    done = bench.caisson("plan", "--board", os.path.join(SOURCE, "boards", board + ".json"), path, status=None)
    if done.returncode == 0:
        return None
    found = re.search(r"error\[(E\d+)\]: (.*)", done.stderr)
    if done.returncode != 3 or not found or found[1] != "E0902" or not found[2].startswith(PREFIX):
        raise Failed(f"plan --board {board} {path} ended with {done.returncode}: {done.stderr}")
    return found[2][len(PREFIX):]


def booted(bench, path, board, name):
    """What the boot says: the line of a refusal, or None."""
    bundle = os.path.join(os.path.dirname(path), "board.bundle")
    bench.caisson("build", path, "-o", bundle)
    line = frames.Line(bench.boot(board, bundle[:-len("bundle")] + "elf", bundle, name))
    if line.errors:
        raise Failed(f"{name}: {line.errors[0]}")
    end = line.of("e")
    if not end:
        raise Failed(f"{name}: no record of the machine's end")
    return line.log().rstrip("\n").splitlines()[-1] if end[0].keys["reason"] == "refused" else None


def most_memory(bench, board, appliance):
    """The most that `plan --board` lets the partition have, in KiB."""
    step = 64 # what a manifest can say
    low, high = 16 * 1024, 8 * 1024 * 1024
    while high - low > step:
        middle = (low + high) // 2 // step * step
        if planned(bench, manifest(bench, "search", appliance, f"{middle}KiB"), board) is None:
            low = middle
        else:
            high = middle
    return low


def plan_all(bench, only):
    wrong, ran, left, refusals = [], 0, [], 0
    pairs = [(board, appliance) for board in PLAN_BOARDS for appliance in APPLIANCES]
    pairs += [(board, appliance) for board, names in PLAN_BOCHS.items() for appliance in names]
    most = {}
    for name, appliance in pairs:
        if only and name not in only:
            continue
        board = BOARDS[name]
        if why := skipped(board):
            left.append(f"{name} {appliance}: {why}")
            continue
        memory = ""
        if appliance in ("most", "too-much"):
            if planned(bench, manifest(bench, "one", APPLIANCES["one"]), name) is not None:
                continue  # nothing runs there
            if name not in most:
                most[name] = most_memory(bench, name, APPLIANCES["most"])
            memory = f"{most[name] + (64 if appliance == 'too-much' else 0)}KiB"
        path = manifest(bench, f"{name}-{appliance}", APPLIANCES[appliance], memory)
        said, did = planned(bench, path, name), booted(bench, path, board, f"{name}-{appliance}")
        ran += 1
        refusals += did is not None
        if said != did:
            wrong.append(f"{name} {appliance} {memory}:\n  plan: {said}\n  boot: {did}")
        print(f"{name} {appliance} {memory}: {did or 'runs'}", flush=True)
    print(f"{ran} appliances on boards, {refusals} refused")
    return wrong, ran, left


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["scan", "plan"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--update", action="store_true", help="scan: write boards/NAME.json")
    parser.add_argument("--only", action="append", help="one board")
    options = parser.parse_args()
    bench = Bench(options.build)
    try:
        if options.what == "scan":
            wrong, ran, left = scan_all(bench, options.update, options.only)
        else:
            wrong, ran, left = plan_all(bench, options.only)
    except (Failed, machine.MachineError) as failure:
        wrong, ran, left = [str(failure)], 1, []
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)
    for line in left:
        print(f"left out: {line}")
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        return 1
    return 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
