#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which folder may include which (docs/architecture.md, "Folders").

usage: check_includes.py [SOURCE-DIR [BUILD-DIR]]      (SOURCE-DIR: where one is, when it is left out)

Looks at every #include of the tree's own files, and, given a Ninja build, at what the compiler really read for each
object: a header that is forbidden stays forbidden when it comes in through another. Between folders of hypervisor/core
the rule is the CMake target: a folder includes another only where its CMakeLists.txt names core_OTHER.
"""
import os
import re
import subprocess
import sys

# A file belongs to the longest prefix that matches. A rule ending in '/' allows the whole folder.
ALLOWED = {
    "hypervisor/base/": ["hypervisor/base/"],
    "hypervisor/core/": ["hypervisor/base/", "hypervisor/core/", "partitions/abi/", "third_party/"],
    "partitions/abi/": ["partitions/abi/"],
    "partitions/formats/": ["partitions/formats/"],
    "partitions/lane/": ["partitions/lane/", "partitions/abi/"],
    "partitions/net/": ["partitions/net/", "partitions/abi/"],
    "partitions/drivers/": ["partitions/drivers/", "drivers/seams.hpp", "hypervisor/base/"],
    "partitions/station/": ["partitions/station/", "partitions/net/", "partitions/drivers/", "drivers/seams.hpp", "hypervisor/base/",
                            "third_party/"],
    "partitions/init/": ["partitions/init/", "partitions/abi/"],
    "arch/": ["arch/", "hypervisor/base/", "hypervisor/core/", "partitions/abi/"],
    "drivers/": ["drivers/", "hypervisor/base/", "hypervisor/core/"],
    "hypervisor/kernel/": ["hypervisor/", "arch/", "drivers/", "loader/", "partitions/abi/", "third_party/"],
    "loader/": ["loader/", "hypervisor/base/", "hypervisor/core/", "drivers/", "arch/x86_64/cpu/", "arch/x86_64/boot/",
                "partitions/abi/"],
    "partitions/adversary/": ["partitions/adversary/", "partitions/abi/", "partitions/drivers/", "drivers/seams.hpp",
                              "hypervisor/base/", "arch/x86_64/cpu/"],
    "image-tools/": ["image-tools/", "hypervisor/base/", "hypervisor/core/", "partitions/abi/", "partitions/formats/",
                     "partitions/net/", "third_party/"],
    "qemu-tests/": ["qemu-tests/", "partitions/adversary/runtime/", "partitions/abi/", "hypervisor/base/",
                    "arch/x86_64/cpu/"],
    "third_party/": ["third_party/"],
}
# Rooms of the unikernel, lowest first: a room includes itself and those below it. Rooms on one line do not know each other.
UNIKERNEL = [["base"], ["machine"], ["mm"], ["fs", "policy"], ["task"], ["sched"], ["signal", "net"], ["exec", "proc", "wires"], ["process"],
             ["syscalls"], ["start"]]
for depth, rooms in enumerate(UNIKERNEL):
    for name in rooms:
        below = [lower for row in UNIKERNEL[:depth] for lower in row] + [name]
        ALLOWED[f"partitions/unikernel/{name}/"] = [f"partitions/unikernel/{lower}/" for lower in below] + [
            "partitions/abi/", "partitions/formats/", "partitions/net/", "partitions/station/", "partitions/drivers/", "hypervisor/base/", "hypervisor/core/bytes/", "hypervisor/core/virtq/", "hypervisor/core/wire/",
            "arch/x86_64/cpu/", "drivers/", "third_party/"]
# The uplink is a kernel of its own, of the unikernel's lowest rooms and its start.
ALLOWED["partitions/uplink/"] = ["partitions/uplink/", "partitions/station/", "partitions/abi/", "partitions/net/", "partitions/drivers/",
                                 "partitions/unikernel/base/", "partitions/unikernel/machine/", "partitions/unikernel/mm/",
                                 "partitions/unikernel/start/", "hypervisor/base/", "arch/x86_64/cpu/", "drivers/"]
# Tests may besides use the seams' hosted fakes and, for comparisons, hosted code.
TESTS_ALSO = ["arch/host/", "hypervisor/core/", "hypervisor/base/", "partitions/abi/", "image-tools/plan/",
              "image-tools/elf/", "image-tools/journal/", "partitions/unikernel/policy/", "partitions/unikernel/base/"]
# What the build gives to every file of an image by -include: an option of the compiler in the shape of a file. Nobody names it.
OPTIONS = {"cmake/short_assertions.hpp"}
# What an exception is for stands beside it.
EXCEPTIONS = set()
# hypervisor/kernel's folders from the lowest floor up: one may include itself and what lies below it. Files beside the
# folders (what boot found out, random bytes) are the ground.
KERNEL_FLOORS = ["console", "panic", "cpu", "memory", "dma", "time", "end", "partition", "run", "boot"]
# The trusted files that are boot's alone: nothing that stays includes them.
BOOT_FILES = "hypervisor/kernel/boot_files.txt"
TRUSTED = ("hypervisor/", "arch/x86_64/", "drivers/", "loader/")
# Of the guest ABI what passes between guests, or between tool and unikernel.
GUESTS_ALONE = ("partitions/abi/lane.h", "partitions/abi/startup.h", "partitions/abi/uplink.h")
SOURCE = re.compile(r"\.(c|cpp|h|hpp|S)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def owner(path):
    matches = [prefix for prefix in ALLOWED if path.startswith(prefix)]
    return max(matches, key=len) if matches else None


def is_test(path):
    return re.search(r"(_test|_fuzz|_proof)\.[ch]pp$", path) or "/testing/" in path or path.startswith("arch/host/")


def allowed(path, header):
    module = owner(path)
    if module is None:
        return False
    if path.startswith(TRUSTED) and not is_test(path) and header in GUESTS_ALONE:
        return False  # the hypervisor never looks into these, and their lines are not counted as trusted
    rules = ALLOWED[module] + (TESTS_ALSO if is_test(path) else [])
    return any(header.startswith(rule) for rule in rules) or any(
        module == who and header.startswith(what) for who, what in EXCEPTIONS)


def core_folder(path):
    parts = path.split("/")
    return parts[2] if path.startswith("hypervisor/core/") and len(parts) > 3 else None


def kernel_floor(path):
    """0: the ground; None: not of hypervisor/kernel. A folder that has no floor yet may include nothing else."""
    parts = path.split("/")
    if not path.startswith("hypervisor/kernel/"):
        return None
    if len(parts) == 3:
        return 0
    return KERNEL_FLOORS.index(parts[2]) + 1 if parts[2] in KERNEL_FLOORS else -1


def climbs(path, header):
    """Whether an include leads upwards in hypervisor/kernel."""
    here, there = kernel_floor(path), kernel_floor(header)
    if here is None or there is None or is_test(path):
        return False
    return there > here or (-1 in (here, there) and path.split("/")[2] != header.split("/")[2])


def boot_files(source):
    with open(os.path.join(source, BOOT_FILES), encoding="utf-8") as text:
        return tuple(line.strip() for line in text if line.strip() and not line.startswith("#"))


def outlives(path, header, boot):
    """Whether a file that stays includes one that is gone after boot."""
    return path.startswith(TRUSTED) and not is_test(path) and header.startswith(boot) and not path.startswith(boot)


def core_depends(source):
    """hypervisor/core/X -> the set of folders its CMake targets name, closed over what those name."""
    direct = {}
    root = os.path.join(source, "hypervisor/core")
    for folder in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        lists = os.path.join(root, folder, "CMakeLists.txt")
        if os.path.isfile(lists):
            with open(lists, encoding="utf-8") as text:
                direct[folder] = set(re.findall(r"\bcore_([a-z0-9]+)", text.read())) | {folder}
    closed = {}
    for folder in direct:
        seen, todo = set(), [folder]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(direct.get(name, ()))
        closed[folder] = seen
    return closed


def direct_includes(source):
    files = subprocess.run(["git", "-C", source, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    for path in files.stdout.split("\n"):
        if SOURCE.search(path) and os.path.isfile(os.path.join(source, path)):
            with open(os.path.join(source, path), encoding="utf-8") as text:
                for number, line in enumerate(text, 1):
                    match = INCLUDE.match(line)
                    if match:
                        yield path, number, match.group(1)


def compiled_includes(source, build):
    """(source file, header) of every object, from the compiler's dependency output that Ninja keeps."""
    output = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    first = None
    for line in output.split("\n"):
        if not line.startswith("    "):
            first = None
            continue
        path = os.path.relpath(os.path.join(build, line.strip()), source)
        if path.startswith("..") or path.startswith("build"):
            continue
        if first is None:
            first = path
        else:
            yield first, path


def main(arguments):
    source = os.path.realpath(arguments[0] if arguments else ".")
    depends = core_depends(source)
    boot = boot_files(source)
    wrong = set()
    count = 0
    for path, line, header in direct_includes(source):
        count += 1
        place = f"{path}:{line}"
        if not os.path.isfile(os.path.join(source, header)):
            beside = os.path.join(source, os.path.dirname(path), header)
            if os.path.isfile(beside):
                wrong.add(f'{place}: "{header}" is not written from the repository root')
            continue  # generated, or a library's
        if owner(path) and not allowed(path, header):
            wrong.add(f"{place}: {owner(path)} may not include {header}")
        if climbs(path, header):
            wrong.add(f"{place}: climbs from {os.path.dirname(path)} to {header} (KERNEL_FLOORS)")
        if outlives(path, header, boot):
            wrong.add(f"{place}: stays after boot and may not include {header} ({BOOT_FILES})")
        here, there = core_folder(path), core_folder(header)
        if here and there and there not in depends.get(here, {here}) and not is_test(path):
            wrong.add(f"{place}: hypervisor/core/{here} does not depend on core_{there} in its CMakeLists.txt")
    if len(arguments) > 1:
        for path, header in compiled_includes(source, os.path.realpath(arguments[1])):
            if header in OPTIONS:
                continue
            count += 1
            if SOURCE.search(path) and owner(path) and not allowed(path, header):
                wrong.add(f"{path}: is compiled with {header}, which {owner(path)} may not include")
            if outlives(path, header, boot):
                wrong.add(f"{path}: stays after boot and is compiled with {header} ({BOOT_FILES})")
            if climbs(path, header):
                wrong.add(f"{path}: is compiled with {header}, to which it climbs (KERNEL_FLOORS)")
    for line in sorted(wrong):
        print(line)
    print(f"includes: {count} looked at, {len(wrong)} wrong")
    return 1 if wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
