# SPDX-License-Identifier: Apache-2.0
"""Boots the loader and its bundle in Bochs, through GRUB on BIOS, and collects what it says.

Bochs has no exit status of its own (always 1): how the machine ended is read from the hypervisor's last record. A
hypervisor that halts instead of powering off is ended here once that record is there.
"""
import os
import re
import shutil
import subprocess
import threading
import time
import tty

import frames
import patience
from machine import MachineError, Run, ask_to_end, stopper

# A case about another CPU names its model in [boot.models].
MODELS = {"bochs-svm": "ryzen", "bochs-vmx": "corei7_icelake_u"}
BIOS, VGA = "/usr/share/bochs/BIOS-bochs-latest", "/usr/share/bochs/VGABIOS-lgpl-latest"
MAX_CPUS = 12          # 16 end in "too many registered timers"
MAX_HOST_MEMORY = 2048  # MiB that Bochs itself takes for guest memory
TIME0 = 1767225600     # 2026-01-01, as in QEMU's icount runs
# Instructions a second of emulated time. Low, so that waiting by a clock (BIOS, GRUB, sleeping guests) costs little.
IPS = 50_000_000
# What a QEMU with the exit device would end with, by the reason in the last record.
STATUS = {"all-stopped": 33, "refused": 35, "panic": 37}
# A guest's triple fault: Bochs reports its own panic first and delivers the SHUTDOWN intercept when told to go on.
TRIPLE_FAULT = re.compile(r"3rd \(\d+\) exception with no resolution")
POWERED_OFF = "ACPI control: soft power off"
# Its screen is served on a TCP port, of which it tries fifty in a row. When it says that all are taken it has not started the
# machine yet, and a moment later one is free.
NO_PORT, MOST_STARTS = "RFB could not bind any port", 5

CONFIGURATION = """plugin_ctrl: unmapped=true, biosdev=true, speaker=false, extfpuirq=true, parallel=false, serial=true, iodebug=true
config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1, msrs=""
memory: guest={memory}, host={host}
romimage: file={bios}, options=fastboot
vgaromimage: file={vga}
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
com1: enabled=1, mode={mode}, dev="{device}"
clock: sync=none, time0={time0}
log: "{log}"
panic: action=fatal{report}
error: action=report
info: action=ignore
debug: action=ignore
mouse: enabled=0
"""


def missing():
    """What running Bochs needs and is not here, or None."""
    for program in ("bochs", "grub-mkimage", "xorriso"):
        if not shutil.which(program):
            return f"needs {program}"
    return next((f"needs {file}" for file in (BIOS, VGA, "/usr/lib/grub/i386-pc") if not os.path.exists(file)), None)


def make_iso(loader, bundle, directory):
    """A CD with the smallest GRUB for BIOS: what it needs to load two files, and one configuration."""
    tree = os.path.join(directory, "iso")
    os.makedirs(os.path.join(tree, "boot"))
    shutil.copy(loader, os.path.join(tree, "boot/caisson.elf"))
    shutil.copy(bundle, os.path.join(tree, "boot/appliance.bundle"))
    configuration, iso = os.path.join(directory, "grub.cfg"), os.path.join(directory, "appliance.iso")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write("multiboot2 /boot/caisson.elf\nmodule2 /boot/appliance.bundle\nset gfxpayload=text\nboot\n")
    for command in (["grub-mkimage", "-O", "i386-pc-eltorito", "-o", os.path.join(tree, "boot/core.img"), "-p", "/boot",
                     "-c", configuration, "biosdisk", "iso9660", "multiboot2"],
                    ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", iso, "-b", "boot/core.img", "-no-emul-boot",
                     "-boot-load-size", "4", "-boot-info-table", tree]):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise MachineError(f"{command[0]} failed: {made.stderr[-800:]}")
    shutil.rmtree(tree)
    return iso


def ended(serial):
    """The reason in the record of the machine's end, or None while there is none."""
    # By frames: a guest's console may hold anything that looks like a record.
    records = frames.Line(serial).of("e")
    return records[0].keys["reason"] if records else None


def read(path):
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def complaints_of(log):
    """Bochs's own panics, except those that are an end in order or a guest's end."""
    said = [line.split("] ", 1)[-1] for line in log.splitlines() if ">>PANIC<<" in line]
    return [f"Bochs: {line}" for line in said if not TRIPLE_FAULT.search(line) and POWERED_OFF not in line]


def wait(process, serial_file, limit, enough):
    """Until Bochs ends, or shortly after the last record, or what it said is enough, or to the limit. -> whether the limit passed"""
    allowed, size = patience.Patience(process.pid, limit), 0
    while not allowed.look():
        try:
            process.wait(0.2 if enough is None else 1)
            return False
        except subprocess.TimeoutExpired:
            size, before = os.path.getsize(serial_file) if os.path.exists(serial_file) else 0, size
        if enough is not None and size != before and enough(read(serial_file)):
            break
        if size == before and ended(read(serial_file)):
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                patience.kill(process)
            return False
    patience.kill(process)
    return allowed.used >= limit


def copy_terminal(master, path):
    """What Bochs writes to its terminal, into a file, until it closes it."""
    with open(path, "wb", buffering=0) as file:
        while True:
            try:
                data = os.read(master, 65536)
            except OSError: # EIO: nobody has the other side open
                return
            if not data:
                return
            file.write(data)


def run(platform, boot, loader, bundle, time_limit, directory, enough=None, commands="c\n" * 10_000):
    cpus = boot.get("cpus", 1)
    memory = {"M": 1, "G": 1024}[boot.get("memory", "512M")[-1]] * int(boot.get("memory", "512M")[:-1])
    if cpus > MAX_CPUS:
        raise MachineError(f"Bochs has at most {MAX_CPUS} CPUs, this machine {cpus}")
    os.makedirs(directory, exist_ok=True)
    files = {name: os.path.join(directory, name) for name in ("serial", "bochs.log", "bochs.out", "bochsrc", "commands")}
    mode, device, stop, master = "file", files["serial"], stopper(boot), None
    if stop: # a line with input is a terminal
        master, slave = os.openpty()
        tty.setraw(slave)
        mode, device = "term", os.ttyname(slave)
    with open(files["bochsrc"], "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(
            model=boot.get("models", {}).get(platform, MODELS[platform]), cpus=cpus, ips=IPS, memory=memory, host=min(memory, MAX_HOST_MEMORY), bios=BIOS, vga=VGA,
            iso=make_iso(loader, bundle, directory), mode=mode, device=device, time0=TIME0, log=files["bochs.log"],
            report="".join(f", cpu{index:x}=report" for index in range(cpus))))
    # Debian's Bochs holds its debugger: it waits for a command at the start and after every report of a panic.
    with open(files["commands"], "w", encoding="utf-8") as file:
        file.write(commands)
    if stop:
        reader = threading.Thread(target=copy_terminal, args=(master, files["serial"]), daemon=True)
        reader.start()
    for pause in range(1, MOST_STARTS + 1):
        with open(files["commands"], "rb") as typed, open(files["bochs.out"], "wb") as out:
            process = subprocess.Popen(["bochs", "-q", "-f", files["bochsrc"]], stdin=typed, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            if stop:
                threading.Thread(target=ask_to_end, args=(stop, files["serial"], process, lambda byte: os.write(master, byte)),
                                 daemon=True).start()
            timed_out = wait(process, files["serial"], time_limit, enough)
        if NO_PORT not in read(files["bochs.log"]).decode("utf-8", "replace"):
            break
        time.sleep(pause)
    if stop:
        os.close(slave) # held open until now, so that the reader met no end before Bochs began
        reader.join()
        os.close(master)
    serial, log = read(files["serial"]), read(files["bochs.log"]).decode("utf-8", "replace")
    complaints = complaints_of(log)
    if not serial and not complaints and not timed_out:
        said = read(files["bochs.out"]).decode("utf-8", "replace")
        complaints = [f"Bochs: {(re.search('following message:.(.*?).=====', said, re.DOTALL) or ['', said[-800:]])[1]}"]
    return Run(STATUS.get(ended(serial), 1), serial, log.encode(), timed_out, time_limit, complaints)
