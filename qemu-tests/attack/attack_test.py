#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""caisson attack, as a user runs it. usage: attack_test.py --build DIR all | demo | weak NAME CLASS CASE... | random SEEDS STEPS | bochs CLASS... |
random-bochs SEEDS STEPS"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))
import bochs  # noqa: E402
import images  # noqa: E402
import weak  # noqa: E402

LIMIT = 1500  # seconds for Bochs
KEYS = ["name", "class", "vendor", "verdict", "expected", "audit", "passed"]
MANIFEST = """apiVersion: caisson/v1
name: test
version: 1.0.0
securityVersion: 1
machine: {{board: qemu-q35, cpus: 1, memory: 128MiB}}
partitions:
  calm: {{kernel: "{guests}/statuses.elf", cmdline: "0", cpus: 1, memory: 4MiB}}
"""


# The same two partitions that the command adds. The fourth CPU drains the serial line: Bochs has a real baud rate, at which the
# records of so many refusals are more than two busy CPUs send beside their work.
RECORDED = """apiVersion: caisson/v1
name: test
version: 1.0.0
securityVersion: 1
machine: {{board: qemu-q35, cpus: 4, memory: 128MiB}}
partitions:
  attack-hostile: {{kernel: "{adversary}", cmdline: "{hostile}", cpus: 2, memory: 4MiB, restart: on-failure, restartDelay: 0s}}
  attack-witness: {{kernel: "{adversary}", cmdline: "witness", cpus: 1, memory: 4MiB}}
network: {{allow: [{{from: attack-hostile, to: attack-witness}}]}}
"""


class Attack:
    def __init__(self, build, work):
        self.work = work
        with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
            self.built = json.load(file)
        self.manifest = os.path.join(work, "appliance.yaml")
        with open(self.manifest, "w", encoding="utf-8") as file:
            file.write(MANIFEST.format(guests=os.path.join(build, "qemu-tests/guests")))
        self.environment = {**os.environ, "HOME": work, "XDG_CONFIG_HOME": work, "XDG_CACHE_HOME": work}

    def weaken(self, name):
        library = os.path.join(self.work, "library")
        os.makedirs(library)
        weak.weakened(self.built, name, os.path.join(library, "caisson.elf"))
        os.symlink(self.built["unikernel"], os.path.join(library, "unikernel.elf"))
        os.symlink(self.built["unikernel-net"], os.path.join(library, "unikernel-net.elf"))
        os.symlink(self.built["uplink"], os.path.join(library, "uplink.elf"))
        os.symlink(self.built["adversary"], os.path.join(library, "adversary.elf"))
        self.environment.update(CAISSON_LIB=library, CAISSON_TEST_WEAK_LOADER="1")

    def run(self, *arguments):
        """-> (exit code, items)"""
        run = subprocess.run([self.built["tool"], "attack", self.manifest, "--format", "json", *arguments],
                             capture_output=True, text=True, check=False, env=self.environment, cwd=self.work)
        if run.returncode not in (0, 1):
            sys.exit(f"FAILED: status {run.returncode}\n{run.stdout}{run.stderr}")
        said = json.loads(run.stdout)
        if list(said) != ["schema", "items"] or said["schema"] != "caisson.attack/1":
            sys.exit(f"FAILED: the schema is {list(said)}, {said.get('schema')}")
        for item in said["items"]:
            if list(item) != KEYS:
                sys.exit(f"FAILED: an item has the keys {list(item)}")
        return run.returncode, said["items"]


def complain(items):
    for item in items:
        if not item["passed"]:
            print(f"  {item['class']}/{item['name']}: expected {item['expected']}, got {item['verdict']}; audit {item['audit']}")


def test_all(attack):
    junit = os.path.join(attack.work, "junit.xml")
    status, items = attack.run("--junit", junit)
    complain(items)
    classes = {}
    for item in items:
        classes.setdefault(item["class"], set()).add(item["name"])
    cases = sum(len(names) for names in classes.values())
    print(f"{cases} cases in {len(classes)} classes, the smallest has {min(len(names) for names in classes.values())}")
    suites = xml.etree.ElementTree.parse(junit).getroot()
    good = (status == 0 and all(item["passed"] for item in items) and cases == len(items) and cases >= 150
            and len(classes) >= 12 and min(len(names) for names in classes.values()) >= 8
            and {item["vendor"] for item in items} == {"svm"}
            and sum(int(suite.get("tests")) for suite in suites) == len(items)
            and all(suite.get("failures") == "0" for suite in suites))
    return good


# As scripts/demo.sh makes them, from what is installed instead of fetched.
MAKE_IMAGES = """set -eu; logged() { shift; "$@" >&2; }; fail() { echo "$2" >&2; exit "$1"; }
here=$1 cache=$1/cache tool=$2; . "$3"; make_images"""


def test_demo(attack, source, busybox):
    """The appliance of `./caisson demo`, unchanged."""
    examples, fetched = os.path.join(attack.work, "examples"), os.path.join(attack.work, "cache/fetched/bin")
    os.makedirs(fetched)
    shutil.copytree(os.path.join(source, "examples"), examples)
    shutil.copy(busybox, os.path.join(fetched, "busybox"))
    subprocess.run(["bash", "-c", MAKE_IMAGES, "images", attack.work, attack.built["tool"], os.path.join(source, "scripts/demo.sh")],
                   check=True, env=attack.environment)
    attack.manifest = os.path.join(examples, "demo/appliance.yaml")
    return test_all(attack)


def test_weak(attack, name, group, wanted):
    """The class that the weakness belongs to, and no better verdict than a named case that failed."""
    attack.weaken(name)
    status, items = attack.run("--class", group, "--timeout", "120s")
    red = {item["name"] for item in items if not item["passed"] and item["class"] == group}
    complain(items)
    missing = [case for case in wanted if case not in red]
    if missing:
        print(f"not red under {name}: {', '.join(missing)}")
    return status == 1 and not missing


def say_lives(seed, steps, started, log):
    lives = log.count(b" event=restart ") + 1
    print(f"seed {seed}: {steps} steps in {lives} lives, {time.monotonic() - started:.0f} s", flush=True)


def test_random(attack, seeds, steps):
    good = True
    log = os.path.join(attack.work, "serial")
    for seed in range(1, seeds + 1):
        started = time.monotonic()
        status, items = attack.run("--seed", str(seed), "--steps", str(steps), "--timeout", "3600s", "--log", log)
        complain(items)
        good = good and status == 0 and [(item["name"], item["vendor"]) for item in items] == [(f"seed-{seed}", "svm")]
        say_lives(seed, steps, started, bochs.read(log))
    print(f"{seeds} seeds, {seeds * steps} steps")
    return good


class Enough:
    """The hostile guest has said this so often, and the witness has spoken twice since."""
    def __init__(self, said, times):
        self.said, self.times, self.reports = said, times, None

    def __call__(self, serial):
        reports = serial.count(b"memory=good")
        if self.reports is None and serial.count(self.said) >= self.times:
            self.reports = reports
        return self.reports is not None and reports >= self.reports + 2


class Recorded:
    """The CPU's part on VT-x: Bochs boots, the command judges the serial line."""
    def __init__(self, attack, hostile, enough, name="recorded"):
        with open(attack.manifest, "w", encoding="utf-8") as file:
            file.write(RECORDED.format(adversary=attack.built["adversary"], hostile=hostile))
        bundle = os.path.join(attack.work, name + ".bundle")
        subprocess.run([attack.built["tool"], "build", attack.manifest, "-o", bundle], check=True, env=attack.environment,
                       capture_output=True)
        folder = os.path.join(attack.work, name)
        self.attack, self.serial = attack, os.path.join(folder, "serial")
        self.run = bochs.run("bochs-vmx", {"cpus": 4, "memory": "128M"}, os.path.join(attack.work, name + ".elf"), bundle, LIMIT, folder, enough)
        for complaint in self.run.complaints:
            print(complaint)

    def judge(self, *arguments):
        """-> (whether all is as it must be, items)"""
        status, items = self.attack.run("--replay", self.serial, "--replay-partitions", "attack-hostile,attack-witness", *arguments)
        complain(items)
        return status == 0 and {item["vendor"] for item in items} == {"vmx"} and not self.run.complaints, items


def test_bochs(attack, classes):
    recorded = Recorded(attack, "attack " + ",".join(classes), Enough(b"attack done", 1))
    good, items = recorded.judge()
    print(f"{len(items)} cases on {', '.join(sorted({item['vendor'] for item in items}))}; Bochs ran {'too long' if recorded.run.timed_out else 'to its end'}")
    return good and {item["class"] for item in items} == set(classes)


def test_random_bochs(attack, seeds, steps):
    good = True
    for seed in range(1, seeds + 1):
        started = time.monotonic()
        # Each line says a thousand more.
        recorded = Recorded(attack, f"random seed={seed}", Enough(b"random steps=", -(-steps // 1000) + 2), f"seed-{seed}")
        fine, items = recorded.judge("--seed", str(seed), "--steps", str(steps))
        good = good and fine and [item["name"] for item in items] == [f"seed-{seed}"]
        say_lives(seed, steps, started, recorded.run.serial)
    print(f"{seeds} seeds, {seeds * steps} steps on VT-x")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("what", choices=["all", "demo", "weak", "random", "bochs", "random-bochs"])
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caisson-attack-") as work:
        attack = Attack(os.path.abspath(options.build), work)
        if options.what == "all":
            good = test_all(attack)
        elif options.what == "demo":
            busybox = next((path for path in images.BUSYBOX if os.path.isfile(path)), None)
            if not busybox:
                print("skipped: busybox-static is not installed")
                return 77
            good = test_demo(attack, attack.built["source"], busybox)
        elif options.what == "weak":
            good = test_weak(attack, options.words[0], options.words[1], options.words[2:])
        elif options.what.endswith("bochs"):
            if reason := bochs.missing():
                print(f"skipped: {reason}")
                return 77
            good = (test_bochs(attack, options.words) if options.what == "bochs"
                    else test_random_bochs(attack, int(options.words[0]), int(options.words[1])))
        else:
            good = test_random(attack, int(options.words[0]), int(options.words[1]))
    print("passed" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
