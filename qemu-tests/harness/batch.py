# SPDX-License-Identifier: Apache-2.0
"""Several cases as one appliance: merging their manifests, and looking at one case's share of what the machine said.

A case is merged when all it asks for is partitions; what chooses its own loader, bundle, CPU or figures boots alone.
"""
import copy
import re

import case as cases
from bochs import MAX_CPUS

MAX_MEMORY = 512  # MiB of partitions
STANDARD = {"apiVersion", "name", "version", "securityVersion", "machine", "partitions"}


def partition_blocks(manifest):
    """{name: its lines} below `partitions:`, in order, up to the next key of the manifest's own."""
    blocks, name = {}, None
    below = re.split(r"^partitions:[ ]*$", manifest, maxsplit=1, flags=re.MULTILINE)[1]
    for line in re.split(r"^(?=[A-Za-z-])", below, maxsplit=1, flags=re.MULTILINE)[0].strip("\n").split("\n"):
        match = re.match(r"  ([a-z0-9-]+):", line)
        if match:
            name = match.group(1)
            blocks[name] = []
        blocks[name].append(line)
    return {name: "\n".join(lines) for name, lines in blocks.items()}


def cpus_of(blocks):
    return sum(int((re.search(r"\bcpus: *(\d+)", text) or [0, 1])[1]) for text in blocks.values())


def memory_of(blocks):
    found = (re.search(r"\bmemory: *(\d+)(MiB|GiB)", text) for text in blocks.values())
    return sum(int(match[1]) * (1024 if match[2] == "GiB" else 1) for match in found)


def mergeable(case):
    """Whether nothing but the machine's partitions makes this case what it is."""
    if case.keys() & {"bundle", "keys", "manifests", "boot"} or case["expect"].keys() & {"qemu_status", "end", "boot", "no_log"}:
        return False
    text = case["manifest"]["text"]
    top = set(re.findall(r"^([A-Za-z-]+):", text, flags=re.MULTILINE))
    machine = re.search(r"^machine: *\{(.*)\}", text, flags=re.MULTILINE)
    blocks = partition_blocks(text)
    return (top <= STANDARD and machine is not None and cpus_of(blocks) <= MAX_CPUS and memory_of(blocks) <= MAX_MEMORY
            and set(re.findall(r"(\w+):", machine[1])) <= {"board", "cpus", "memory"})


class Batch:
    """Members share one boot. A partition whose name is taken gets a number; View gives it its own name back."""

    def __init__(self, platforms, alone=False):
        self.platforms, self.alone = platforms, alone
        self.members = []      # names of cases
        self.names = {}        # case -> {name in the batch: name in the case}
        self.blocks = {}       # name in the batch -> manifest lines, of all members
        self.time_limit = 0

    def takes(self, blocks):
        return (not self.alone and cpus_of(self.blocks) + cpus_of(blocks) <= MAX_CPUS
                and memory_of(self.blocks) + memory_of(blocks) <= MAX_MEMORY)

    def add(self, name, case, text):
        self.members.append(name)
        self.names[name] = {}
        self.time_limit = max(self.time_limit, case.get("time_limit", 60))
        for own, block in partition_blocks(text).items():
            new, number = own, 2
            while new in self.blocks:
                new, number = f"{own}{number}", number + 1
            self.names[name][new] = own
            self.blocks[new] = block.replace(f"  {own}:", f"  {new}:", 1)

    def manifest(self):
        memory = 2 * memory_of(self.blocks) + 256
        return ("apiVersion: caisson/v1\nname: batch\nversion: 1.0.0\nsecurityVersion: 1\n"
                f"machine: {{board: qemu-q35, cpus: {cpus_of(self.blocks)}, memory: {memory}MiB}}\npartitions:\n"
                + "\n".join(self.blocks.values()) + "\n")


def pack(selected):
    """selected: {name: (case, platforms)} -> batches, the same every time. Only cases of the same platforms share a boot."""
    batches = []
    for name, (case, platforms) in selected.items():
        alone = not mergeable(case)
        blocks = partition_blocks(case["manifest"]["text"])
        batch = None if alone else next((b for b in batches if b.platforms == platforms and b.takes(blocks)), None)
        if batch is None:
            batch = Batch(platforms, alone)
            batches.append(batch)
        batch.add(name, case, case["manifest"]["text"])
    return batches


def view(line, names):
    """One case's share of a line: its partitions under their own names, and the machine's own records."""
    mine = copy.copy(line)
    mine.names = {index: names.get(new, f"{new} (another case's)") for index, new in line.names.items()}
    mine.records = []
    for record in line.records:
        partition = record.keys.get("partition")
        if partition is None or partition in names:
            mine.records.append(copy.copy(record))
            if partition is not None:
                mine.records[-1].keys = {**record.keys, "partition": names[partition]}
    renamed = {own: new for new, own in names.items()}
    # A guest that prints its own name prints the one that it has in the batch.
    mine.output = lambda name: re.sub(rb"\bname=" + re.escape(renamed.get(name, name).encode()) + rb"\b", b"name=" + name.encode(),
                                      type(line).output(mine, name))
    return mine


# What only QEMU has; a case that uses it needs no entry in platforms.toml.
QEMU_ALONE = {"monitor": "Bochs takes no commands from outside while it runs", "icount": "Bochs has no virtual time by instructions to set",
              "threads": "Bochs runs its CPUs one after the other, in one thread",
              "serial_rate": "Bochs keeps the UART to its baud rate by itself",
              "qemu": "needs a device or option of QEMU's"}


def only_qemu(case):
    """Why a case without `platforms` runs on QEMU alone, or None."""
    if "platforms" in case:
        return None
    return next((why for key, why in QEMU_ALONE.items() if key in case.get("boot", {})), None)


def runs_on(case):
    listed = ["qemu-svm"] if only_qemu(case) else case.get("platforms", cases.PLATFORMS)
    return tuple(platform for platform in cases.PLATFORMS if platform in listed)
