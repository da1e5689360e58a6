# SPDX-License-Identifier: Apache-2.0
"""What a run said against what its case expects. Every function returns a list of complaints; empty means good."""
import difflib

from case import END_KEYS, holds

DEFAULT_STATUS = 33  # 2 * CAISSON_DEBUG_EXIT_ALL_STOPPED + 1


def in_order(what, needles, text):
    at = 0
    for needle in needles:
        found = text.find(needle, at)
        if found < 0:
            return [f"{what}: {needle!r} is not there" + (" after the ones before it" if at else "")]
        at = found + len(needle)
    return []


def matches(pattern, record):
    return all(key in record and holds(value, record[key]) for key, value in pattern.items())


def check_partition(line, name, checks, chroot):
    complaints = []
    ends = line.ends(name)
    last = [end for end in ends if end["last"] == "1"]
    if len(last) != 1 or ends[-1] is not last[0]:
        return [f"partition {name}: no record of its last end ({len(ends)} end records)"]
    for key in END_KEYS:
        if key in checks and not holds(checks[key], ends[-1][key]):
            complaints.append(f"partition {name}: {key} is {ends[-1][key]}, expected {checks[key]}")
    if "generations" in checks and len(ends) != checks["generations"]:
        complaints.append(f"partition {name}: {len(ends)} generations ended, expected {checks['generations']}")
    output = line.output(name)
    text = output.decode("utf-8", "surrogateescape")
    if "output" in checks and text != checks["output"]:
        complaints.append(f"partition {name}: printed {text!r}, expected {checks['output']!r}")
    if "errors" in checks and (errors := line.error_output(name).decode("utf-8", "surrogateescape")) != checks["errors"]:
        complaints.append(f"partition {name}: wrote {errors!r} to standard error, expected {checks['errors']!r}")
    complaints += in_order(f"partition {name}", checks.get("contains", []), text)
    complaints += [f"partition {name}: printed {bad!r}" for bad in checks.get("lacks", []) if bad in text]
    if "same_as_chroot" in checks:
        expected_output, expected_status = chroot[checks["same_as_chroot"]]
        if output != expected_output:
            complaints.append(f"partition {name}: printed\n    {output!r}\n  in the chroot\n    {expected_output!r}")
        if int(ends[-1]["status"]) != expected_status:
            complaints.append(f"partition {name}: status {ends[-1]['status']}, in the chroot {expected_status}")
    if "same_as_init" in checks:
        expected_output, expected_status = chroot[checks["same_as_init"]]
        lines = [data.decode("utf-8", "backslashreplace").split("\n") for data in (expected_output, output)]
        if lines[0] != lines[1]:
            differences = "\n    ".join(list(difflib.unified_diff(*lines, "natively", "here", lineterm="", n=1))[:60])
            complaints.append(f"partition {name}: not as natively:\n    {differences}")
        if int(ends[-1]["status"]) != expected_status:
            complaints.append(f"partition {name}: status {ends[-1]['status']}, natively {expected_status}")
    return complaints


def outlives(line, name, other):
    """That partition ran before half of the other's lives had begun and until after its last. (On a busy machine the
    emulator may start its CPU only after a few of them.)"""
    ours, others = line.ends(name), line.ends(other)
    if not ours or len(others) < 2:
        return [f"partition {name}: cannot outlive {other}, which has {len(others)} lives"]
    if int(ours[0]["started"]) > int(others[len(others) // 2]["started"]) or int(ours[-1]["ended"]) < int(others[-1]["ended"]):
        return [f"partition {name}: does not run from the middle of {other}'s lives to its last"]
    return []


def check_lives(line, partitions, expect, chroot):
    """A machine that was reset: what each of its lives said. Only the last one is expected to end its partitions."""
    lives = line.lives()
    if len(lives) != len(expect):
        return [f"the machine lived {len(lives)} times, expected {len(expect)}"] + [f"serial line: {error}" for error in line.errors]
    complaints = []
    for number, (life, wanted) in enumerate(zip(lives, expect), 1):
        names = partitions if number == len(lives) else list(wanted.get("partitions", {}))
        complaints += [f"life {number}: {text}" for text in check_machine(life, names, wanted, chroot)]
    return complaints


def check_machine(line, partitions, expect, chroot):
    """The frames of an appliance. partitions: the names that the manifest gives."""
    if "lives" in expect:
        return check_lives(line, partitions, expect["lives"], chroot)
    complaints = [f"serial line: {error}" for error in line.errors]
    status = expect.get("qemu_status", DEFAULT_STATUS)
    refused = status != DEFAULT_STATUS
    end = expect.get("end", {} if refused else {"reason": "all-stopped"})
    if end:
        records = line.of("e")
        if len(records) != 1:
            complaints.append(f"{len(records)} records of the machine's end, expected one")
        elif not matches(end, records[0].keys):
            complaints.append(f"the machine's end is {records[0].keys}, expected {end}")
    if "boot" in expect:
        records = line.of("b")
        if len(records) != 1:
            complaints.append(f"{len(records)} records of boot figures, expected one")
        elif not matches(expect["boot"], records[0].keys):
            complaints.append(f"the boot figures are {records[0].keys}, expected {expect['boot']}")
    wanted = expect.get("partitions", {})
    for name in sorted(set(wanted) - set(partitions)):
        complaints.append(f"the case expects partition {name}, which the manifest does not have")
    for name in partitions if not refused else wanted:
        complaints += check_partition(line, name, wanted.get(name, {}), chroot)
    for name, checks in wanted.items():
        if "outlives" in checks:
            complaints += outlives(line, name, checks["outlives"])
    audit = line.audit()
    for pattern in expect.get("audit", []):
        if not any(matches(pattern, record) for record in audit):
            complaints.append(f"no audit record matches {pattern}")
    for pattern in expect.get("no_audit", []):
        complaints += [f"audit record {record} should not be there" for record in audit if matches(pattern, record)]
    if "kept" in expect:
        complaints += in_order("kept over the reset", expect["kept"], line.kept())
    log = line.log()
    complaints += in_order("log", expect.get("log", []), log)
    complaints += [f"log: {bad!r} is there" for bad in expect.get("no_log", []) if bad in log]
    return complaints


def check_run(run, expect):
    """The emulator itself: its end, and what it complains about."""
    complaints = list(run.complaints)
    if run.timed_out:
        complaints.append(f"the time limit of {run.time_limit} s passed")
    if b"Bad icount read" in run.stderr or b"Bad icount read" in run.serial:
        complaints.append("QEMU says: Bad icount read")
    status = expect.get("qemu_status", DEFAULT_STATUS)
    if not run.timed_out and run.status != status:
        complaints.append(f"the emulator's status is {run.status}, expected {status}")
    return complaints
