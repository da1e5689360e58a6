# SPDX-License-Identifier: Apache-2.0
"""Makes a copy of a loader ELF that is loaded at another place: where its segments and its PVH note say, and from there on by
Multiboot2."""
import struct

LOAD, NOTE = 1, 4
PVH_ENTRY = 18
MULTIBOOT2, RELOCATABLE = 0xe85250d6, 10


class PlaceError(Exception):
    pass


def placed(loader, place, output):
    with open(loader, "rb") as file:
        elf = bytearray(file.read())
    table, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    headers = range(table, table + size * count, size)
    segments = [(at, *struct.unpack_from("<IIQQQQQ", elf, at)) for at in headers]  # at, type, flags, offset, vaddr, paddr, filesz, memsz
    shift = place - min(s[5] for s in segments if s[1] == LOAD)
    notes = 0
    for at, kind, _, offset, _, address, size, _ in segments:
        struct.pack_into("<Q", elf, at + 24, address + shift)
        if kind == NOTE and struct.unpack_from("<I", elf, offset + 8)[0] == PVH_ENTRY:
            entry, = struct.unpack_from("<I", elf, offset + 16)
            struct.pack_into("<I", elf, offset + 16, entry + shift)
            notes += 1
    header = elf.find(struct.pack("<I", MULTIBOOT2))
    tag = elf.find(struct.pack("<HHI", RELOCATABLE, 0, 24), header)
    if notes != 1 or header < 0 or not header < tag < header + 256:
        raise PlaceError(f"{loader} has no PVH note or no relocatable Multiboot2 header")
    struct.pack_into("<I", elf, tag + 8, place)
    with open(output, "wb") as file:
        file.write(elf)
