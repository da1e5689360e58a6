#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""matrix.py --build BUILD-DIR: every case that a program of the host asks, with each network card. Status: 0 all passed, 1 not, 77 none could run.
  --only NAME      one of them (card-redis); several times: several
  --card CARD      with that card alone; several times: several
  --scale N        how many times the load of CI (default 10)
  --record         writes the table of docs/network.md: what ran now, with date and commit, beside what ran before"""
import argparse
import datetime
import glob
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import case as cases  # noqa: E402
import images  # noqa: E402
import machine  # noqa: E402
import run_case  # noqa: E402
import weak  # noqa: E402

CASES = os.path.join(HERE, "../cases")
PAGE = os.path.join(HERE, "../../docs/network.md")
BEGIN, END = "<!-- table: qemu-tests/servers/matrix.py -->", "<!-- end of table -->"
CARDS = {"virtio-net": "virtio-net-pci,disable-legacy=on,iommu_platform=on,netdev=a", "e1000e": "e1000e,netdev=a", "igb": "igb,netdev=a"}


def asked_cases():
    """-> {name: path} of the cases that a program of the host asks through a card."""
    found = {}
    for path in sorted(glob.glob(os.path.join(CASES, "card-*.toml"))):
        if any("run" in step for step in cases.load(path).get("boot", {}).get("host", [])):
            found[os.path.splitext(os.path.basename(path))[0]] = path
    return found


def card_of(case):
    """The card that the case's own file gives its machine."""
    named = [card for card, device in CARDS.items() if device in case["boot"]["qemu"]]
    if len(named) != 1:
        raise cases.CaseError(f"the machine has {len(named)} of the known cards, expected one")
    return named[0]


def with_card(case, card):
    """The same case on a machine with another card."""
    old = CARDS[card_of(case)]
    boot = {**case["boot"], "qemu": [CARDS[card] if word == old else word for word in case["boot"]["qemu"]]}
    return {**case, "boot": boot}


def run_one(path, card, scale, build, work):
    """-> (passed | FAILED | skipped, what was wrong, seconds)"""
    started = time.monotonic()
    try:
        one = run_case.Case(path, build, work)
        one.case = with_card(one.case, card)
        one.rescale(scale)
        reason = one.missing("qemu-svm")
        if reason:
            return "skipped", reason, 0
        complaints, consoles = one.run("qemu-svm")
        if complaints:
            complaints += [f"{name}: ...{text[-1500:]}" for name, text in consoles.items()]
    except (cases.CaseError, weak.WeaknessError, images.ImageError, machine.MachineError, subprocess.SubprocessError, OSError) as error:
        complaints = [str(error)]
    return ("FAILED" if complaints else "passed"), "\n".join(complaints), time.monotonic() - started


def read_table(text):
    """-> {(server, card): cell} of the page as it is."""
    rows = re.findall(r"^\| (card-[a-z0-9-]+|[a-z0-9-]+) \|(.*)\|$", text.split(BEGIN)[-1].split(END)[0], re.M)
    return {(name, card): cell.strip() for name, cells in rows if name not in ("server", "---") for card, cell in zip(CARDS, cells.split("|"))}


def written(text, results, stamp):
    """The page with what ran now, {(server, card): (verdict, scale)}, in its table; what did not keeps what it said. A skipped one ran not."""
    table = read_table(text)
    table.update({key: f"{verdict}, ×{scale}, {stamp}" for key, (verdict, scale) in results.items() if verdict != "skipped"})
    names = sorted({name for name, _ in table})
    lines = ["| server | " + " | ".join(CARDS) + " |", "| --- |" + " --- |" * len(CARDS)]
    lines += [f"| {name} | " + " | ".join(table.get((name, card), "") for card in CARDS) + " |" for name in names]
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", action="append")
    parser.add_argument("--card", action="append", choices=list(CARDS))
    parser.add_argument("--scale", type=int, default=10)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    known = asked_cases()
    unknown = set(options.only or []) - set(known)
    if unknown:
        sys.exit(f"no case of the host's: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    results = {}
    for name, path in known.items():
        for card in CARDS if not options.only or name in options.only else []:
            if options.card and card not in options.card:
                continue
            verdict, why, seconds = run_one(path, card, options.scale, options.build, os.path.join(options.build, "qemu-tests/work", f"matrix-{name}-{card}"))
            print(f"{verdict:<8} {name:<18} {card:<11} {seconds:6.1f} s{'  ' + why if why else ''}", flush=True)
            results[name.removeprefix("card-"), card] = verdict, options.scale
    if options.record:
        commit = subprocess.run(["git", "-C", HERE, "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        with open(PAGE, encoding="utf-8") as file:
            text = file.read()
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(written(text, results, f"{datetime.date.today()} {commit}"))
    verdicts = [verdict for verdict, _ in results.values()]
    print(f"{verdicts.count('passed')} passed, {verdicts.count('FAILED')} failed, {verdicts.count('skipped')} skipped")
    sys.exit(1 if "FAILED" in verdicts else 0 if "passed" in verdicts else 77)


if __name__ == "__main__":
    main()
