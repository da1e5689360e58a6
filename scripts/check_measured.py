#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measured boot against a software TPM: what swtpm was told, by its own log, is what `caisson pcrs` predicted.

usage: check_measured.py BUILD-DIR   (CAISSON_QEMU: the QEMU to use)
FIFO and CRB interfaces, started by GRUB (Multiboot2) and by UEFI (QEMU's -kernel is not used: with a TPM, its initrd lies over the
ACPI tables, which have become longer by the TPM's log); a change of one partition's payload changes the events it should; a TPM that
is missing or fails is refused, recorded or left alone as machine.tpm says.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

BANKS = {0x04: "sha1", 0x0B: "sha256", 0x0C: "sha384", 0x0D: "sha512"}
FIRMWARE = pathlib.Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.fd")


def fail(message):
    print(message)
    sys.exit(1)


class Swtpm:
    """A TPM 2.0 with the banks SHA-256 and SHA-384 among those active, and the commands that it was sent."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "socket"
        self.log = folder / "log"
        subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", str(folder), "--pcr-banks", "sha1,sha256,sha384", "--overwrite"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--ctrl",
                                         f"type=unixio,path={self.socket}", "--log", f"file={self.log},level=20"])
        deadline = time.monotonic() + 60
        while not self.socket.exists():
            if time.monotonic() > deadline or self.process.poll() is not None:
                fail("swtpm does not start")
            time.sleep(0.05)

    def end(self):
        self.process.terminate()
        self.process.wait()

    def commands(self):
        """Pairs of command and response, as bytes."""
        out, kind, data = [], None, b""
        for line in self.log.read_text(errors="replace").splitlines():
            heading = re.search(r"SWTPM_IO_(Read|Write): length (\d+)", line)
            if heading:
                if kind is not None:
                    out.append((kind, data))
                kind, data = heading.group(1), b""
            elif kind is not None and re.fullmatch(r"(\s*[0-9A-F]{2})+\s*", line):
                data += bytes.fromhex(line.replace(" ", ""))
        if kind is not None:
            out.append((kind, data))
        return [(command, answer) for (a, command), (b, answer) in zip(out, out[1:]) if (a, b) == ("Read", "Write")]

    def pcrs(self):
        """PCR values per bank after all PCR_Event commands that succeeded, from zero on, and the descriptors in order."""
        values, events = {}, []
        for command, answer in self.commands():
            if command[6:10] != bytes.fromhex("0000013c") or answer[6:10] != bytes(4):
                continue
            pcr = int.from_bytes(command[10:14], "big")
            at = 14 + 4 + int.from_bytes(command[14:18], "big")
            event = command[at + 2:at + 2 + int.from_bytes(command[at:at + 2], "big")]
            events.append((pcr, event.decode()))
            count, at = int.from_bytes(answer[14:18], "big"), 18
            for _ in range(count):
                bank = BANKS[int.from_bytes(answer[at:at + 2], "big")]
                size = hashlib.new(bank).digest_size
                digest = answer[at + 2:at + 2 + size]
                at += 2 + size
                if digest != hashlib.new(bank, event).digest():
                    fail(f"swtpm's {bank} digest of an event is not that of its bytes")
                old = values.setdefault(bank, {}).get(pcr, bytes(size))
                values[bank][pcr] = hashlib.new(bank, old + digest).digest()
        return {bank: {str(pcr): value.hex() for pcr, value in of.items()} for bank, of in values.items()}, events


class Check:
    def __init__(self, build, work):
        self.tool = build / "image-tools/cli/caisson"
        self.guest = build / "qemu-tests/guests/statuses.elf"
        self.qemu = os.environ.get("CAISSON_QEMU", "qemu-system-x86_64")
        self.work = work
        home = str(work / "home")
        self.environment = dict(os.environ, HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home, XDG_DATA_HOME=home)

    def caisson(self, *arguments, code=0):
        run = subprocess.run([self.tool, *arguments], env=self.environment, cwd=self.work, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, check=False)
        if run.returncode != code:
            fail(f"caisson {' '.join(map(str, arguments))}: exit {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout

    def build(self, name, tpm="used", second="kernel.elf", medium=False):
        (self.work / f"{name}.yaml").write_text(f"""apiVersion: caisson/v1
name: measured
version: 1.0.0
securityVersion: 1
machine: {{board: qemu-q35, cpus: 3, memory: 256MiB, tpm: {tpm}}}
partitions:
  a: {{kernel: kernel.elf, cmdline: "0", cpus: 1, memory: 4MiB}}
  b: {{kernel: {second}, cmdline: "0", cpus: 1, memory: 4MiB}}
""")
        outputs = ["-o", f"{name}.bundle"] + (["-o", f"{name}.efi"] if medium else [])
        self.caisson("build", "-q", "--progress", "none", f"{name}.yaml", *outputs)

    def predicted(self, file):
        return json.loads(self.caisson("pcrs", file, "--format", "json"))

    def grub_cd(self, name):
        tree = self.work / f"{name}.tree"
        (tree / "boot/grub").mkdir(parents=True, exist_ok=True)
        shutil.copy(self.work / f"{name}.elf", tree / "boot/caisson.elf")
        shutil.copy(self.work / f"{name}.bundle", tree / "boot/caisson.bundle")
        (tree / "boot/grub/grub.cfg").write_text("multiboot2 /boot/caisson.elf\nmodule2 /boot/caisson.bundle\nboot\n")
        run = subprocess.run(["grub-mkrescue", "-o", self.work / f"{name}.iso", tree], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode != 0:
            fail(f"grub-mkrescue: {run.stdout[-800:]}")
        return self.work / f"{name}.iso"

    def boot(self, name, interface, uefi, tpm=None):
        """QEMU's exit status and the serial line."""
        serial = self.work / "serial"
        serial.write_text("")
        command = [self.qemu, "-machine", "q35", "-cpu", "max,+svm,-la57", "-smp", "3", "-m", "256M", "-display", "none",
                   "-nodefaults", "-no-reboot", "-serial", f"file:{serial}", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if tpm is not None:
            command += ["-chardev", f"socket,id=tpm,path={tpm.socket}", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                        "-device", f"tpm-{interface},tpmdev=tpm0"]
        if uefi:
            variables = self.work / "vars.fd"
            shutil.copy(VARIABLES, variables)
            esp = self.work / "esp/EFI/BOOT"
            esp.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.work / f"{name}.efi", esp / "BOOTX64.EFI")
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}", "-drive",
                        f"if=pflash,format=raw,file={variables}", "-drive", f"format=raw,file=fat:rw:{self.work / 'esp'}"]
        else:
            command += ["-cdrom", str(self.grub_cd(name))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # The emulator's CPU time, not the clock's: the machine may be busy.
        while process.poll() is None:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 240:
                process.kill()
            time.sleep(0.2)
        return process.wait(), serial.read_bytes().replace(b"\0", b"").decode(errors="replace")

    def measured(self, interface, uefi):
        folder = self.work / f"tpm-{interface}-{uefi}"
        folder.mkdir()
        tpm = Swtpm(folder)
        status, serial = self.boot("good", interface, uefi, tpm)
        tpm.end()
        way = f"{interface} by {'UEFI' if uefi else 'GRUB'}"
        if status != 33 or "status=0" not in serial:
            fail(f"{way}: status {status}\n" + "\n".join(serial.splitlines()[-15:]))
        values, events = tpm.pcrs()
        prediction = self.predicted("good.efi" if uefi else "good.bundle")
        if not {"sha256", "sha384"} <= set(values):
            fail(f"{way}: banks {sorted(values)}")
        for bank, of in values.items():
            if of != prediction["pcrs"][bank]:
                fail(f"{way}: {bank} of swtpm {of}, predicted {prediction['pcrs'][bank]}")
        if events != [(item["pcr"], item["descriptor"]) for item in prediction["items"]]:
            fail(f"{way}: the events differ: {events}")
        if not uefi:  # the line holds nothing of firmware's
            (folder / "log.jsonl").unlink(missing_ok=True)
            self.caisson("console", str(self.work / "serial"), "--bundle", "good.bundle", "--audit", str(folder / "log.jsonl"), "-q")
            self.caisson("attest", "replay", str(folder / "log.jsonl"), "--bundle", "good.bundle")
            said = self.caisson("attest", "replay", str(folder / "log.jsonl"), "--bundle", "changed.bundle", code=1)
            if said.count("expected 'caisson/1 partition b") != 1 or "partition a" in said:
                fail(f"replay against the changed bundle says:\n{said}")
        print(f"{way}: {len(events)} events, PCRs of {len(values)} banks as predicted")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    for program in ("swtpm", "swtpm_setup", "grub-mkrescue"):
        if shutil.which(program) is None:
            print(f"skipped: needs {program}")
            sys.exit(77)
    if not FIRMWARE.exists():
        print(f"skipped: needs {FIRMWARE} (package ovmf)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="caisson-tpm-") as folder:
        check = Check(build, pathlib.Path(folder))
        kernel = check.guest.read_bytes()
        (check.work / "kernel.elf").write_bytes(kernel)
        check.build("good", medium=True)
        # One byte of one partition's payload: its own event, and that of the header, which names every byte.
        changed = bytearray(kernel)
        changed[len(changed) // 2] ^= 1
        (check.work / "changed.elf").write_bytes(changed)
        check.build("changed", second="changed.elf")
        good, other = (check.predicted(f"{name}.bundle")["items"] for name in ("good", "changed"))
        differ = [one["descriptor"].split()[1:3] for one, two in zip(good, other) if one != two]
        if differ != [["bundle", "measured"], ["partition", "b"]]:
            fail(f"a changed payload of b changes the events {differ}")
        for interface in ("tis", "crb"):
            for uefi in (False, True):
                check.measured(interface, uefi)
        check.build("required", tpm="required")
        status, serial = check.boot("required", "tis", False)
        if status != 35 or "the plan wants a TPM" not in serial:
            fail(f"tpm: required on a machine without: status {status}")
        folder = check.work / "off"
        folder.mkdir()
        tpm = Swtpm(folder)
        check.build("off", tpm="off")
        status, serial = check.boot("off", "tis", False, tpm)
        tpm.end()
        if status != 33 or tpm.pcrs()[1]:
            fail(f"tpm: off: status {status}, events {tpm.pcrs()[1]}")
        print("required is refused without a TPM, off leaves one alone")


if __name__ == "__main__":
    main()
