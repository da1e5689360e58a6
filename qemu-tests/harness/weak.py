# SPDX-License-Identifier: Apache-2.0
"""Makes the loader with one weakness of qemu-tests/weak/weaknesses.txt: a copy of caisson_weak.elf with its selector set."""
import os

MAGIC = b"CAISSON-WEAK-V2\0"


class WeaknessError(Exception):
    pass


def weaknesses(source):
    """The names that are listed."""
    with open(os.path.join(source, "qemu-tests/weak/weaknesses.txt"), encoding="utf-8") as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def weakened(built, weakness, output):
    known = weaknesses(built["source"])
    if weakness not in known:
        raise WeaknessError(f"boot.weakness: '{weakness}' is not known; known: {', '.join(known)}")
    with open(built["weak"], "rb") as file:
        elf = bytearray(file.read())
    at = elf.find(MAGIC)
    if at < 0 or elf.find(MAGIC, at + 1) >= 0:
        raise WeaknessError(f"{built['weak']} does not have exactly one selector")
    elf[at + 16:at + 48] = weakness.encode().ljust(32, b"\0")
    with open(output, "wb") as file:
        file.write(elf)
