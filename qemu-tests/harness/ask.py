#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command and asks, while it runs, for pages that it serves: a user with curl beside `caisson run`.

usage: ask.py URL TEXT [URL TEXT]... -- COMMAND...

Each page is asked for again until it comes, and must hold its text. The exit status is the command's, 1 where a page was not right.
"""
import subprocess
import sys
import tempfile

import machine


def main():
    split = sys.argv.index("--")
    asked, command = sys.argv[1:split], sys.argv[split + 1:]
    steps = [{"fetch": url, "contains": text} for url, text in zip(asked[::2], asked[1::2])]
    complaints = []
    with tempfile.NamedTemporaryFile() as nothing, subprocess.Popen(command) as process:
        machine.play_host(steps, nothing.name, process, complaints)
        if complaints:
            process.kill()
        status = process.wait()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else status


if __name__ == "__main__":
    sys.exit(main())
