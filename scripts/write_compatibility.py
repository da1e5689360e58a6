#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""write_compatibility.py [--check]: the tables of docs/compatibility.md, from the tables in the unikernel's code.

System calls from syscalls/numbers.txt, socket options and ioctl requests from the constants beside their handlers, entries of /proc
and /sys from fs/proc/synthetic_table.cpp. Numbers get their names from the C library's headers. --check: status 1 where the page is
not what the code says."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
UNIKERNEL = os.path.join(HERE, "../partitions/unikernel")
PAGE = os.path.join(HERE, "../docs/compatibility.md")
BEGIN, END = "<!-- tables: scripts/write_compatibility.py -->\n", "<!-- end of tables -->\n"
HEADERS = ["sys/socket.h", "netinet/in.h", "netinet/tcp.h", "netinet/udp.h", "sys/ioctl.h", "net/if.h", "linux/sockios.h", "asm/ioctls.h"]
LEVELS = {"ip": ("IPPROTO_IP", r"IP_(?!DEFAULT|MAX|PMTUDISC|DF)\w+"), "ipv6": ("IPPROTO_IPV6", r"IPV6_(?!PMTUDISC|RTHDR_)\w+"),
          "tcp": ("IPPROTO_TCP", r"TCP_(?!ESTABLISHED|STATE|CA_|CLOSE|LISTEN|SYN_RECV|SYN_SENT)\w+"), "udp": ("IPPROTO_UDP", r"UDP_\w+")}
# Where one number has several names, the one that manual pages use.
PREFERRED = {"FIONREAD", "SIOCGIFHWADDR", "IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP", "SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_RCVTIMEO", "SO_SNDTIMEO",
             "SO_PEERCRED", "IP_RECVRETOPTS", "IP_PKTINFO", "SO_ATTACH_FILTER", "SO_DETACH_FILTER", "TIOCOUTQ"}


class Wrong(Exception):
    pass


def read(path):
    with open(os.path.join(UNIKERNEL, path), encoding="utf-8") as file:
        return file.read()


def header_names():
    """Every macro of the headers that stands for a number: [(name, number)]."""
    source = "".join(f"#include <{header}>\n" for header in HEADERS)
    said = subprocess.run(["cc", "-D_GNU_SOURCE", "-dM", "-E", "-"], input=source, capture_output=True, text=True, check=True).stdout
    macros = dict(re.findall(r"^#define (\w+)[ \t]+(.+)$", said, re.M))

    def number(text, depth=0):
        request = re.fullmatch(r"_IO([RW]?)\('(.)', *(0x[0-9A-Fa-f]+|\d+)(, *(?:unsigned )?int)?\)", text)
        if request:
            direction, kind, which, argument = request.groups()
            return {"R": 2, "W": 1, "": 0}[direction] << 30 | (4 << 16 if argument else 0) | ord(kind) << 8 | int(which, 0)
        if re.fullmatch(r"0x[0-9A-Fa-f]+|0|[1-9]\d*", text):
            return int(text, 0)
        return number(macros[text], depth + 1) if text in macros and depth < 4 else None

    return [(name, number(text)) for name, text in macros.items()]


def name_of(names, number, pattern, where):
    fitting = [name for name, value in names if value == number and re.fullmatch(pattern, name)]
    chosen = sorted(fitting, key=lambda name: (name not in PREFERRED, len(name), name))
    if not chosen:
        raise Wrong(f"{where}: the C library's headers have no name {pattern} for {number:#x}")
    return chosen[0]


def constants(text):
    """Every `name = number` of a list of constants."""
    return [(name, int(value, 0)) for name, value in re.findall(r"\b(\w+) = (0x[0-9A-Fa-f]+|0|[1-9]\d*)\b", text)]


def between(path, begin, end):
    text = read(path)
    first = text.find(begin)
    last = text.find(end, first)
    if first < 0 or last < 0:
        raise Wrong(f"partitions/unikernel/{path}: no '{begin}' up to '{end}'; its place is named in scripts/write_compatibility.py")
    return text[first:last]


def columns(names):
    return ", ".join(f"`{name}`" for name in sorted(names))


def system_calls():
    families, missing = {}, []
    for line in read("syscalls/numbers.txt").split("\n"):
        if line and not line.startswith("#"):
            _, name, family = line.split()
            (missing if family == "-" else families.setdefault(family, [])).append(name)
    rows = "".join(f"| {family} | {columns(calls)} |\n" for family, calls in sorted(families.items()))
    count = sum(len(calls) for calls in families.values())
    return (f"### System calls\n\n{count} are there, by the file of `partitions/unikernel/syscalls` that answers them:\n\n| family | calls |\n| --- | --- |\n{rows}\n"
            f"{len(missing)} are not: each answers ENOSYS and is logged once by name. {columns(missing)}.\n\n")


def socket_options(names):
    levels = {"SOL_SOCKET": [name_of(names, number, r"SO_\w+", "net/options.cpp")
                             for _, number in constants(between("net/options.cpp", "enum Name : int {", "};"))]}
    for level, number in re.findall(r"\{\w+, level_(\w+), (\d+), ", between("net/inet/options.cpp", "constexpr Row rows[]", "};")):
        shown, pattern = LEVELS[level]
        levels.setdefault(shown, []).append(name_of(names, int(number), pattern, "net/inet/options.cpp"))
    for name, number in constants(between("net/inet/options.cpp", "constexpr int ip_multicast_if", ";")):
        shown, pattern = LEVELS["ip" if name.startswith("ip_") else "ipv6"]
        levels[shown].append(name_of(names, number, pattern, "net/inet/options.cpp"))
    for _, number in constants(between("net/inet/tcp_options.cpp", "constexpr int defer_accept", ";")):
        levels["IPPROTO_TCP"].append(name_of(names, number, LEVELS["tcp"][1], "net/inet/tcp_options.cpp"))
    rows = "".join(f"| {level} | {columns(set(options))} |\n" for level, options in levels.items())
    return ("### Socket options\n\nOthers give ENOPROTOOPT. What an option would change on a wire a loopback has not: it is kept, checked and told.\n\n"
            f"| level | options |\n| --- | --- |\n{rows}\n")


def ioctls(names):
    kinds = {"every file": between("syscalls/descriptor.cpp", "SyscallResult sys_ioctl", ";") + f" bytes_waiting = {0x541B:#x}",
             "sockets": between("syscalls/socket_ioctl.cpp", "namespace request {", "}"),
             "terminals": between("syscalls/terminal.cpp", "constexpr std::uint32_t get_modes", ";")}
    rows = "".join(f"| {kind} | {columns({name_of(names, number, r'(TIOC|TC|FIO|SIOC)[A-Z0-9_]+', kind) for _, number in constants(text)})} |\n"
                   for kind, text in kinds.items())
    return f"### Requests of ioctl(2)\n\nOthers give ENOTTY. Those of sockets' owners (`FIOSETOWN`) are for sockets alone.\n\n| of | requests |\n| --- | --- |\n{rows}\n"


def proc_entries():
    text = read("fs/proc/synthetic_table.hpp") + read("fs/proc/synthetic_table.cpp")
    index_of = {name: value for name, value in constants(text) if re.match(r"(in_\w+|\w+_(root|directory|entry|link|net)|process_net)$", name)}
    table = between("fs/proc/synthetic_table.cpp", "constexpr Entry entries[] = {", "\n};")
    rows = [(None, "", "")] + re.findall(r"(\w+)\((\w+), (?:Kind::\w+, )?\"([^\"]*)\"", table)
    fixed = {index_of["process_directory"]: "/proc/PID", index_of["thread_directory"]: "/proc/PID/task/TID"}

    def path(index):
        if index == 0:
            return ""
        _, parent, name = rows[index]
        return fixed.get(index) or path(index_of.get(parent, 0)) + "/" + name

    shown = {}
    for kind, parent, name in rows[1:]:
        if parent not in index_of and parent != "0":
            raise Wrong(f"fs/proc/synthetic_table.cpp: no number for '{parent}', the parent of '{name}'")
        if name and kind != "directory" and parent != "0":
            shown.setdefault(path(index_of[parent]), set()).add(name)
    lines = "".join(f"| `{folder}` | {columns(files)} |\n" for folder, files in sorted(shown.items()))
    return f"### /proc and /sys\n\n| folder | entries |\n| --- | --- |\n{lines}"


def tables():
    names = header_names()
    return system_calls() + socket_options(names) + ioctls(names) + proc_entries()


def main():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    if BEGIN not in page or END not in page:
        raise Wrong(f"docs/compatibility.md: no lines {BEGIN.strip()} and {END.strip()} for the tables between them")
    head, rest = page.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    wanted = head + BEGIN + tables() + END + tail
    if wanted == page:
        return 0
    if sys.argv[1:] == ["--check"]:
        print("docs/compatibility.md does not say what the code has; scripts/write_compatibility.py writes it")
        return 1
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(wanted)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as wrong:
        sys.exit(f"write_compatibility.py: {wrong}")
