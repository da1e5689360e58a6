# SPDX-License-Identifier: Apache-2.0
"""one_module.py MODULE [CLASS-OR-TEST...]: runs a module of CPython's own tests, or parts of it, and prints a line a test: its name and
ok, FAIL, ERROR or skip. What the tests themselves print is dropped. Runs inside the image."""
import os
import sys
import unittest

import test.support

out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
reasons = os.environ.get("REASONS")
if not reasons:
    os.dup2(1, 2)


class Lines(unittest.TestResult):
    def say(self, case, word, why=None):
        out.write(f"{case.id()} {word}\n")
        if why and reasons:
            out.write(self._exc_info_to_string(why, case))

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


module, *parts = sys.argv[1:]
test.support.use_resources = []  # nothing of the network, no hours of CPU, no files of gigabytes
loaded = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
chosen = unittest.TestSuite(case for case in flat(loaded) if not parts or any(f".{part}." in f".{case.id()}." for part in parts))
chosen.run(Lines())
