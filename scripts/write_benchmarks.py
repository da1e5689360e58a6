#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/benchmarks.md from the figures of the tool.

usage: caisson bench --format json | scripts/write_benchmarks.py [VMX-FIGURES] [LINUX-FIGURES] [SERVER-FIGURES] > docs/benchmarks.md
       VMX-FIGURES: what qemu-tests/bench/vmx_figures.py printed, LINUX-FIGURES: what linux_figures.py beside it printed,
       SERVER-FIGURES: what `server_figures.py --json` printed; without them theirs are left out
       scripts/write_benchmarks.py --check TOOL      measures and compares every figure with its limit, and with the page as it is: nothing may
                                                     be more than WORSE worse
"""
import json
import math
import os
import re
import subprocess
import sys

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../docs/benchmarks.md")
WORSE, LEAST = 0.03, 2  # of what the page says; or so many instructions or bytes, where that is more
# What is worse than the page says and known: (the figure, why). One that is not any more goes off the list (checked both ways).
ACCEPTED = {"call_yield_round": (885, "restartable sequences at a switch; calls that need no lock are told from others first"),
            "hypervisor_memory_8": (2_215_936, "tables that came since; its limit holds")}
GETPPID = 250
# name: (what it is, limit or None, what the same costs elsewhere on the same emulated machine)
FIGURES = {
    "exit_cpuid": ("CPUID in a partition, there and back", 100, "KVM 2,381; Xen 2,498; without a hypervisor 9"),
    "exit_hypercall": ("an empty hypercall, there and back", 100, "KVM 2,504; Xen 2,614"),
    "steady_state_exits_svm": ("exits of a partition that computes, 50 million instructions", 0, ""),
    "interrupt_latency_idle": ("a partition's timer due to its handler, at most, by its own instructions; beside one that rests", 21, ""),
    "interrupt_latency_flood": ("the same beside one that does nothing but leave guest mode", 21, ""),
    "exit_cpuid_vmx": ("CPUID in a partition on Intel VT-x (Bochs), there and back", 112, ""),
    "exit_hypercall_vmx": ("an empty hypercall on Intel VT-x (Bochs), there and back", 112, ""),
    "steady_state_exits_vmx": ("exits of a partition that computes, on Intel VT-x", 0, ""),
    "interrupt_latency_idle_vmx": ("`interrupt_latency_idle` on Intel VT-x", 49, ""),
    "interrupt_latency_flood_vmx": ("`interrupt_latency_flood` on Intel VT-x", 49, ""),
    "boot_to_hello": ("loader entry to the first byte of a static hello, everything verified", 5_500_000,
                      "Nanos, no hypervisor below it: 36 million; Linux, hello as first process: 1,560 million"),
    "boot_verify": ("of that: until the bundle is verified", None, ""),
    "boot_ready": ("of that: until the first partition is entered", None, ""),
    "hello_memory": ("the partition of that hello", None, ""),
    "hello_bundle": ("its bundle", None, ""),
    "restart_to_hello": ("end of that partition to the first byte of its next start, scrub included", 3_000_000,
                         "a KVM guest: 107 million (tiny) to 2,800 million (Linux)"),
    "hypervisor_memory_8": ("memory that belongs to no partition and no bundle, eight partitions", 4 << 20,
                            "Xen 23 MB and dom0 161 MB"),
    "bundle_memory_8": ("the bundle beside it", None, ""),
    "partition_memory_8": ("the partitions beside it", None, ""),
    "smallest_hello": ("smallest partition that runs a static hello: RAM and root image", 2 << 20, "Nanos 16 MB"),
    "smallest_hello_ram": ("of that: RAM", None, ""),
    "smallest_hello_root": ("of that: root image", None, ""),
    "policy_per_call": ("what `security.syscalls: default` adds to a system call that it allows", 12, ""),
    "hash_per_byte": ("hashing the payload, with SHA-NI", None, ""),
}

# The rows of qemu-tests/bench/calls.c: name: what it is.
CALLS = {
    "getppid": "getppid",
    "clock_gettime_vdso": "clock_gettime (vDSO)",
    "clock_gettime": "clock_gettime (system call)",
    "fault_anonymous_write": "page fault, anonymous, write",
    "munmap_page": "munmap a page of 4096",
    "fault_anonymous_read": "page fault, anonymous, read",
    "fault_write_after_read": "then write",
    "fault_file_read": "page fault, file, read (a page)",
    "fault_file_copy": "page fault, file, copy on write",
    "fault_file_write": "page fault, file, write at once",
    "pread_4096": "pread(4096) of a file of the root",
    "pread_1": "pread(1) of a file of the root",
    "pread_65536": "pread(64 KiB) of a file of the root",
    "pread_4096_written": "pread(4096) of a written file",
    "pwrite_4096": "pwrite(4096) over",
    "pwrite_1": "pwrite(1) over",
    "write_4096_new": "write(4096) new pages",
    "open_close": "open+close /etc/data",
    "stat_6_components": "stat /a/b/c/d/e/file",
    "fstat": "fstat",
    "lseek": "lseek",
    "create_unlink": "create+unlink a file",
    "pipe_1": "pipe write+read 1 byte, one thread",
    "pipe_4096": "pipe write+read 4096, one thread",
    "pipe_round": "pipe ping-pong round (2 switches)",
    "local_1": "a byte through a local stream",
    "local_16k": "16 KiB through a local stream",
    "local_round": "local stream, round trip of a byte (2 switches)",
    "local_round_16k": "local stream, round trip of 16 KiB",
    "tcp_1": "a byte through TCP over the loopback",
    "tcp_16k": "16 KiB through TCP over the loopback",
    "tcp_round": "TCP over the loopback, round trip of a byte (2 switches)",
    "tcp_round_16k": "TCP over the loopback, round trip of 16 KiB",
    "epoll_busy_of_1001": "a byte to one of 1,001 TCP connections in an epoll set: write, wait, read",
    "tcp_connect": "TCP socket, connect, accept, two closes",
    "futex_round": "futex ping-pong round (2 switches)",
    "yield_round": "sched_yield with another (2 switches)",
    "thread_create_join": "thread create+join",
    "signal_handler": "signal to self, handler",
    "mmap_touch_munmap": "mmap+touch+munmap a page",
    "mprotect_twice": "mprotect a page and back",
    "poll_1": "poll one pipe, nothing there",
    "epoll_1_of_1": "epoll_wait, 1 watched, 1 ready",
    "epoll_1_of_501": "epoll_wait, 501 watched, 1 ready",
    "epoll_0_of_501": "epoll_wait, 501 watched, none ready",
    "dup_close_501_watched": "dup+close with 501 watched",
    "open_close_501_watched": "open+close with 501 watched",
    "nanosleep_0": "nanosleep(0)",
    "getrandom_16": "getrandom(16)",
    "getrandom_4096": "getrandom(4096)",
    "write_null": "write(1) to /dev/null",
    "create_many": "create one of many files in a directory",
    "getdents_name": "getdents64, a name of many",
    "fork_exit_wait": "fork, the child's end, wait (static program)",
    "vfork_exec_wait": "vfork, exec (static), end, wait",
    "process_round": "two processes: a byte there and back by pipes",
    "spawn_of_100_mib": "vfork, exec, end, wait from a process with 100 MiB",
    "fork_of_100_mib": "fork, end, wait of a process with 100 MiB",
    "write_after_fork": "first write of a page after fork",
    "execve": "execve of itself (static), 48 KiB",
}


def readable(value, unit):
    if unit == "instructions/100":
        return f"{value / 100:.2f} instructions a byte"
    if unit == "bytes" and value >= 1 << 20:
        return f"{value:,} bytes ({value / (1 << 20):.2f} MiB)"
    return f"{value:,} {unit}"


def check(tool):
    """-> complaints: a figure over its limit, or one that has a limit and was not measured."""
    items = json.loads(subprocess.run([tool, "bench", "--format", "json"], check=True, stdout=subprocess.PIPE).stdout)["items"]
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    return check_items(items, [name for name in FIGURES if not name.endswith("_vmx")]) + compare(items, recorded(page))


def recorded(page):
    """-> {name: value} of the page's first two tables, as the tool names and counts them."""
    found = {}
    for name, value in re.findall(r"^\| `(\w+)` \| [^|]* \| ([0-9,.]+) ", page, re.M):
        found[name] = round(float(value.replace(",", "")) * (100 if "." in value else 1)) # the tool's hundredths
    for name, label in CALLS.items():
        row = re.search(rf"^\| {re.escape(label)} \| ([0-9,]+) \|", page, re.M)
        if row:
            found["call_" + name] = int(row[1].replace(",", ""))
    return found


def compare(items, before):
    """-> complaints: a figure that is worse than the page says, one that the page has and that was not measured, or the other way round."""
    values = {item["name"]: item["value"] for item in items}
    complaints = [f"{name} is not on the page: write it anew" for name in values if name not in before]
    for name, old in before.items():
        if name not in values:
            complaints += [] if name.endswith("_vmx") else [f"{name} is on the page and was not measured"]
        elif name in ACCEPTED and not is_worse(values[name], old):
            complaints.append(f"{name} is {values[name]}, the page says {old}: take it off the list ACCEPTED")
        elif is_worse(values[name], ACCEPTED.get(name, (old, ""))[0]):
            complaints.append(f"{name} is {values[name]}, the page says {old}: more than {WORSE:.0%} worse")
    if values.get("call_getppid", 0) > GETPPID:
        complaints.append(f"call_getppid is {values['call_getppid']}, its limit {GETPPID}")
    return complaints


def is_worse(value, old):
    return value > old + max(LEAST, old * WORSE)


def check_items(items, names):
    values = {item["name"]: item["value"] for item in items}
    complaints = []
    for name in names:
        limit = FIGURES[name][1]
        if limit is None:
            continue
        print(f"{name}: {values.get(name)} of at most {limit}")
        if name not in values:
            complaints.append(f"{name} was not measured")
        elif not (0 < values[name] <= limit or values[name] == limit):
            complaints.append(f"{name} is {values[name]}, its limit {limit}")
    return complaints


def main():
    if sys.argv[1:2] == ["--check"]:
        sys.exit("\n".join(check(sys.argv[2])) or 0)
    figures = json.load(sys.stdin)
    if figures.get("schema") != "caisson.bench/1":
        sys.exit("not the output of `caisson bench --format json`")
    linux = servers = None
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            more = json.load(file)
        if more.get("schema") == "caisson.linux/1":
            linux = more
        elif more.get("schema") == "caisson.servers/1":
            servers = more
        else:
            figures["items"] += more["items"]
    print("""<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Written by scripts/write_benchmarks.py from `caisson bench --format json`; do not edit. -->
# Figures

Measured by `caisson bench` under QEMU's TCG with `-icount shift=0,sleep=off`: one instruction is one tick, whatever machine
the emulator runs on. Exits repeat exactly; starts differ by about one in a thousand between runs, because addresses are
random. They are instructions, not time: an emulator knows nothing of caches, pipelines or what VMRUN costs in silicon.
What is compared was measured on the same emulated machine, from Debian packages. Intel VT-x was measured in Bochs
(`qemu-tests/bench/vmx_figures.py`). That a partition which computes takes no exit is also counted without asking the hypervisor:
`qemu-tests/bench/host_mode.py` looks at the code that the emulator ran on that CPU (in Bochs: its debugger stops at
every VM exit), beside a control that intercepts interrupts. An interrupt's latency is counted by the partition itself (`qemu-tests/bench/latency.cpp`), in instructions of its own between
the moment when its timer is due and its handler, the most of 1,000; it stands only where that CPU never left guest mode
meanwhile, so that nothing else can have run there. The common clock says when the timer is due and nothing more.

| figure | what | value | limit | elsewhere |
| --- | --- | --- | --- | --- |""")
    for item in figures["items"]:
        if item["name"].startswith("call_"):
            continue
        what, limit, elsewhere = FIGURES.get(item["name"], ("", None, ""))
        bound = readable(limit, item["unit"]) if limit is not None else ""
        print(f"| `{item['name']}` | {what} | {readable(item['value'], item['unit'])} | {bound} | {elsewhere} |")
    write_calls({item["name"].removeprefix("call_"): item["value"] for item in figures["items"] if item["name"].startswith("call_")}, linux)
    if servers:
        write_servers(servers)


# The rows of qemu-tests/bench/server_figures.py.
SERVERS = {"redis_set": "redis: SET", "redis_get": "redis: GET", "nginx_1k": "nginx: a page of 1 KiB, connection kept", "nothing": "no server, a shell",
           "nginx": "nginx, a master and 4 workers", "nothing_large": "in an image with what follows: no server, a shell", "python_http": "Python 3.11: http.server",
           "python_asyncio": "Python 3.11: asyncio", "node_http": "node: http", "node_cluster": "node: a cluster of two workers", "go": "Go: net/http",
           "rust": "Rust: the standard library", "java": "Java 17: the JDK's HTTP server", "erlang": "Erlang: gen_tcp", "openssl": "openssl s_server",
           "postgres": "PostgreSQL 15"}


def write_servers(servers):
    print("""
## Servers

Debian's servers with their clients, in one partition and on Debian's cloud kernel on the same emulated machine (`qemu-tests/bench/server_figures.py`;
the test `bench.servers` holds every row below Linux's). First instructions of a request over the loopback, client and server together: what
the programs do themselves is in both.

| | here | Linux | here / Linux |
| --- | ---: | ---: | ---: |""")
    here, linux = servers["here"], servers["linux"]
    for name, value in here["requests"].items():
        print(f"| {SERVERS[name]} | {value:,.0f} | {linux['requests'][name]:,.0f} | {value / linux['requests'][name]:.2f} |")
    print("""
Then memory while the server rests that has answered: all RAM without what is free and without the cache of files; programs and libraries are files of
the image on both sides and do not count; files that a server wrote count here. Linux has 1 GiB of RAM, 3 GiB for the second half of the rows.

| | here | Linux | here / Linux |
| --- | ---: | ---: | ---: |""")
    for name, value in here["memory"].items():
        other = linux["memory"][name]
        print(f"| {SERVERS.get(name, name)} | {value / 1024:.1f} MiB | {other / 1024:.1f} MiB | {value / other:.2f} |")


def write_calls(ours, linux):
    print("""
## System calls and faults

Instructions of one, in a container's program (`qemu-tests/bench/calls.c`, static), on `-cpu max,-erms,-fsrm`. Linux: Debian's cloud kernel on the
same emulated machine without a hypervisor, the same program as its first process (`qemu-tests/bench/linux_figures.py`); once as it is, once with
`mitigations=off`. No row may be above Linux, and the mean at most 0.45: the test `bench.linux` holds it.
Instructions say what a kernel has to do, not what caches and mitigations cost in silicon.
""")
    if linux is None:
        print("| | here |\n| --- | ---: |")
        for name, value in ours.items():
            print(f"| {CALLS.get(name, name)} | {value:,} |")
        return
    print(f"| | here | Linux {linux['kernel']} | here / Linux | Linux, mitigations=off |\n| --- | ---: | ---: | ---: | ---: |")
    for name, value in ours.items():
        other, off = linux["default"].get(name), linux["mitigations_off"].get(name)
        if other and off:
            print(f"| {CALLS.get(name, name)} | {value:,} | {other:,} | {value / other:.2f} | {off:,} |")
    ratios = {key: [value / linux[key][name] for name, value in ours.items() if linux[key].get(name)] for key in ("default", "mitigations_off")}
    means = {key: math.exp(sum(math.log(ratio) for ratio in values) / len(values)) for key, values in ratios.items()}
    print(f"\nGeometric mean of here over Linux: {means['default']:.2f}; over Linux with mitigations=off: {means['mitigations_off']:.2f}.")


if __name__ == "__main__":
    main()
