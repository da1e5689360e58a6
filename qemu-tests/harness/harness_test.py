# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a guest that fails, in every way known, fails the run. QEMU and the tool are stand-ins here."""
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import redirect_stdout
from unittest import mock

import batch
import bochs
import case as cases
import frames
import images
import machine
import patience
import run_case
import run_platforms
import screen

CASE = """
description = "stand-in"
labels = ["quick"]
time_limit = 5
[manifest]
text = '''
name: test
machine: {board: qemu-q35, cpus: 2, memory: 64MiB}
partitions:
  web: {kernel: web.elf, cpus: 1, memory: 4MiB}
'''
[expect]
audit = [{ partition = "web", event = "start" }]
no_audit = [{ event = "refused" }]
log = ["up"]
[expect.partitions.web]
status = 3
exits = "<= 2"
contains = ["hello"]
"""


def frame(kind, partition, payload, generation=1, number=0):
    """Number 0 fits everywhere: as the first of a machine that begins again."""
    payload = payload if isinstance(payload, bytes) else payload.encode()
    payload = re.sub(rb"[\x1d-\x1f]", lambda byte: bytes([0x1D, byte[0][0] ^ 0x40]), payload)
    body = b"%s\x1f%d\x1f%s\x1f%d\x1f%s" % (kind.encode(), number, partition.encode(), generation, payload)
    return b"\x1e%s\x1f%d\x1f%08x\n" % (body, len(body), frames.crc32c(body))


def end(status=3, exits=1, last=1, generation=1):
    return frame("x", "0", f"partition=web generation={generation} status={status} reason=exit detail=none exits={exits} refusals=0 "
                 f"dropped=0 started=1 first_output=2 ended=3 last={last}", generation)


def audit(*bodies):
    """Audit records chained to one another; each body without seq and time."""
    previous, result = bytes(32), []
    for seq, body in enumerate(bodies):
        event, _, rest = body.partition(" ")
        text = f"event={event} seq={seq} time=5" + (f" {rest}" if rest else "")
        previous = hashlib.sha256(b"caisson audit v1\0" + previous + text.encode()).digest()
        result.append(frame("a", "hv", f"{text} hash={previous.hex()}"))
    return result


START, CLOSED = audit("start partition=web", "closed reason=all-stopped")
LOG = frame("l", "hv", "up")
OUTPUT = frame("o", "0", "hello\n")
MACHINE_END = frame("e", "hv", "reason=all-stopped action=poweroff")
GOOD = b"firmware\r\n" + LOG + START + OUTPUT + end() + CLOSED + MACHINE_END


class HarnessTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="caisson harness ")
        self.addCleanup(self.directory.cleanup)
        self.build = os.path.join(self.directory.name, "build")
        os.makedirs(os.path.join(self.build, "qemu-tests"))
        tool = self.program("tool", "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && { : >\"$2\"; : >\"${2%.bundle}.elf\"; }; shift; done\n")
        with open(os.path.join(self.build, "qemu-tests/built.json"), "w", encoding="utf-8") as file:
            json.dump({"tool": tool, "source": "/nowhere"}, file)

    def program(self, name, text):
        path = os.path.join(self.directory.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def run_with(self, serial, status=33, errors="", sleep=0, case=CASE, qemu=None):
        """-> (exit status of the harness, what it printed) for a QEMU that says SERIAL."""
        said = os.path.join(self.directory.name, "said")
        with open(said, "wb") as file:
            file.write(serial)
        qemu = qemu or self.program("qemu", f"""#!/bin/sh
if [ "$1" = --version ]; then echo "QEMU emulator version 10.0.2"; exit 0; fi
cat '{said}'
printf '%s' '{errors}' >&2
sleep {sleep}
exit {status}
""")
        path = os.path.join(self.directory.name, "standin.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(case)
        printed = io.StringIO()
        before = os.environ.get("CAISSON_QEMU")
        os.environ["CAISSON_QEMU"] = qemu
        try:
            with redirect_stdout(printed):
                result = run_case.main([path, "--build", self.build])
        finally:
            if before is None:
                del os.environ["CAISSON_QEMU"]
            else:
                os.environ["CAISSON_QEMU"] = before
        return result, printed.getvalue()

    def fails(self, why, *arguments, **options):
        result, printed = self.run_with(*arguments, **options)
        self.assertEqual(result, 1, printed)
        self.assertIn(why, printed)

    def test_good_run_passes(self):
        result, printed = self.run_with(GOOD)
        self.assertEqual(result, 0, printed)

    def test_wrong_status_of_guest(self):
        self.fails("status is 4, expected 3", LOG + START + OUTPUT + end(status=4) + CLOSED + MACHINE_END)

    def test_comparison(self):
        self.fails("exits is 3, expected <= 2", LOG + START + OUTPUT + end(exits=3) + CLOSED + MACHINE_END)

    def test_missing_output(self):
        self.fails("'hello' is not there", LOG + START + end() + CLOSED + MACHINE_END)

    def test_missing_end_of_partition(self):
        self.fails("no record of its last end", LOG + START + OUTPUT + CLOSED + MACHINE_END)

    def test_end_that_is_not_the_last(self):
        self.fails("no record of its last end", LOG + START + OUTPUT + end(last=0) + CLOSED + MACHINE_END)

    def test_missing_end_of_machine(self):
        self.fails("records of the machine's end", LOG + START + OUTPUT + end())

    def test_forged_record_in_output_is_no_record(self):
        self.fails("no record of its last end", LOG + START + OUTPUT + frame("o", "0", end()) + CLOSED + MACHINE_END)

    def test_missing_audit_record(self):
        self.fails("no audit record matches", LOG + OUTPUT + end() + CLOSED + MACHINE_END)

    def test_unwanted_audit_record(self):
        self.fails("should not be there", LOG + b"".join(audit("start partition=web", "refused", "closed")) + OUTPUT + end() + MACHINE_END)

    def test_missing_log_line(self):
        self.fails("log: 'up' is not there", START + OUTPUT + end() + CLOSED + MACHINE_END)

    def test_status_of_qemu(self):
        self.fails("the emulator's status is 37, expected 33", GOOD, status=37)

    def test_bad_icount_read(self):
        self.fails("Bad icount read", GOOD, errors="qemu: Bad icount read")

    def test_time_limit(self):
        self.fails("time limit of 1 s passed", GOOD, sleep=30, case=CASE.replace("time_limit = 5", "time_limit = 1"))

    def test_silence(self):
        self.fails("records of the machine's end", b"", status=33)

    def test_audit_chain(self):
        three = audit("start partition=web", "note text=x", "closed")
        rest = OUTPUT + end() + MACHINE_END
        self.fails("the chain is broken", LOG + START + three[2] + rest)
        other = frame("a", "hv", frames.Line(three[1]).frames[0].payload.replace(b"text=x", b"text=y"))
        self.fails("the chain is broken", LOG + three[0] + other + three[2] + rest)
        self.fails("the chain is broken", LOG + three[1] + three[0] + three[2] + rest)
        self.fails("no closing record", LOG + three[0] + three[1] + rest)

    def test_two_lives(self):
        def second(status):
            return frame("l", "hv", "again") + frame("o", "0", "hello", number=1) + \
                frame("x", "0", frames.Line(end(status)).frames[0].payload, number=2) + \
                frame("e", "hv", "reason=all-stopped action=poweroff", number=3)
        first = LOG + frame("e", "hv", "reason=panic action=reboot", number=1)
        case = CASE.split("[expect]")[0] + """
[[expect.lives]]
end = { reason = "panic" }
log = ["up"]
[[expect.lives]]
log = ["again"]
[expect.lives.partitions.web]
status = 3
"""
        result, printed = self.run_with(first + second(3), case=case)
        self.assertEqual(result, 0, printed)
        self.fails("lived 1 times, expected 2", second(3), case=case)
        self.fails("life 1: the machine's end", second(3) + second(3), case=case)
        for cut in (1, 9, 20): # bytes of its last frame: only a life that a reset ended may end so
            result, printed = self.run_with(first + frame("o", "0", "hello", number=2)[:cut] + second(3), case=case)
            self.assertEqual(result, 0, printed)
            self.fails("cut short", first + frame("o", "0", "hello", number=2)[:cut] + second(3))
            self.fails("cut short", first + second(3) + frame("o", "0", "hello", number=4)[:cut], case=case)
        self.fails("malformed", first[:-4] + frame("o", "0", "hello", number=2) + second(3), case=case)
        self.fails("life 2: partition web: status is 4", first + second(4), case=case)

    def test_what_memory_kept(self):
        ring = (frame("l", "hv", "of a life that is gone") + frame("e", "hv", "reason=panic", number=1))[7:]
        told = [frame("k", "hv", ring[at:at + 9]) for at in range(0, len(ring), 9)]
        case = CASE.replace('log = ["up"]', 'log = ["up"]\nkept = ["reason=panic"]')
        result, printed = self.run_with(GOOD.replace(LOG, LOG + b"".join(told)), case=case)
        self.assertEqual(result, 0, printed)
        self.fails("kept over the reset: 'reason=panic' is not there", GOOD, case=case)
        self.fails("'gone' is not there", GOOD.replace(LOG, LOG + b"".join(told)), case=case.replace("reason=panic", "gone"))

    def test_quarantine_is_an_end(self):
        stuck = audit("start partition=web", "quarantined partition=web generation=1 status=137 detail=cpu_stuck", "closed")
        rest = LOG + b"".join(stuck) + MACHINE_END
        self.fails("status is 137, expected 3", rest)

    def test_byte_outside_frames(self):
        self.fails("stands outside every frame", LOG + b"x" + START + OUTPUT + end() + CLOSED + MACHINE_END)

    def test_length_that_lies(self):
        short = frame("o", "0", "hello").replace(b"hello", b"hell")
        self.fails("its length or CRC is wrong", LOG + START + short + OUTPUT + end() + CLOSED + MACHINE_END)

    def test_checksum_that_lies(self):
        other = frame("o", "0", "hello").replace(b"hello", b"hallo")
        self.fails("its length or CRC is wrong", LOG + START + other + OUTPUT + end() + CLOSED + MACHINE_END)

    def test_frame_that_is_missing(self):
        self.fails("frame 3 at 25 stands where frame 1 should be", LOG + frame("o", "0", "hello\n", number=3) + end() + MACHINE_END)

    def test_cut_line(self):
        self.fails("serial line", (LOG + START + OUTPUT + end() + CLOSED + MACHINE_END)[:-3])

    def test_record_without_keys(self):
        self.fails("no partition, generation", LOG + START + OUTPUT + frame("x", "0", "status=3") + end() + CLOSED + MACHINE_END)

    def test_partition_that_the_case_does_not_name_must_end_too(self):
        two = CASE.replace("memory: 4MiB}\n", "memory: 4MiB}\n  other: {kernel: web.elf, cpus: 1, memory: 4MiB}\n")
        self.fails("partition other: no record of its last end", GOOD, case=two)

    def test_consoles_are_shown(self):
        _, printed = self.run_with(LOG + START + frame("o", "0", "hello\nlast words\n") + end(status=4) + CLOSED + MACHINE_END)
        self.assertIn("last words", printed)

    def test_failing_tool(self):
        self.program("tool", "#!/bin/sh\necho broken >&2\nexit 3\n")
        self.fails("status 3", GOOD)

    def test_monitor_speaks_when_its_text_is_there(self):
        qemu = self.program("qemu-with-monitor", """#!/usr/bin/env python3
import socket, sys
if sys.argv[1] == "--version":
    sys.exit(print("QEMU emulator version 10.0.2"))
path = sys.argv[sys.argv.index("-monitor") + 1].split(":")[1].split(",")[0]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
server.settimeout(3)
out = sys.stdout.buffer
out.write(%r)
out.flush()
said = server.accept()[0].makefile().readline()
out.write(%r if said == "mce 1\\n" else b"said " + said.encode())
out.flush()
sys.exit(33)
""" % (LOG + START, OUTPUT + end() + CLOSED + MACHINE_END))
        case = CASE.replace("[expect]", '[boot]\nmonitor = [{ after = "up", command = "mce 1" }]\n[expect]', 1)
        result, printed = self.run_with(b"", case=case, qemu=qemu)
        self.assertEqual(result, 0, printed)
        result, printed = self.run_with(b"", case=case.replace("mce 1", "mce 2"), qemu=qemu)
        self.assertIn("stands outside every frame", printed)

    def test_programs_beside_the_machine(self):
        """One that asks on the host, in a root of the case's: said, status, order, and a machine that ends before it."""
        busybox = "busybox = [\"sh\", \"echo\", \"sleep\"]"
        step = '[boot]\nhost = [{ after = "up", image = "asks", run = ["/bin/sh", "-c", "%s"], prints = ["one", "two"] }]\n'
        case = CASE.replace("[expect]", "[images.asks]\n" + busybox + "\n" + step + "[expect]", 1)
        if images.can_chroot() is None:
            self.skipTest("neither root nor user namespaces")
        result, printed = self.run_with(GOOD, sleep=3, case=case % "echo one; echo two")
        self.assertEqual(result, 0, printed)
        self.fails("'two' is not there", GOOD, sleep=3, case=case % "echo two; echo one")
        self.fails("status 7", GOOD, sleep=3, case=case % "echo one; echo two; exit 7")
        self.fails("ended before it began", GOOD, case=(case % "echo one; echo two").replace("up", "down", 1))
        with mock.patch.object(machine, "GRACE", 0.2):
            self.fails("the machine ended before it", GOOD, case=case % "echo one; echo two; sleep 100")

    def test_what_is_missing_skips(self):
        result, printed = self.run_with(GOOD, case=CASE.replace("time_limit", 'requires = ["file:/nonexistent"]\ntime_limit'))
        self.assertEqual(result, 77)
        self.assertIn("/nonexistent", printed)

    def test_old_qemu(self):
        old = self.program("old", "#!/bin/sh\necho QEMU emulator version 7.2.1\n")
        path = os.path.join(self.directory.name, "standin.toml")
        os.environ["CAISSON_QEMU"] = old
        with open(path, "w", encoding="utf-8") as file:
            file.write(CASE)
        with redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(run_case.main([path, "--build", self.build]), 1)
        del os.environ["CAISSON_QEMU"]
        self.assertIn("8.2", printed.getvalue())


class CaseTest(unittest.TestCase):
    def load(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return cases.load(file.name)

    def test_unknown_keys_are_refused(self):
        for wrong in ("[manifest]\ntext=''\n[expect]\nstatsu=1\n", "[manifest]\ntext=''\ntxet=''\n[expect]\nlog=['a']\n",
                      "[manifest]\ntext=''\n[expect]\nlog=['a']\n[expect.partitions.web]\nouput=''\n",
                      "labels=['quik']\n[manifest]\ntext=''\n[expect]\nlog=['a']\n", "[expect]\nlog=['a']\n",
                      "[manifest]\ntext=''\n",
                      "[manifest]\ntext=''\n[boot]\nmonitor=[{after='a'}]\n[expect]\nlog=['a']\n",
                      "[images.a]\n[manifest]\ntext=''\n[boot]\nhost=[{run=['a'], image='a'}]\n[expect]\nlog=['a']\n",
                      "[manifest]\ntext=''\n[boot]\nhost=[{run=['a'], image='a', prints=['a']}]\n[expect]\nlog=['a']\n",
                      "[images.a]\n[manifest]\ntext=''\n[boot]\nhost=[{run=['a'], image='a', prints=['a'], fetch='a'}]\n[expect]\nlog=['a']\n"):
            with self.assertRaises(cases.CaseError, msg=wrong):
                self.load(wrong)

    def test_comparisons(self):
        self.assertTrue(cases.holds("<= 2", "2"))
        self.assertFalse(cases.holds("< 2", "2"))
        self.assertFalse(cases.holds("<= 2", "none"))
        self.assertTrue(cases.holds("exit", "exit"))
        self.assertTrue(cases.holds(0, "0"))
        self.assertFalse(cases.holds(0, "00"))

    def test_every_case_of_the_tree_loads(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../cases")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".toml"):
                with self.subTest(name):
                    case = cases.load(os.path.join(folder, name))
                    self.assertTrue(case.get("labels"), "no labels")
                    if "manifest" in case and "command" not in case:
                        names = cases.partition_names(case["manifest"]["text"], case["expect"].get("partitions", {}))
                        self.assertLessEqual(set(case["expect"].get("partitions", {})), set(names))


class FramesTest(unittest.TestCase):
    def test_payload_may_hold_anything(self):
        line = frames.Line(frame("o", "0", b"\x1e\n\x00 x\x1d\x1f") + frame("r", "0", "bad", number=1) + end())
        self.assertEqual(line.errors, [])
        self.assertEqual(line.output("web"), b"\x1e\n\x00 x\x1d\x1fbad")
        self.assertEqual(line.error_output("web"), b"bad")

    def test_bytes_are_those_of_the_encoder(self):
        # hypervisor/core/audit/frame_test.cpp has the same.
        self.assertEqual(frame("o", "3", "hi", number=12), b"\x1eo\x1f12\x1f3\x1f1\x1fhi\x1f11\x1f6326880d\n")

    def test_no_frame_at_all(self):
        line = frames.Line(b"SeaBIOS")
        self.assertEqual((line.noise, line.frames, line.errors), (b"SeaBIOS", [], []))

    def test_too_long(self):
        self.assertTrue(frames.Line(frame("o", "0", b"a" * 1025)).errors)


def small_case(*names, **keys):
    blocks = "".join(f"  {name}: {{kernel: web.elf, cpus: 3, memory: 4MiB}}\n" for name in names)
    return {"description": "", "labels": ["quick"], "expect": {"log": ["up"]}, **keys, "manifest": {"text":
            "name: test\nmachine: {board: qemu-q35, cpus: 8, memory: 64MiB}\npartitions:\n" + blocks}}


class BatchTest(unittest.TestCase):
    def test_what_follows_the_partitions_is_none(self):
        text = "name: x\npartitions:\n  a: {cpus: 1}\n  b:\n    cpus: 1\nnetwork:\n  allow:\n    - {from: a, to: b}\n"
        self.assertEqual(list(batch.partition_blocks(text)), ["a", "b"])
        self.assertEqual(batch.partition_blocks(text)["b"], "  b:\n    cpus: 1")

    def pack(self, **selected):
        return batch.pack({name: (case, batch.runs_on(case)) for name, case in selected.items()})

    def test_cases_share_a_boot_up_to_the_limit_of_cpus(self):
        packed = self.pack(a=small_case("web", "db"), b=small_case("web"), c=small_case("x", "y"))
        self.assertEqual([one.members for one in packed], [["a", "b"], ["c"]])
        self.assertEqual(batch.cpus_of(packed[0].blocks), 9)
        self.assertEqual(packed[0].names["b"], {"web2": "web"})
        self.assertIn("\n  web2: {kernel", packed[0].manifest())

    def test_what_is_about_the_machine_boots_alone(self):
        for keys in ({"boot": {"cpu": "max"}}, {"bundle": {"unsigned": True}}, {"expect": {"qemu_status": 35}}, {"keys": ["other"]}):
            self.assertEqual([one.members for one in self.pack(a=small_case("web"), b=small_case("db", **keys))], [["a"], ["b"]])
        signed = small_case("db")
        signed["manifest"]["text"] = "signing: {key: other.key}\n" + signed["manifest"]["text"]
        self.assertEqual(len(self.pack(a=small_case("web"), b=signed)), 2)

    def test_only_cases_of_the_same_platforms_share_a_boot(self):
        self.assertEqual(len(self.pack(a=small_case("web"), b=small_case("db", platforms=["qemu-svm"]))), 2)
        for key in ("icount", "threads"):
            self.assertEqual(batch.runs_on(small_case("web", boot={key: True})), ("qemu-svm",))

    def test_a_case_sees_its_own_share_under_its_own_names(self):
        other = b"partition=web2 generation=1 status=7 reason=exit detail=none exits=1 refusals=0 dropped=0 started=1 first_output=2 ended=3 last=1"
        records = b"".join(audit("start partition=web", "refused partition=web2", "closed"))
        line = frames.Line(LOG + records + OUTPUT + frame("o", "1", "I am name=web2\n") + end() + frame("x", "1", other) + MACHINE_END)
        first, second = batch.view(line, {"web": "web"}), batch.view(line, {"web2": "web"})
        self.assertEqual((first.ends("web")[0]["status"], second.ends("web")[0]["status"]), ("3", "7"))
        self.assertEqual(second.output("web"), b"I am name=web\n")
        self.assertNotIn(b"web2", first.output("web"))
        self.assertTrue(any(r.get("event") == "refused" and r["partition"] == "web" for r in second.audit()))
        self.assertFalse(any(r.get("event") == "refused" and r["partition"] == "web" for r in first.audit()))
        self.assertEqual((first.log(), len(first.of("e"))), (line.log(), 1))


class PlatformsTest(unittest.TestCase):
    def exclusions(self, text, known):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return run_platforms.load_exclusions(file.name, known)

    def test_every_platform_left_out_needs_its_reason(self):
        known = {"one": small_case("web", platforms=["qemu-svm", "bochs-svm"])}
        entry = '[[exclude]]\ncase = "one"\nplatforms = ["%s"]\nreason = "a defect"\n'
        self.assertEqual(self.exclusions(entry % "bochs-vmx", known), ({("one", "bochs-vmx"): "a defect"}, []))
        self.assertEqual(len(self.exclusions("", known)[1]), 1)
        self.assertEqual(len(self.exclusions(entry % "bochs-svm", known)[1]), 2)

    def test_the_tree_s_exclusions_are_complete(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../cases")
        known = run_platforms.load_cases(folder)
        self.assertEqual(run_platforms.load_exclusions(run_platforms.EXCLUSIONS, known)[1], [])

    def test_table_counts_and_gives_reasons(self):
        known = {"one": small_case("web"), "two": small_case("db")}
        results = {("one", "qemu-svm"): ("passed", ""), ("one", "bochs-svm"): ("failed", "status is 1"), ("two", "qemu-svm"): ("passed", "")}
        text = "\n".join(run_platforms.table(known, results, {("two", "bochs-svm"): "a defect"}, {}, ["qemu-svm", "bochs-svm"]))
        for wanted in ("qemu-svm: 2 passed, 0 failed, 0 excluded", "bochs-svm: 0 passed, 1 failed, 1 excluded",
                       "excluded: two on bochs-svm: a defect", "FAILED: one on bochs-svm: status is 1"):
            self.assertIn(wanted, text)
        del results[("two", "qemu-svm")]
        text = "\n".join(run_platforms.table(known, results, {("two", "bochs-svm"): "a defect"}, {}, ["qemu-svm", "bochs-svm"], ["two"]))
        self.assertRegex(text, "two +own test +excluded")
        self.assertIn("qemu-svm: 1 passed, 0 failed, 0 excluded, 0 skipped, 1 left to tests of their own (boot.CASE)", text)

    def test_what_does_not_depend_on_the_vendor_takes_the_models_in_turn(self):
        known = {name: small_case("web", labels=[label]) for name, label in
                 [("a", "chroot"), ("b", "isolation"), ("c", "trust"), ("d", "chroot"), ("e", "chroot"), ("f", "chroot"), ("g", "chroot")]}
        known["g"]["time_limit"] = 400
        for name in "abcdeg": # f has three CPUs
            known[name]["manifest"]["text"] = known[name]["manifest"]["text"].replace("cpus: 3", "cpus: 1")
        known["e"]["platforms"] = ["qemu-svm", "bochs-vmx"]
        turns = run_platforms.in_turn(known)
        self.assertEqual(turns, {"a": {"bochs-svm"}, "c": {"bochs-vmx"}, "d": {"bochs-svm"}, "g": {"bochs-svm", "bochs-vmx"}})
        results = {(name, p): ("passed", "") for name in known for p in ("qemu-svm", "bochs-svm", "bochs-vmx") if p not in turns.get(name, ())}
        excluded = {("e", "bochs-svm"): "a reason"}
        text = "\n".join(run_platforms.table(known, results, excluded, {}, ["qemu-svm", "bochs-svm", "bochs-vmx"], (), turns))
        self.assertRegex(text, "a +passed +in turn +passed")
        self.assertIn("bochs-svm: 4 passed, 0 failed, 1 excluded, 0 skipped, 0 left to tests of their own (boot.CASE), 3 left to the other model", text)


class BochsTest(unittest.TestCase):
    def test_end_of_the_machine(self):
        self.assertEqual(bochs.ended(GOOD), "all-stopped")
        self.assertIsNone(bochs.ended(GOOD[:-3]))
        self.assertIsNone(bochs.ended(LOG + START))
        self.assertIsNone(bochs.ended(LOG + START + frame("o", "0", MACHINE_END)))  # a guest says it

    def run_with(self, serial, log="", sleep=0, limit=20, no_port=0):
        """What bochs.run() makes of a Bochs that finds no port for its screen NO_PORT times, then says SERIAL and stays for
        SLEEP seconds."""
        with tempfile.TemporaryDirectory(prefix="caisson bochs ") as place:
            program = os.path.join(place, "bochs")
            with open(program, "w", encoding="utf-8") as file:
                file.write(f"""#!/usr/bin/env python3
import os, re, sys, time
said, starts = open(sys.argv[3]).read(), {place + "/starts"!r}
open(starts, "a").write("x")
if os.path.getsize(starts) <= {no_port}:
    open(re.search('log: "(.*)"', said)[1], "w").write("00000000000p[RFB   ] >>PANIC<< RFB could not bind any port between 5900 and 5949\\n")
    sys.exit(1)
open(re.search('dev="(.*)"', said)[1], "wb").write({serial!r})
open(re.search('log: "(.*)"', said)[1], "w").write({log!r})
time.sleep({sleep})
sys.exit(1)
""")
            os.chmod(program, 0o755)
            with mock.patch.dict(os.environ, PATH=f"{place}:{os.environ['PATH']}"), mock.patch.object(bochs, "make_iso", lambda *_: "none"):
                return bochs.run("bochs-svm", {"cpus": 2, "memory": "64M"}, "loader", "bundle", limit, place)

    def test_a_machine_that_powers_off(self):
        run = self.run_with(GOOD)
        self.assertEqual((run.status, run.timed_out, run.complaints, run.serial), (33, False, [], GOOD))

    def test_a_machine_that_halts_is_ended(self):
        started = time.monotonic()
        run = self.run_with(LOG + frame("e", "hv", "reason=refused action=halt"), sleep=60)
        self.assertEqual((run.status, run.timed_out), (35, False))
        self.assertLess(time.monotonic() - started, 15)

    def test_a_machine_that_never_ends(self):
        run = self.run_with(LOG + frame("o", "0", MACHINE_END), sleep=60, limit=2)
        self.assertEqual((run.status, run.timed_out), (1, True))

    def test_a_bochs_that_dies(self):
        run = self.run_with(b"", log="00000000000p[BIOS  ] >>PANIC<< No bootable device.\n")
        self.assertEqual((run.status, run.complaints), (1, ["Bochs: >>PANIC<< No bootable device."]))

    def test_a_bochs_without_a_port_is_started_again(self):
        with mock.patch.object(bochs.time, "sleep"):
            run = self.run_with(GOOD, no_port=2)
            self.assertEqual((run.status, run.complaints, run.serial), (33, [], GOOD))
            run = self.run_with(GOOD, no_port=99)
            self.assertEqual((run.status, len(run.complaints), run.serial), (1, 1, b""))

    def test_too_many_cpus(self):
        with self.assertRaisesRegex(run_case.machine.MachineError, "at most 12"):
            bochs.run("bochs-svm", {"cpus": 13}, "loader", "bundle", 1, "/nonexistent")

    def test_panics_of_bochs_are_complaints(self):
        log = ("00142773760p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n"
               "00109419790p[ACPI  ] >>PANIC<< ACPI control: soft power off\n")
        self.assertEqual(bochs.complaints_of(log), [])
        self.assertEqual(bochs.complaints_of(log + "00000000000p[BIOS  ] >>PANIC<< No bootable device.\n"),
                         ["Bochs: >>PANIC<< No bootable device."])


class ScreenTest(unittest.TestCase):
    """The decoder of screenshots: it reads what is drawn, and nothing else."""

    SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    def picture(self, rows, size=(1280, 800), ink=(0xaa, 0xaa, 0xaa), spoil=None):
        """A screenshot of those rows, drawn as hypervisor/core/screen does."""
        letters = {letter: dots for dots, letter in screen.font(self.SOURCE).items()}
        width, height = size
        scale = 2 if height >= 2000 else 1
        left, top = (width - 640 * scale) // 2, (height - 400 * scale) // 2
        pixels = bytearray(width * height * 3)
        for row, text in enumerate(rows):
            for column, letter in enumerate(text):
                for y in range(16 * scale):
                    for x in range(8 * scale):
                        if letters[letter][y // scale // 2] >> x // scale & 1:
                            at = ((top + row * 16 * scale + y) * width + left + column * 8 * scale + x) * 3
                            pixels[at:at + 3] = bytes(ink)
        if spoil:
            x, y = spoil
            at = ((top + y) * width + left + x) * 3
            pixels[at] ^= 0xff
        return b"P6\n%d %d\n255\n" % size + bytes(pixels)

    def test_reads_every_letter(self):
        text = "".join(map(chr, range(32, 127)))
        for size in ((640, 400), (1280, 800), (3840, 2160)):
            seen = screen.decode(self.picture([text[:80], text[80:]], size), screen.font(self.SOURCE))
            self.assertEqual(seen.rows[:3], [text[:80], text[80:], ""])
            self.assertEqual(seen.colour_of(0, "ABC"), {"plain"})

    def test_a_wrong_pixel_is_no_letter(self):
        for spoil in ((3, 5), (0, 0), (7, 15)):
            seen = screen.decode(self.picture(["E"], spoil=spoil), screen.font(self.SOURCE))
            self.assertEqual(seen.rows[0], "\0")

    def test_compares_line_for_line(self):
        red = self.picture(["one 12 [x]"], ink=(0xff, 0x55, 0x55))
        seen = screen.decode(red, screen.font(self.SOURCE))
        empty = ["-|"] * 24
        self.assertEqual(screen.compare(seen, ["red  |one * [x]", *empty]), [])
        self.assertEqual(len(screen.compare(seen, ["plain|one * [x]", *empty])), 1)
        self.assertEqual(len(screen.compare(seen, ["red  |one 13 [x]", *empty])), 1)
        self.assertEqual(len(screen.compare(seen, ["-|", *empty])), 1)
        self.assertEqual(len(screen.compare(seen, empty)), 1)

    def test_refuses_what_is_no_screenshot(self):
        for data in (b"", b"P5\n640 400\n255\n", b"P6\n640 400\n255\n" + bytes(10), b"P6\n320 200\n255\n" + bytes(320 * 200 * 3)):
            with self.assertRaises(screen.ScreenError):
                screen.decode(data, {})


class PatienceTest(unittest.TestCase):
    """A limit counts what the program had of the machine, not how long that took."""

    SPIN = "import time\nwhile time.process_time() < {}: pass"

    def start(self, text):
        process = subprocess.Popen([sys.executable, "-c", text], start_new_session=True)
        self.addCleanup(patience.kill, process)
        return process

    def test_sleeping_counts(self):
        self.assertTrue(patience.wait(self.start("import time; time.sleep(60)"), 1))

    def test_computing_counts(self):
        self.assertTrue(patience.wait(self.start(self.SPIN.format(60)), 1))

    def test_threads_side_by_side_count_once(self):
        process = self.start("import os, time\nif not os.fork(): pass\n" + self.SPIN.format(1.2))
        self.assertFalse(patience.wait(process, 2.2))

    def test_waiting_for_a_cpu_does_not_count(self):
        busy = [self.start(f"import os\nos.sched_setaffinity(0, [0])\n{self.SPIN.format(60)}") for _ in range(5)]
        process = self.start(f"import os\nos.sched_setaffinity(0, [0])\n{self.SPIN.format(0.6)}")
        started = time.monotonic()
        self.assertFalse(patience.wait(process, 1.5))
        self.assertGreater(time.monotonic() - started, 1.5)  # else the others were no load
        for one in busy:
            patience.kill(one)

    def test_what_it_left_running_counts(self):
        with self.assertRaises(subprocess.TimeoutExpired) as raised:
            patience.run([sys.executable, "-u", "-c", "import os, time\nprint('said')\nif not os.fork(): time.sleep(60)"], 1)
        self.assertEqual(raised.exception.stdout, b"said\n")


class BesideTest(unittest.TestCase):
    """Programs of the host that ask the machine."""

    def ask(self, script, still=0.5):
        step = {"run": ["ask"], "command": ["/bin/sh", "-c", script], "prints": ["right"]}
        complaints = []
        with mock.patch.object(machine, "STILL", still), redirect_stdout(io.StringIO()) as said:
            good = machine.run_beside(step, mock.Mock(poll=lambda: None), complaints)
        return good, complaints, said.getvalue()

    def test_one_that_waits_for_what_is_lost_is_started_again_and_that_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            good, complaints, said = self.ask(f"[ -e {folder}/seen ] && echo right || {{ touch {folder}/seen; echo first; sleep 60; }}")
        self.assertEqual((good, complaints, said.count("was started again")), (True, [], 1))
        self.assertIn("first", said)

    def test_a_wrong_answer_is_wrong_at_once(self):
        good, complaints, said = self.ask("echo wrong; exit 3")
        self.assertEqual((good, said), (False, ""))
        self.assertIn("status 3", complaints[0])

    def test_one_that_always_waits_fails(self):
        good, complaints, said = self.ask("exec sleep 4", still=0.2)
        self.assertFalse(good)
        self.assertEqual(said.count("was started again"), machine.TRIES - 1)
        self.assertIn("'right' is not there", complaints[0])

    def test_one_that_computes_is_not_still(self):
        good, complaints, said = self.ask("n=0; while [ $n -lt 400000 ]; do n=$((n + 1)); done; echo right", still=0.3)
        self.assertEqual((good, complaints, said), (True, [], ""))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
