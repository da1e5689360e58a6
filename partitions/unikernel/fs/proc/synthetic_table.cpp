// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/proc/synthetic_table.cpp - the entries of /proc and /sys that programs were seen to read
// (docs: recorded runs of common servers and runtimes), and the texts that need no process.
#include "partitions/unikernel/fs/proc/synthetic_table.hpp"

#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <array>

namespace uk::fs::synthetic {

namespace {

void make_hostname(int, TextSink& out) {
    out << seam::hostname() << '\n';
}

void make_cpu_list(int, TextSink& out) {
    out << '0';
    if (seam::cpu_count() > 1)
        out << '-' << std::uint64_t{seam::cpu_count() - 1};
    out << '\n';
}

void make_memory_max(int, TextSink& out) {
    out << seam::memory_bytes() << '\n';
}

void make_memory_current(int, TextSink& out) {
    const mm::FrameCounts counts = mm::frame_counts();
    out << std::uint64_t{(counts.total - counts.free) * page_bytes} << '\n';
}

void make_pids_max(int, TextSink& out) {
    out << seam::task_limit() << '\n';
}

void make_pids_current(int, TextSink& out) {
    out << seam::tasks() << '\n';
}

// No page ever came from a disk or went to one.
void make_memory_statistics(int, TextSink& out) {
    out << "nr_free_pages " << std::uint64_t{mm::frame_counts().free}
        << "\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n";
}

void make_cpu_max(int, TextSink& out) {
    out << std::uint64_t{seam::cpu_count()} * 100000 << " 100000\n";
}

void make_mounts(int, TextSink& out) {
    Tree::current().describe_mounts(out, false);
}

void make_mount_information(int, TextSink& out) {
    Tree::current().describe_mounts(out, true);
}

// RFC 4122, version 4.
void write_uuid(std::array<std::byte, 16> bytes, TextSink& out) {
    bytes[6] = (bytes[6] & std::byte{0x0F}) | std::byte{0x40};
    bytes[8] = (bytes[8] & std::byte{0x3F}) | std::byte{0x80};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out << '-';
        out.hexadecimal(std::to_integer<std::uint64_t>(bytes[i]), 2);
    }
    out << '\n';
}

void make_uuid(int, TextSink& out) {
    std::array<std::byte, 16> bytes;
    seam::random(bytes);
    write_uuid(bytes, out);
}

void make_boot_id(int, TextSink& out) {
    static std::array<std::byte, 16> bytes{};
    static bool chosen = false;
    if (!chosen)
        seam::random(bytes);
    chosen = true;
    write_uuid(bytes, out);
}

constexpr std::uint16_t in_kernel = 9, in_vm = 10, in_fs = 11, in_net = 12, in_core = 13, in_random = 14,
                        in_sys = 15, in_devices = 16, in_system = 17, in_cpu = 18, in_clocksource = 19,
                        in_clocksource0 = 20, in_sys_kernel = 21, in_mm = 22, in_huge = 23, in_sys_fs = 24,
                        in_cgroup = 25, in_inotify = 27, in_epoll = 28, process_net = 29, in_ipv4 = 30,
                        in_ipv6 = 31, in_unix = 32, in_ipv6_conf = 33, in_ipv6_all = 34, in_class = 35,
                        in_class_net = 36, in_lo = 37;

#if CAISSON_NETWORK
// What programs read of an interface, and where: its folder, statistics below it.
constexpr std::uint16_t in_wire0 = 38, in_wire0_counts = 39, in_eth0 = 40, in_eth0_counts = 41;
#endif

constexpr Entry directory(std::uint16_t parent, const char* name) {
    return {parent, Kind::directory, ProcText::maps, 0555, name, ""};
}
constexpr Entry text(std::uint16_t parent, const char* name, const char* content) {
    return {parent, Kind::text, ProcText::maps, 0444, name, content};
}
constexpr Entry kernel(std::uint16_t parent, const char* name, ProcText which,
                       std::uint16_t permissions = 0444) {
    return {parent, Kind::kernel, which, permissions, name, ""};
}
constexpr Entry made(std::uint16_t parent, const char* name, Make make) {
    return {parent, Kind::made, ProcText::maps, 0444, name, make};
}
constexpr Entry special(std::uint16_t parent, Kind kind, const char* name, std::uint16_t permissions,
                        const char* target = "") {
    return {parent, kind, ProcText::maps, permissions, name, target};
}

#if CAISSON_NETWORK
using seam::InterfaceText;
template <bool Card, InterfaceText Which> void make_interface(int, TextSink& out) {
    seam::interface_text(Card, Which, out);
}
template <InterfaceText Which> constexpr Entry of_wires(const char* name) {
    return made(Which < InterfaceText::received_bytes ? in_wire0 : in_wire0_counts, name,
                &make_interface<false, Which>);
}
template <InterfaceText Which> constexpr Entry of_card(const char* name) {
    return made(Which < InterfaceText::received_bytes ? in_eth0 : in_eth0_counts, name,
                &make_interface<true, Which>);
}
#endif

constexpr Entry entries[] = {
    {},
    special(0, Kind::processes, "proc", 0555),
    directory(0, "sys"),
    directory(0, ""), // /proc/PID
    directory(0, ""), // /proc/PID/task/TID
    special(0, Kind::descriptor, "", 0700),
    special(process_directory, Kind::direct_link, "exe", 0777),
    special(process_directory, Kind::direct_link, "cwd", 0777),
    special(process_directory, Kind::direct_link, "root", 0777),
    directory(in_sys, "kernel"),
    directory(in_sys, "vm"),
    directory(in_sys, "fs"),
    directory(in_sys, "net"),
    directory(in_net, "core"),
    directory(in_kernel, "random"),
    directory(proc_root, "sys"),
    directory(sys_root, "devices"),
    directory(in_devices, "system"),
    directory(in_system, "cpu"),
    directory(in_system, "clocksource"),
    directory(in_clocksource, "clocksource0"),
    directory(sys_root, "kernel"),
    directory(in_sys_kernel, "mm"),
    directory(in_mm, "transparent_hugepage"),
    directory(sys_root, "fs"),
    directory(in_sys_fs, "cgroup"),
    special(0, Kind::descriptor_info, "", 0400),
    directory(in_fs, "inotify"),
    directory(in_fs, "epoll"),
    directory(process_directory, "net"),
    directory(in_net, "ipv4"),
    directory(in_net, "ipv6"),
    directory(in_net, "unix"),
    directory(in_ipv6, "conf"),
    directory(in_ipv6_conf, "all"),
    directory(sys_root, "class"),
    directory(in_class, "net"),
    directory(in_class_net, "lo"),
#if CAISSON_NETWORK
    directory(in_class_net, "wire0"),
    directory(in_wire0, "statistics"),
    directory(in_class_net, "eth0"),
    directory(in_eth0, "statistics"),
#endif

    special(proc_root, Kind::self, "self", 0777),
    special(proc_root, Kind::thread_self, "thread-self", 0777),
    special(proc_root, Kind::link, "mounts", 0777, "self/mounts"),
    kernel(proc_root, "meminfo", ProcText::memory_info),
    kernel(proc_root, "cpuinfo", ProcText::cpu_info),
    kernel(proc_root, "stat", ProcText::system_stat),
    kernel(proc_root, "interrupts", ProcText::interrupts),
    kernel(proc_root, "uptime", ProcText::uptime),
    kernel(proc_root, "loadavg", ProcText::load_average),
    kernel(proc_root, "version", ProcText::version),
    text(proc_root, "filesystems",
         "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tpipefs\nnodev\tdevpts\n\terofs\nnodev\toverlay\n"),
    text(proc_root, "cgroups",
         "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n"),
    text(proc_root, "cmdline", "caisson\n"),
    made(proc_root, "vmstat", make_memory_statistics),
    text(proc_root, "diskstats", ""),
    text(proc_root, "modules", ""),
    text(proc_root, "partitions", "major minor  #blocks  name\n\n"),
    text(proc_root, "swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),

    special(process_directory, Kind::descriptors, "fd", 0500),
    special(process_directory, Kind::descriptor_infos, "fdinfo", 0555),
    special(process_directory, Kind::threads, "task", 0555),
    special(process_directory, Kind::memory, "mem", 0600),
    kernel(process_directory, "maps", ProcText::maps),
    kernel(process_directory, "smaps", ProcText::smaps),
    kernel(process_directory, "stat", ProcText::stat),
    kernel(process_directory, "statm", ProcText::statm),
    kernel(process_directory, "status", ProcText::status),
    kernel(process_directory, "cmdline", ProcText::command_line),
    kernel(process_directory, "environ", ProcText::environment, 0400),
    kernel(process_directory, "limits", ProcText::limits),
    kernel(process_directory, "auxv", ProcText::auxiliary_vector, 0400),
    kernel(process_directory, "comm", ProcText::command_name, 0644),
    kernel(process_directory, "smaps_rollup", ProcText::smaps_summary),
    kernel(process_directory, "io", ProcText::input_output, 0400),
    made(process_directory, "mounts", make_mounts),
    made(process_directory, "mountinfo", make_mount_information),
    text(process_directory, "cgroup", "0::/\n"),
    text(process_directory, "coredump_filter", "00000033\n"),
    text(process_directory, "oom_score", "0\n"),
    kernel(process_directory, "oom_score_adj", ProcText::out_of_memory_adjustment, 0644),
    text(process_directory, "setgroups", "allow\n"),
    text(process_directory, "loginuid", "4294967295"),
    text(process_directory, "sessionid", "4294967295"),
    text(process_directory, "wchan", "0"),
    text(process_directory, "personality", "00000000\n"),
    text(process_directory, "uid_map", "         0          0 4294967295\n"),
    text(process_directory, "gid_map", "         0          0 4294967295\n"),
    kernel(thread_directory, "stat", ProcText::stat),
    kernel(thread_directory, "status", ProcText::status),
    kernel(thread_directory, "comm", ProcText::command_name, 0644),

    text(in_kernel, "ostype", "Linux\n"),
    text(in_kernel, "osrelease", "6.1.0-caisson\n"),
    text(in_kernel, "version", "#1\n"),
    made(in_kernel, "hostname", make_hostname),
    text(in_kernel, "domainname", "(none)\n"),
    text(in_kernel, "overflowuid", "65534\n"),
    text(in_kernel, "overflowgid", "65534\n"),
    text(in_kernel, "sched_rr_timeslice_ms", "100\n"),
    text(in_kernel, "shmmax", "18446744073692774399\n"),
    text(in_kernel, "shmall", "18446744073692774399\n"),
    text(in_kernel, "shmmni", "4096\n"),
    text(in_kernel, "sem", "32000\t1024000000\t500\t32000\n"),
    text(in_kernel, "tainted", "0\n"),
    text(in_kernel, "pid_max", "32768\n"),
    text(in_kernel, "threads-max", "4096\n"),
    text(in_kernel, "cap_last_cap", "40\n"),
    text(in_kernel, "ngroups_max", "65536\n"),
    text(in_kernel, "core_pattern", "core\n"),
    text(in_kernel, "randomize_va_space", "2\n"),
    text(in_random, "entropy_avail", "256\n"),
    made(in_random, "uuid", make_uuid),
    made(in_random, "boot_id", make_boot_id),
    text(in_vm, "overcommit_memory", "1\n"),
    text(in_vm, "overcommit_ratio", "50\n"),
    text(in_vm, "swappiness", "60\n"),
    text(in_vm, "mmap_min_addr", "65536\n"),
    text(in_vm, "max_map_count", "65530\n"),
    text(in_fs, "file-max", "1048576\n"),
    text(in_fs, "nr_open", "1048576\n"),
    text(in_fs, "pipe-max-size", "1048576\n"),
    text(in_fs, "file-nr", "1024\t0\t1048576\n"),
    text(in_inotify, "max_queued_events", "16384\n"),
    text(in_inotify, "max_user_instances", "128\n"),
    text(in_inotify, "max_user_watches", "8192\n"),
    text(in_epoll, "max_user_watches", "1048576\n"),
    text(in_core, "somaxconn", "4096\n"),
    text(in_core, "rmem_default", "212992\n"),
    text(in_core, "rmem_max", "212992\n"),
    text(in_core, "wmem_default", "212992\n"),
    text(in_core, "wmem_max", "212992\n"),
    text(in_core, "optmem_max", "20480\n"),
    text(in_core, "netdev_max_backlog", "1000\n"),
    text(in_ipv4, "ip_local_port_range", "32768\t60999\n"),
    text(in_ipv4, "ip_unprivileged_port_start", "0\n"),
    text(in_ipv4, "ip_forward", "0\n"),
    text(in_ipv4, "tcp_rmem", "4096\t131072\t6291456\n"),
    text(in_ipv4, "tcp_wmem", "4096\t16384\t4194304\n"),
    text(in_ipv4, "tcp_fin_timeout", "60\n"),
    text(in_ipv4, "tcp_keepalive_time", "7200\n"),
    text(in_ipv4, "tcp_keepalive_intvl", "75\n"),
    text(in_ipv4, "tcp_keepalive_probes", "9\n"),
    text(in_ipv4, "tcp_syncookies", "1\n"),
    text(in_ipv4, "tcp_max_syn_backlog", "128\n"),
    text(in_ipv4, "tcp_tw_reuse", "2\n"),
    text(in_ipv4, "tcp_congestion_control", "cubic\n"),
    text(in_ipv4, "tcp_available_congestion_control", "reno cubic\n"),
    text(in_ipv4, "tcp_fastopen", "1\n"),
    text(in_ipv6_all, "disable_ipv6", "0\n"),
    text(in_unix, "max_dgram_qlen", "10\n"),
    text(in_lo, "address", "00:00:00:00:00:00\n"),
    text(in_lo, "mtu", "65536\n"),
    text(in_lo, "ifindex", "1\n"),
    text(in_lo, "flags", "0x9\n"),
    text(in_lo, "operstate", "unknown\n"),
    text(in_lo, "type", "772\n"),
#if CAISSON_NETWORK
    of_wires<InterfaceText::hardware>("address"),
    of_wires<InterfaceText::mtu>("mtu"),
    of_wires<InterfaceText::index>("ifindex"),
    of_wires<InterfaceText::flags>("flags"),
    of_wires<InterfaceText::state>("operstate"),
    of_wires<InterfaceText::carrier>("carrier"),
    of_wires<InterfaceText::type>("type"),
    of_wires<InterfaceText::received_bytes>("rx_bytes"),
    of_wires<InterfaceText::received_packets>("rx_packets"),
    of_wires<InterfaceText::received_errors>("rx_errors"),
    of_wires<InterfaceText::received_dropped>("rx_dropped"),
    of_wires<InterfaceText::sent_bytes>("tx_bytes"),
    of_wires<InterfaceText::sent_packets>("tx_packets"),
    of_wires<InterfaceText::sent_errors>("tx_errors"),
    of_wires<InterfaceText::sent_dropped>("tx_dropped"),
    of_card<InterfaceText::hardware>("address"),
    of_card<InterfaceText::mtu>("mtu"),
    of_card<InterfaceText::index>("ifindex"),
    of_card<InterfaceText::flags>("flags"),
    of_card<InterfaceText::state>("operstate"),
    of_card<InterfaceText::carrier>("carrier"),
    of_card<InterfaceText::type>("type"),
    of_card<InterfaceText::received_bytes>("rx_bytes"),
    of_card<InterfaceText::received_packets>("rx_packets"),
    of_card<InterfaceText::received_errors>("rx_errors"),
    of_card<InterfaceText::received_dropped>("rx_dropped"),
    of_card<InterfaceText::sent_bytes>("tx_bytes"),
    of_card<InterfaceText::sent_packets>("tx_packets"),
    of_card<InterfaceText::sent_errors>("tx_errors"),
    of_card<InterfaceText::sent_dropped>("tx_dropped"),
#endif

    special(proc_root, Kind::link, "net", 0777, "self/net"),
    kernel(process_net, "tcp", ProcText::net_tcp),
    kernel(process_net, "tcp6", ProcText::net_tcp6),
    kernel(process_net, "udp", ProcText::net_udp),
    kernel(process_net, "udp6", ProcText::net_udp6),
    kernel(process_net, "unix", ProcText::net_local),
    kernel(process_net, "sockstat", ProcText::net_sockets),
#if CAISSON_NETWORK
    kernel(process_net, "dev", ProcText::net_devices),
    kernel(process_net, "route", ProcText::net_routes),
    kernel(process_net, "if_inet6", ProcText::net_addresses6),
#else
    text(process_net, "dev",
         "Inter-|   Receive                                                |  Transmit\n"
         " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
         "colls carrier compressed\n"
         "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0  "
         "   "
         "0       0          0\n"),
    text(process_net, "route",
         "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
         "                                                       \n"),
    text(process_net, "if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n"),
#endif
    text(process_net, "arp",
         "IP address       HW type     Flags       HW address            Mask     Device\n"),

    made(in_cpu, "online", make_cpu_list),
    made(in_cpu, "possible", make_cpu_list),
    made(in_cpu, "present", make_cpu_list),
    text(in_clocksource0, "current_clocksource", "tsc\n"),
    text(in_clocksource0, "available_clocksource", "tsc\n"),
    text(in_huge, "enabled", "always madvise [never]\n"),
    text(in_huge, "hpage_pmd_size", "2097152\n"),
    text(in_cgroup, "cgroup.controllers", "cpuset cpu memory pids\n"),
    made(in_cgroup, "memory.max", make_memory_max),
    made(in_cgroup, "memory.current", make_memory_current),
    text(in_cgroup, "memory.high", "max\n"),
    text(in_cgroup, "memory.swap.max", "0\n"),
    made(in_cgroup, "cpu.max", make_cpu_max),
    made(in_cgroup, "cpuset.cpus.effective", make_cpu_list),
    text(in_cgroup, "cpuset.mems.effective", "0\n"),
    made(in_cgroup, "pids.max", make_pids_max),
    made(in_cgroup, "pids.current", make_pids_current),
};

constexpr bool is_named(std::uint16_t entry, std::string_view name) {
    return entries[entry].name == name;
}
static_assert(is_named(in_sys, "sys") && is_named(in_core, "core") && is_named(in_random, "random"));
static_assert(is_named(in_inotify, "inotify") && is_named(in_epoll, "epoll"));
static_assert(is_named(process_net, "net") && is_named(in_ipv4, "ipv4") && is_named(in_unix, "unix") &&
              is_named(in_ipv6_all, "all") && is_named(in_lo, "lo"));
static_assert(is_named(in_cgroup, "cgroup") && is_named(in_huge, "transparent_hugepage"));
static_assert(is_named(executable_link, "exe") && is_named(root_link, "root") &&
              entries[descriptor_info_entry].kind == Kind::descriptor_info);

#if CAISSON_NETWORK
static_assert(is_named(in_wire0, "wire0") && is_named(in_eth0, "eth0") &&
              is_named(in_eth0_counts, "statistics"));
#endif

} // namespace

std::span<const Entry> table() {
#if CAISSON_NETWORK
    // A folder of an interface that there is not lies nowhere.
    static std::array<Entry, std::size(entries)> shown = std::to_array(entries);
    shown[in_wire0].parent = seam::has_interface(false) ? in_class_net : 0;
    shown[in_eth0].parent = seam::has_interface(true) ? in_class_net : 0;
    return shown;
#else
    return entries;
#endif
}

} // namespace uk::fs::synthetic
