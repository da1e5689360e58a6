#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A command on a terminal of its own, with somebody who types: --type TEXT KEYS types KEYS once TEXT has appeared and the steps
before it are done. What the terminal got is printed, control bytes written out, then the command's status. A user's terminal
gets exactly these bytes, so an escape sequence that gets through is seen here."""
import argparse
import os
import pty
import re
import select
import signal
import sys
import termios
import time

ROWS, COLUMNS = 50, 200


def shown(data):
    """Bytes for people: lines end as they do, every other control byte and what is not ASCII is written out."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F or byte == 0x0A else f"\\x{byte:02x}" for byte in data)
    return text.replace("\\x0d\n", "\n") # what the terminal's driver makes of a line feed


def on_terminal(command, steps, limit):
    """-> (what it wrote, status; 128 + n for a signal, 124 when the time is over)"""
    child, terminal = pty.fork()
    if child == 0:
        # As a terminal's shell would have it: Python ignores one of these, whoever started this may ignore others.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    termios.tcsetwinsize(terminal, (ROWS, COLUMNS))
    said, end, typed = bytearray(), time.monotonic() + limit, [0] * len(steps)
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                data = os.read(terminal, 65536)
            except OSError: # EIO: the command has closed it
                data = b""
            if not data:
                _, status = os.waitpid(child, 0)
                return bytes(said), os.waitstatus_to_exitcode(status) % 256
            said += data
        for index, (text, keys) in enumerate(steps):
            if typed[index] == 0 and text in said and all(typed[:index]):
                typed[index] = 1
                os.write(terminal, keys)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return bytes(said), 124


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", nargs=2, action="append", default=[], metavar=("TEXT", "KEYS"))
    parser.add_argument("--drop", action="append", default=[], help="lines that match are not printed")
    parser.add_argument("--limit", type=float, default=80)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    steps = [(text.encode(), keys.encode().decode("unicode_escape").encode()) for text, keys in options.type]
    said, status = on_terminal(options.command, steps, options.limit)
    for line in shown(said).split("\n"):
        if not any(re.search(pattern, line) for pattern in options.drop):
            print(line)
    print(f"--- status {status}")


if __name__ == "__main__":
    main()
    sys.exit(0)
