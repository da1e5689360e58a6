# SPDX-License-Identifier: Apache-2.0
"""Makes the loader with one weakness of hypervisor/base/weakness.hpp: a copy of caisson_weak.elf with its selector set."""
import os
import re

MAGIC = b"CAISSON-WEAK-V1\0"


class WeaknessError(Exception):
    pass


def weaknesses(source):
    """name -> number, as the header lists them."""
    with open(os.path.join(source, "hypervisor/base/weakness.hpp"), encoding="utf-8") as file:
        body = re.search(r"enum class Weakness[^{]*\{(.*?)\};", re.sub(r"//.*", "", file.read()), re.DOTALL)
    names = [name.strip() for name in body.group(1).split(",") if name.strip()]
    return {name: number for number, name in enumerate(names)}


def weakened(built, weakness, output):
    known = weaknesses(built["source"])
    if weakness not in known:
        raise WeaknessError(f"boot.weakness: '{weakness}' is not known; known: {', '.join(known)}")
    with open(built["weak"], "rb") as file:
        elf = bytearray(file.read())
    at = elf.find(MAGIC)
    if at < 0 or elf.find(MAGIC, at + 1) >= 0:
        raise WeaknessError(f"{built['weak']} does not have exactly one selector")
    elf[at + 16:at + 20] = known[weakness].to_bytes(4, "little")
    with open(output, "wb") as file:
        file.write(elf)
