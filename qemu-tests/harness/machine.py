# SPDX-License-Identifier: Apache-2.0
"""Starts QEMU on what a case names and collects what it says."""
import dataclasses
import fcntl
import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import check
import neighbour
import patience
import screen

OVMF = [("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd")]
OLDEST = (8, 2)
GRACE = 20  # seconds that a program of the host has when the machine that it asked has ended
DRIVE = ["-drive", "if=none,id=disk,format=raw,readonly=on,file=DISK"]
# How QEMU shows firmware what the tool wrote, by the name of the path.
MEDIA = {"efi": ["-drive", "format=raw,file=fat:rw:DISK"], "img": ["-drive", "format=raw,file=DISK"], "iso": ["-cdrom", "DISK"],
         "img-usb": [*DRIVE, "-device", "qemu-xhci", "-device", "usb-storage,drive=disk"],
         "img-nvme": [*DRIVE, "-device", "nvme,serial=caisson,drive=disk"]}


class MachineError(Exception):
    pass


@dataclasses.dataclass
class Run:
    status: int
    serial: bytes
    stderr: bytes
    timed_out: bool
    time_limit: int
    complaints: list = dataclasses.field(default_factory=list)  # what the emulator itself said is wrong


def find_qemu():
    qemu = os.environ.get("CAISSON_QEMU") or shutil.which("qemu-system-x86_64")
    if not qemu:
        raise MachineError("no QEMU: install qemu-system-x86 or set CAISSON_QEMU")
    said = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)\.(\d+)", said)
    if not version or (int(version[1]), int(version[2])) < OLDEST:
        raise MachineError(f"{qemu} is not QEMU {OLDEST[0]}.{OLDEST[1]} or newer: {said.strip()!r}")
    return qemu


def find_ovmf():
    return next((pair for pair in OVMF if all(os.path.exists(file) for file in pair)), None)


def make_iso(loader, bundle, directory, graphics=True):
    """An ISO that GRUB boots on BIOS and on UEFI: the loader by Multiboot2, the bundle as its one module."""
    mode = "" if graphics else "  set gfxpayload=text\n"  # after multiboot2, which sets it to what its header asks for
    tree = os.path.join(directory, "iso")
    os.makedirs(os.path.join(tree, "boot/grub"))
    shutil.copy(loader, os.path.join(tree, "boot/caisson.elf"))
    shutil.copy(bundle, os.path.join(tree, "boot/appliance.bundle"))
    with open(os.path.join(tree, "boot/grub/grub.cfg"), "w", encoding="utf-8") as file:
        file.write("if [ $grub_platform = efi ]; then insmod efi_gop; else insmod vbe; fi\nset timeout=0\nset default=0\n"
                   "menuentry caisson {\n  multiboot2 /boot/caisson.elf\n"
                   f"  module2 /boot/appliance.bundle\n{mode}  boot\n}}\n")
    iso = os.path.join(directory, "appliance.iso")
    made = subprocess.run(["grub-mkrescue", "-o", iso, tree], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise MachineError(f"grub-mkrescue failed: {made.stderr[-800:]}")
    shutil.rmtree(tree)
    return iso


def firmware(directory):
    """QEMU's arguments for OVMF with variables of its own."""
    code, variables = find_ovmf()
    own = os.path.join(directory, "ovmf-vars.fd")
    shutil.copy(variables, own)
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={code}", "-drive", f"if=pflash,format=raw,file={own}"]


def make_esp(application, directory):
    """A folder that QEMU shows as a disk, with what firmware starts from a removable one."""
    tree = os.path.join(directory, "esp")
    os.makedirs(os.path.join(tree, "EFI/BOOT"))
    shutil.copy(application, os.path.join(tree, "EFI/BOOT/BOOTX64.EFI"))
    return tree


def command_line(boot, kernel, module, directory):
    """QEMU's arguments for a kernel with one module (PVH) or, through GRUB, the same two files on an ISO."""
    arguments = [find_qemu(), "-accel", "tcg,thread=multi" if boot.get("threads") else "tcg", "-M", "q35", "-cpu", boot.get("cpu", "max,+svm"),
                 "-smp", str(boot.get("cpus", 1)), "-m", boot.get("memory", "512M"), "-display", "none", "-nodefaults",
                 "-serial", "stdio", "-no-reboot"]
    # A machine whose screen is looked at stays when it switches itself off.
    arguments += ["-no-shutdown"] if boot.get("screens") else ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    if boot.get("icount"):
        arguments += ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm,base=2026-01-01"]
    path = boot.get("path", "pvh")
    if path == "pvh":
        arguments += ["-kernel", kernel]
        if module:
            arguments += ["-initrd", module]
        if "cmdline" in boot:
            arguments += ["-append", boot["cmdline"]]
    elif path in MEDIA:
        disk = make_esp(kernel, directory) if path == "efi" else kernel
        arguments += [word.replace("DISK", disk) for word in MEDIA[path]] + firmware(directory)
    else:
        arguments += ["-cdrom", make_iso(kernel, module, directory, boot.get("graphics", path == "grub-uefi"))]
        if path == "grub-uefi":
            arguments += firmware(directory)
    if boot.get("lives", 1) > 1:
        arguments += ["-action", "reboot=reset"]  # which -no-reboot would end
    return arguments + boot.get("qemu", [])


def reach_monitor(monitor, socket_path, process):
    """False: QEMU ended. A machine that is stopped from its start (-S) says nothing before its monitor is there."""
    while process.poll() is None:
        try:
            monitor.connect(socket_path)
            return True
        except OSError:
            time.sleep(0.05)
    return False


def play_monitor(steps, socket_path, serial_file, process):
    """Gives QEMU's monitor one command after the other, each when its text has appeared on the serial line
    (`times`: so often; an empty text is always there)."""
    with socket.socket(socket.AF_UNIX) as monitor:
        for step in steps:
            wanted = step["after"].encode()
            while process.poll() is None:
                with open(serial_file, "rb") as serial:
                    if serial.read().count(wanted) >= step.get("times", 1):
                        break
                time.sleep(0.05)
            if process.poll() is not None or (step is steps[0] and not reach_monitor(monitor, socket_path, process)):
                return
            try:
                monitor.sendall(step["command"].encode() + b"\n")
            except OSError:
                return


def reached(step, serial_file):
    """Whether what a step waits for stands on the serial line."""
    with open(serial_file, "rb") as serial:
        return serial.read().count(step.get("after", "").encode()) >= step.get("times", 1)


# QEMU's user network loses a connection now and then, where several are made at once: it acknowledges what the guest sends and tells
# its own client nothing (seen on the wire: the guest's bytes and FIN acknowledged, then a reset, while the client waits for ever).
# Who asks and has waited so long is therefore started again, so often; what was answered wrongly is wrong at once.
STILL, TRIES = 60, 3


def run_beside(step, process, complaints):
    """A program of the host that asks the machine: it must end with status 0 and have said what is wanted, in that order."""
    for left in reversed(range(TRIES)):
        said, wrong, was_still = run_once(step, process, STILL if left else None)
        if not was_still:
            break
        print(f"on the host, {' '.join(step['run'])}: waited for {STILL} s and was started again; it had said ...{said[-200:]!r}", flush=True)
    complaints += [f"on the host, {' '.join(step['run'])}: {text}" for text in wrong]
    if wrong:
        complaints.append(f"it said ...{said[-2000:]}")
    return not wrong


def run_once(step, process, still):
    """-> (what it said, complaints, whether it was ended because nothing happened for `still` seconds)"""
    was_still = False
    with tempfile.TemporaryFile() as output:
        program = subprocess.Popen(step["command"], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        late = None  # since the machine has ended, which the program's last words may have asked it to
        stillness = patience.Stillness(program.pid)
        while program.poll() is None and (late is None or time.monotonic() - late < GRACE) and not was_still:
            if late is None and process.poll() is not None:
                late = time.monotonic()
            time.sleep(0.05)
            was_still = still is not None and late is None and stillness.look() >= still
        ended = program.returncode
        if ended is None:
            patience.kill(program)
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    wrong = check.in_order("its output", step["prints"], said)
    if ended is None:
        wrong.insert(0, "it did not end" if was_still else "the machine ended before it")
    elif ended != 0:
        wrong.insert(0, f"status {ended}")
    return said, wrong, was_still


def play_host(steps, serial_file, process, complaints):
    """Asks the machine as programs on the host would, one after the other, each when its text has appeared on the serial line
    (`times`: so often). A page is asked for again for as long as the machine runs and does not answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({})) # a proxy of the user's does not know that machine
    for step in steps:
        if "neighbour" in step:
            wrong = neighbour.play(step, process)
            complaints += [f"the neighbour on the wire: {text}" for text in wrong]
            if wrong:
                process.kill()  # it waits for a word that does not come
                return
            continue
        if "run" in step:
            while not reached(step, serial_file):
                if process.poll() is not None:
                    complaints.append(f"on the host, {' '.join(step['run'])}: the machine ended before it began")
                    return
                time.sleep(0.2)
            if not run_beside(step, process, complaints):
                process.kill()  # nobody asks it any more
                return
            continue
        said = "the machine ended before"
        while process.poll() is None:
            try:
                if reached(step, serial_file):
                    with opener.open(step["fetch"], timeout=20) as answer:
                        page = answer.read()
                    said = None
                    break
            except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
                said = str(error)
            time.sleep(0.2)
        if said is not None:
            complaints.append(f"{step['fetch']}: {said}")
            return
        if "contains" in step and step["contains"].encode() not in page:
            complaints.append(f"{step['fetch']}: {step['contains']!r} is not in the {len(page)} bytes that came")
        if "bytes" in step and len(page) != step["bytes"]:
            complaints.append(f"{step['fetch']}: {len(page)} bytes came, expected {step['bytes']}")


def free_port():
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


STOP_BYTE, HEARD = b"\x03", b"event=stop_request"


def stopper(boot):
    """(text, how often) after which the machine is asked to end, or None."""
    return (boot["stop_after"].encode(), boot.get("stop_times", 1)) if "stop_after" in boot else None


def ask_to_end(when, serial_file, process, type_byte):
    """Types the stop byte once the text is there, and again until the hypervisor says that it has heard it; ten times at most,
    for one that must not hear it."""
    wanted, times = when
    asked = 0
    while process.poll() is None and asked < 10:
        try:
            with open(serial_file, "rb") as serial:
                said = serial.read()
        except FileNotFoundError:
            said = b""
        if HEARD in said:
            return
        if said.count(wanted) >= times:
            asked += 1
            try:
                type_byte(STOP_BYTE)
            except OSError:
                return
        time.sleep(0.3)


def pump(source, sink, rate):
    """What comes from `source` to the file `sink`, from the hypervisor's first frame on `rate` bytes a second: a real line."""
    began, sent = None, 0
    while True:
        room = 4096 if began is None else min(256, int((time.monotonic() - began) * rate) - sent)
        if room < 1:
            time.sleep(0.002)
            continue
        data = os.read(source, room)
        if not data:
            return
        sink.write(data)
        if began is not None:
            sent += len(data)
        elif b"\x1e" in data:
            began = time.monotonic()


def run(arguments, time_limit, directory, monitor=(), serial_rate=None, stop=None, host=(), screens=(), source=None):
    """Runs to the end or to the limit; serial output and complaints go to files beside the case's other results."""
    serial_file, error_file = os.path.join(directory, "serial"), os.path.join(directory, "qemu.stderr")
    if monitor or screens:
        # A socket's path is short: not in the case's directory.
        place = tempfile.TemporaryDirectory(prefix="monitor")
        socket_path = os.path.join(place.name, "socket")
        arguments = arguments + ["-monitor", f"unix:{socket_path},server=on,wait=off"]
    with open(serial_file, "wb") as serial, open(error_file, "wb") as errors:
        if serial_rate:
            # QEMU's UART is busy while the pipe is full.
            source, throttled = os.pipe()
            fcntl.fcntl(throttled, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE if stop else subprocess.DEVNULL, bufsize=0, stdout=throttled if serial_rate else serial, stderr=errors,
                                   start_new_session=True)
        if serial_rate:
            os.close(throttled)
            pumping = threading.Thread(target=pump, args=(source, serial, serial_rate), daemon=True)
            pumping.start()
        if monitor:
            threading.Thread(target=play_monitor, args=(monitor, socket_path, serial_file, process), daemon=True).start()
        if stop:
            threading.Thread(target=ask_to_end, args=(stop, serial_file, process, process.stdin.write), daemon=True).start()
        complaints = []
        if screens:
            looking = threading.Thread(target=screen.play, args=(screens, socket_path, serial_file, process, directory, source, complaints), daemon=True)
            looking.start()
        if host:
            asking = threading.Thread(target=play_host, args=(host, serial_file, process, complaints), daemon=True)
            asking.start()
        timed_out = patience.wait(process, time_limit)
        status = process.returncode
        if serial_rate:
            pumping.join()
            os.close(source)
        if host:
            asking.join()
        if screens:
            looking.join()
    with open(serial_file, "rb") as serial, open(error_file, "rb") as errors:
        return Run(status, serial.read(), errors.read(), timed_out, time_limit, complaints)
