#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost, and a failed write is never silent.

usage: loss_test.py TOOL CC [--bytes N] [--rate BYTES-A-SECOND] [--stop SECONDS]

Boots a program that writes N bytes through a reader that is slow and stops for a while, once with the tool itself
stopped: every byte arrives and the status is the program's. Then every place that the tool writes to is full, closed or
broken in turn.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = r"""
#include <stdio.h>
int main(void) {
    for (long at = 0; at < BYTES; at += 64)
        printf("%015ld %-47s\n", at, "the quick brown fox jumps over the lazy dog");
    return 42;
}
"""
MANIFEST = """apiVersion: caisson/v1
name: loss
machine: {cpus: 1, memory: 128MiB}
partitions:
  talker: {image: "oci:./image", memory: 16MiB}
"""


class Test:
    def __init__(self, tool):
        self.tool = tool
        self.failed = False

    def expect(self, what, good, detail=""):
        print(("ok      " if good else "FAILED  ") + what + ("" if good else f": {detail}"), flush=True)
        self.failed |= not good

    def run(self, *arguments, **keywords):
        keywords = {"stdin": subprocess.DEVNULL, "capture_output": "stdout" not in keywords, "check": False, **keywords}
        return subprocess.run([self.tool, *arguments], **keywords)

    def fails(self, what, result, code=6, text="E0602"):
        errors = (result.stderr or b"").decode()
        self.expect(f"{what}: exit {code}, {text}", result.returncode == code and text in errors,
                    f"exit {result.returncode}, {errors[-300:]!r}")


def expected(count):
    return b"".join(b"%015d %-47s\n" % (at, b"the quick brown fox jumps over the lazy dog") for at in range(0, count, 64))


def slow_reader(test, options):
    process = subprocess.Popen([test.tool, "run", "--progress", "none", "-q"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    got = bytearray()
    stopped = False
    while True:
        block = os.read(process.stdout.fileno(), 16384)
        if not block:
            break
        got += block
        time.sleep(len(block) / options.rate)
        if not stopped and len(got) > options.bytes // 4:
            stopped = True
            time.sleep(options.stop)
            process.send_signal(signal.SIGSTOP)
            time.sleep(options.stop)
            process.send_signal(signal.SIGCONT)
    errors = process.stderr.read().decode()
    status = process.wait()
    test.expect(f"{options.bytes} bytes through a slow reader are whole", bytes(got) == expected(options.bytes),
                f"{len(got)} bytes; {errors[-300:]!r}")
    test.expect("and the status is the program's", status == 42, f"{status}: {errors[-300:]!r}")


def recorded_line(test):
    """`console` says of a recording what `run` said; of one with a frame cut out the same, and which is missing."""
    test.run("build", "--progress", "none", "-q", "-o", "x.bundle", check=True)
    seen = test.run("run", "--progress", "none", "x.bundle", "--log", "line.bin")
    again = test.run("console", "line.bin", "--bundle", "x.bundle")
    test.expect("console equals run", (seen.returncode, seen.stdout, seen.stderr) == (again.returncode, again.stdout, again.stderr),
                again.stderr[-300:])
    with open("line.bin", "rb") as file:
        frames = file.read().split(b"\x1e")
    output = [i for i, frame in enumerate(frames) if frame.startswith(b"o")]
    cut = frames.pop(output[len(output) // 2])
    number = cut.split(b"\x1f")[1].decode()
    with open("lost.bin", "wb") as file:
        file.write(b"\x1e".join(frames))
    lost = test.run("console", "lost.bin", "--bundle", "x.bundle")
    test.expect("a lost frame is named, the rest is there", lost.returncode == 125 and
                f"lost frame {number}" in lost.stderr.decode() and 0 < len(seen.stdout) - len(lost.stdout) < 2000,
                lost.stderr[-300:])


def full_places(test):
    with open("/dev/full", "wb", buffering=0) as full:
        for words in (["version"], ["plan", "--progress", "none"], ["help"], ["explain"], ["run", "--progress", "none"]):
            test.fails(f"{words[0]} >/dev/full", test.run(*words, stdout=full, stderr=subprocess.PIPE))
    test.fails("run --log /dev/full", test.run("run", "--progress", "none", "--log", "/dev/full"))
    test.fails("run --audit /dev/full", test.run("run", "--progress", "none", "--audit", "/dev/full"))
    test.fails("run --junit in no folder", test.run("run", "--progress", "none", "--junit", "none/x.xml"))
    closed = subprocess.run(["sh", "-c", '"$0" version >&-', test.tool], capture_output=True, check=False)
    test.fails("version with stdout closed", closed)
    closed = subprocess.run(["sh", "-c", '"$0" build --progress none -o closed.bundle <&- >&- 2>&-', test.tool], check=False)
    test.expect("all descriptors closed: no file is taken for stderr", closed.returncode == 6, closed.returncode)
    broken = subprocess.run(["bash", "-c", '"$0" run --progress none -q | head -c 100 >/dev/null; exit "${PIPESTATUS[0]}"', test.tool],
                            capture_output=True, check=False)
    test.expect("a broken pipe ends quietly", broken.returncode == 141 and broken.stderr == b"", broken)


def full_disk(test, folder):
    """A tmpfs of 64 KiB for the bundle and the cache; needs the right to mount."""
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True, check=False).returncode != 0:
        print("skipped  full disks: may not mount")
        return
    try:
        result = test.run("build", "--progress", "none", "-o", os.path.join(small, "x.bundle"))
        test.fails("build -o onto a full disk", result)
        errors = result.stderr.decode()
        test.expect("and says so without pointing into the manifest", "No space left" in errors and "-->" not in errors, errors)
        test.expect("and leaves nothing", os.listdir(small) == [], os.listdir(small))
        result = test.run("run", "--progress", "none", env={**os.environ, "CAISSON_CACHE": small})
        test.fails("run with a full cache", result)
        result = test.run("keygen", "-o", os.path.join(small, "k"))
        test.expect("a key of a few bytes still fits", result.returncode == 0, result)
    finally:
        subprocess.run(["umount", small], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("cc")
    parser.add_argument("--bytes", type=int, default=64 * 4096)
    parser.add_argument("--rate", type=int, default=200_000)
    parser.add_argument("--stop", type=float, default=2.0)
    options = parser.parse_args()
    test = Test(os.path.realpath(options.tool))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "CAISSON_CACHE"):
            os.environ[name] = os.path.join(folder, name.lower())
        with open("talk.c", "w", encoding="utf-8") as file:
            file.write(PROGRAM.replace("BYTES", str(options.bytes)))
        os.makedirs("root/bin")
        subprocess.run([options.cc, "-static", "-O2", "-o", "root/bin/talk", "talk.c"], check=True)
        subprocess.run([test.tool, "image", "create", "--from", "root", "--entrypoint", "/bin/talk", "oci:image"],
                       check=True, capture_output=True)
        with open("appliance.yaml", "w", encoding="utf-8") as file:
            file.write(MANIFEST)
        slow_reader(test, options)
        recorded_line(test)
        full_places(test)
        full_disk(test, folder)
    return 1 if test.failed else 0


if __name__ == "__main__":
    sys.exit(main())
