# SPDX-License-Identifier: Apache-2.0
"""one_module.py MODULE [CLASS-OR-TEST...]: runs a module of CPython's own tests, or parts of it, and prints a line a test: its name and
ok, FAIL, ERROR or skip. What the tests themselves print is dropped. Runs inside the image."""
import os
import sys
import unittest

import test.support


class Lines(unittest.TestResult):
    def __init__(self, out, reasons):
        super().__init__()
        self.out, self.reasons = out, reasons

    def say(self, case, word, why=None):
        self.out.write(f"{case.id()} {word}\n")
        if why and self.reasons:
            self.out.write(self._exc_info_to_string(why, case))

    def addSuccess(self, case):
        self.say(case, "ok")

    def addFailure(self, case, why):
        self.say(case, "FAIL", why)

    def addError(self, case, why):
        self.say(case, "ERROR", why)

    def addSkip(self, case, why):
        self.say(case, "skip")

    def addExpectedFailure(self, case, why):
        self.say(case, "ok")

    def addSubTest(self, case, part, why):
        if why is not None:
            self.say(case, "FAIL", why)


def flat(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def main():
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    reasons = os.environ.get("REASONS")
    if not reasons:
        os.dup2(1, 2)
    module, *parts = sys.argv[1:]
    # Nothing of the network, no hours of CPU, no files of gigabytes; but test_socketserver asks for the network and means the loopback.
    test.support.use_resources = ["network"] if module == "test_socketserver" else []
    loaded = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
    chosen = unittest.TestSuite(case for case in flat(loaded) if not parts or any(f".{part}." in f".{case.id()}." for part in parts))
    chosen.run(Lines(out, reasons))


# A worker of multiprocessing that does not fork imports this file again, under another name.
if __name__ == "__main__":
    main()
