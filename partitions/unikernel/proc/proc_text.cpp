// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/proc/proc_text.cpp - texts of /proc that come from the kernel's own state.
// Spec: proc(5); the columns are those that programs read.
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/files/pty.hpp"
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/net/describe.hpp"
#include "partitions/unikernel/proc/cpu_text.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/task/identity.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <cstring>

namespace uk {

namespace {

using fs::ProcText;
using fs::TextSink;
constexpr std::uint64_t second_ns = 1'000'000'000, tick_ns = 10'000'000, kib = 1024, page_kib = 4;

void put_range(const Process& process, const mm::Vma& vma, TextSink& out) {
    out.hexadecimal(vma.start, 8);
    out << '-';
    out.hexadecimal(vma.end, 8);
    out << ' ' << ((vma.protection & mm::protection::read) != 0 ? 'r' : '-')
        << ((vma.protection & mm::protection::write) != 0 ? 'w' : '-')
        << ((vma.protection & mm::protection::execute) != 0 ? 'x' : '-') << (vma.shared ? 's' : 'p') << ' ';
    out.hexadecimal(vma.node != nullptr ? vma.offset : 0, 8);
    out << (vma.node != nullptr ? " 00:01 " : " 00:00 ") << (vma.node != nullptr ? vma.node->number : 0)
        << ' ';
    if (vma.node != nullptr) {
        out << "                  ";
        fs::describe(*vma.node, *process.context.root, out);
    } else if (vma.kind == mm::VmaKind::heap) {
        out << "                  [heap]";
    } else if (vma.kind == mm::VmaKind::stack) {
        out << "                  [stack]";
    } else if (vma.kind == mm::VmaKind::vdso) {
        out << "                  [vdso]";
    }
    out << '\n';
}

void put_field(TextSink& out, std::string_view name, std::uint64_t value_kib) {
    out << name;
    out.padded(value_kib, 8);
    out << " kB\n";
}

void put_maps(const Process& process, TextSink& out, bool detailed) {
    for (const mm::Vma& vma : process.space->ranges()) {
        put_range(process, vma, out);
        if (!detailed)
            continue;
        const std::uint64_t resident = process.space->resident_in(vma) * page_kib;
        put_field(out, "Size:           ", vma.bytes() / kib);
        put_field(out, "Rss:            ", resident);
        put_field(out, "Pss:            ", resident);
        put_field(out, "Private_Dirty:  ", vma.node == nullptr ? resident : 0);
        put_field(out, "Private_Clean:  ", vma.node == nullptr ? 0 : resident);
        put_field(out, "Swap:           ", 0);
    }
}

void put_smaps_summary(const Process& process, TextSink& out) {
    std::uint64_t resident = 0, own = 0, lowest = 0, highest = 0, locked = 0;
    for (const mm::Vma& vma : process.space->ranges()) {
        const std::uint64_t here = process.space->resident_in(vma) * page_kib;
        resident += here;
        own += vma.node == nullptr ? here : 0;
        locked += vma.locked ? here : 0;
        lowest = highest == 0 ? vma.start : lowest;
        highest = vma.end;
    }
    out.hexadecimal(lowest, 8);
    out << '-';
    out.hexadecimal(highest, 8);
    out << " ---p 00000000 00:00 0                          [rollup]\n";
    put_field(out, "Rss:            ", resident);
    put_field(out, "Pss:            ", resident);
    put_field(out, "Pss_Dirty:      ", own);
    put_field(out, "Pss_Anon:       ", own);
    put_field(out, "Pss_File:       ", resident - own);
    put_field(out, "Pss_Shmem:      ", 0);
    put_field(out, "Shared_Clean:   ", 0);
    put_field(out, "Shared_Dirty:   ", 0);
    put_field(out, "Private_Clean:  ", resident - own);
    put_field(out, "Private_Dirty:  ", own);
    put_field(out, "Referenced:     ", resident);
    put_field(out, "Anonymous:      ", own);
    put_field(out, "LazyFree:       ", 0);
    put_field(out, "AnonHugePages:  ", 0);
    put_field(out, "ShmemPmdMapped: ", 0);
    put_field(out, "FilePmdMapped:  ", 0);
    put_field(out, "Shared_Hugetlb: ", 0);
    put_field(out, "Private_Hugetlb:", 0);
    put_field(out, "Swap:           ", 0);
    put_field(out, "SwapPss:        ", 0);
    put_field(out, "Locked:         ", locked);
}

// Everything lies in memory: nothing was ever fetched from a disk or is on its way to one.
void put_input_output(const Process& process, TextSink& out) {
    const InputOutput& moved = process.input_output;
    out << "rchar: " << moved.bytes_read << "\nwchar: " << moved.bytes_written << "\nsyscr: " << moved.reads
        << "\nsyscw: " << moved.writes << "\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n";
}

void put_signed(TextSink& out, int value) {
    if (value < 0)
        out << '-';
    out << static_cast<std::uint64_t>(value < 0 ? -value : value);
}

Status set_out_of_memory_adjustment(Process& process, std::string_view text) {
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative ? 1 : 0);
    while (text.ends_with('\n') || text.ends_with(' '))
        text.remove_suffix(1);
    int value = 0;
    if (text.empty() || text.size() > 4)
        return base::Failure{Errno::inval};
    for (const char c : text) {
        if (c < '0' || c > '9')
            return base::Failure{Errno::inval};
        value = value * 10 + (c - '0');
    }
    value = negative ? -value : value;
    if (value < -1000 || value > 1000)
        return base::Failure{Errno::inval};
    if (value < 0) // that needs CAP_SYS_RESOURCE, which a container's processes do not have
        return base::Failure{Errno::acces};
    process.out_of_memory_adjustment = static_cast<std::int16_t>(value);
    return base::success;
}

// A piece of the process's memory (arguments, environment, auxiliary vector).
void put_memory(const Process& process, std::uint64_t start, std::uint64_t end, TextSink& out,
                bool to_nul = false) {
    std::array<char, 128> buffer{};
    while (start < end) {
        const std::uint64_t left = std::min(end - start, base::page_size - start % base::page_size);
        const std::size_t part = std::min<std::uint64_t>(left, buffer.size());
        if (!process.space->read_memory(start, buffer.data(), part))
            return;
        const std::string_view text{buffer.data(), part};
        const std::size_t nul = to_nul ? text.find('\0') : std::string_view::npos;
        out << text.substr(0, nul == std::string_view::npos ? part : nul + 1);
        if (nul != std::string_view::npos)
            return;
        start += part;
    }
}

// Where the last byte of the arguments is no NUL, the program wrote a title of its own over them, which may go on in the
// environment (setproctitle).
void put_command_line(const Process& process, TextSink& out) {
    const std::uint64_t start = process.space->arguments_start, end = process.space->arguments_end;
    char last = 0;
    if (end > start && process.space->read_memory(end - 1, &last, 1) && last != '\0')
        put_memory(process, start, start + base::page_size, out, true);
    else
        put_memory(process, start, end, out);
}

// nullptr: it has ended; a process's first thread may have, and another stands for it.
Thread* thread_of(const Process& process, int id) {
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id == id)
            return thread;
    return process.threads;
}

char state_of(const Thread* thread) {
    if (thread == nullptr)
        return 'Z';
    if (thread->parked)
        return 'T';
    return thread->state == ThreadState::sleeping ? 'S' : 'R';
}

std::string_view name_of_state(char state) {
    switch (state) {
    case 'Z':
        return "Z (zombie)";
    case 'T':
        return "T (stopped)";
    case 'S':
        return "S (sleeping)";
    default:
        return "R (running)";
    }
}

std::string_view name_of(const Process& process, const Thread* thread) {
    return thread != nullptr ? thread->name.data() : process.last_name.data();
}

void put_stat(const Process& process, const Thread* thread, int id, TextSink& out) {
    const auto number = [&out](std::uint64_t value) { out << ' ' << value; };
    const mm::AddressSpace* space = process.space.get();
    out << static_cast<std::uint64_t>(id) << " (" << name_of(process, thread) << ") " << state_of(thread);
    number(static_cast<unsigned>(process.parent_id()));
    number(static_cast<unsigned>(process.group->id));
    number(static_cast<unsigned>(process.session->id));
    const fs::Pty* terminal = fs::terminal_of_session(process.session->id);
    number(terminal != nullptr ? fs::make_device(fs::terminal_major, terminal->number) : 0);
    out << ' ';
    put_signed(out, terminal != nullptr ? terminal->foreground : -1);
    out << " 0 0 0 0 0"; // flags, faults
    number(sched::process_cpu_ns(process) / tick_ns);
    number(0); // system time
    number(process.children_ns / tick_ns);
    number(0);
    const int nice = thread != nullptr ? thread->nice : 0;
    number(static_cast<unsigned>(20 + nice)); // priority
    out << (nice < 0 ? " -" : " ") << static_cast<std::uint64_t>(nice < 0 ? -nice : nice);
    number(process.thread_count);
    number(0); // itrealvalue
    number(process.start_ns / tick_ns);
    number(space != nullptr ? space->ranges().total() : 0);
    number(space != nullptr ? space->resident_pages() : 0);
    number(process.limits[static_cast<unsigned>(Resource::resident)].soft);
    out << " 0 0"; // code
    number(space != nullptr ? space->stack_top : 0);
    out << " 0 0 0 0 0 0 0 0 0";
    number(static_cast<unsigned>(process.exit_signal));
    number(thread != nullptr ? thread->cpu : 0);
    out << " 0 0 0 0 0 0 0";
    number(space != nullptr ? space->break_start : 0);
    number(space != nullptr ? space->arguments_start : 0);
    number(space != nullptr ? space->arguments_end : 0);
    number(space != nullptr ? space->environment_start : 0);
    number(space != nullptr ? space->environment_end : 0);
    number(static_cast<unsigned>(process.exit_status));
    out << '\n';
}

void put_cpus_allowed(TextSink& out, std::uint64_t set) {
    out << "Cpus_allowed:\t";
    out.hexadecimal(set, (machine::cpu_count + 3) / 4);
    out << "\nCpus_allowed_list:";
    char before = '\t';
    for (unsigned first = 0; first < machine::cpu_count; ++first) {
        unsigned end = first;
        while (end < machine::cpu_count && (set >> end & 1) != 0)
            ++end;
        if (end == first)
            continue;
        out << std::exchange(before, ',') << std::uint64_t{first};
        if (end > first + 1)
            out << '-' << std::uint64_t{end - 1};
        first = end;
    }
    out << '\n';
}

void put_status(const Process& process, const Thread* thread, int id, TextSink& out) {
    const fs::Credentials& who = process.context.credentials;
    const auto line = [&out](std::string_view name, std::uint64_t value) {
        out << name << '\t' << value << '\n';
    };
    const auto set = [&out](std::string_view name, signal::Set value) {
        out << name << '\t';
        out.hexadecimal(value, 16);
        out << '\n';
    };
    out << "Name:\t" << name_of(process, thread) << "\nUmask:\t00"
        << static_cast<char>('0' + (process.context.umask >> 6 & 7))
        << static_cast<char>('0' + (process.context.umask >> 3 & 7))
        << static_cast<char>('0' + (process.context.umask & 7)) << "\nState:\t"
        << name_of_state(state_of(thread)) << '\n';
    line("Tgid:", static_cast<unsigned>(process.id));
    line("Pid:", static_cast<unsigned>(id));
    line("PPid:", static_cast<unsigned>(process.parent_id()));
    out << "TracerPid:\t0\nUid:\t" << std::uint64_t{who.real_user} << '\t'
        << std::uint64_t{who.effective_user} << '\t' << std::uint64_t{who.saved_user} << '\t'
        << std::uint64_t{who.file_user} << "\nGid:\t" << std::uint64_t{who.real_group} << '\t'
        << std::uint64_t{who.effective_group} << '\t' << std::uint64_t{who.saved_group} << '\t'
        << std::uint64_t{who.file_group} << "\nFDSize:\t64\nGroups:\t";
    for (const std::uint32_t group : who.group_list())
        out << std::uint64_t{group} << ' ';
    out << '\n';
    if (process.space) {
        put_field(out, "VmPeak:\t", process.space->ranges().total() / kib);
        put_field(out, "VmSize:\t", process.space->ranges().total() / kib);
        put_field(out, "VmHWM:\t", process.space->resident_pages() * page_kib);
        put_field(out, "VmRSS:\t", process.space->resident_pages() * page_kib);
        put_field(out, "VmPTE:\t", process.space->table_pages() * page_kib);
    }
    line("Threads:", process.thread_count);
    set("SigPnd:", thread != nullptr ? thread->pending.set() : 0);
    set("ShdPnd:", process.pending.set());
    set("SigBlk:", thread != nullptr ? thread->blocked : 0);
    signal::Set ignored = 0, caught = 0;
    for (int number = 1; process.actions && number <= signal::count; ++number) {
        const std::uint64_t handler = process.action(number).handler;
        ignored |= handler == signal::handler_ignore ? signal::bit(number) : 0;
        caught |= handler > signal::handler_ignore ? signal::bit(number) : 0;
    }
    set("SigIgn:", ignored);
    set("SigCgt:", caught);
    set("CapInh:", process.capabilities().inheritable);
    set("CapPrm:", process.capabilities().permitted);
    set("CapEff:", process.capabilities().effective);
    set("CapBnd:", process.capabilities().bounding);
    set("CapAmb:", process.capabilities().ambient);
    line("NoNewPrivs:", process.no_new_privileges ? 1 : 0);
    line("Seccomp:", thread == nullptr || !thread->filters ? 0 : thread->filters->strict ? 1 : 2);
    put_cpus_allowed(out, (thread != nullptr ? thread->affinity : ~std::uint64_t{0}) & sched::all_cpus());
    out << "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\n"
           "nonvoluntary_ctxt_switches:\t0\n";
}

void put_limits(const Process& process, TextSink& out) {
    struct Row {
        std::string_view name, unit;
    };
    static constexpr std::array<Row, resource_count> rows{{
        {"Max cpu time              ", "seconds"},
        {"Max file size             ", "bytes"},
        {"Max data size             ", "bytes"},
        {"Max stack size            ", "bytes"},
        {"Max core file size        ", "bytes"},
        {"Max resident set          ", "bytes"},
        {"Max processes             ", "processes"},
        {"Max open files            ", "files"},
        {"Max locked memory         ", "bytes"},
        {"Max address space         ", "bytes"},
        {"Max file locks            ", "locks"},
        {"Max pending signals       ", "signals"},
        {"Max msgqueue size         ", "bytes"},
        {"Max nice priority         ", ""},
        {"Max realtime priority     ", ""},
        {"Max realtime timeout      ", "us"},
    }};
    const auto value = [&out](std::uint64_t limit) {
        if (limit == ~std::uint64_t{0})
            out << "unlimited            ";
        else
            out << limit << "            ";
    };
    out << "Limit                     Soft Limit           Hard Limit           Units     \n";
    for (std::size_t i = 0; i < rows.size(); ++i) {
        out << rows[i].name;
        value(process.limits[i].soft);
        value(process.limits[i].hard);
        out << rows[i].unit << '\n';
    }
}

void put_memory_information(TextSink& out) {
    const mm::FrameCounts frames = mm::frame_counts();
    put_field(out, "MemTotal:       ", frames.total * page_kib);
    put_field(out, "MemFree:        ", frames.free * page_kib);
    put_field(out, "MemAvailable:   ", frames.free * page_kib);
    put_field(out, "Buffers:        ", 0);
    put_field(out, "Cached:         ", 0);
    put_field(out, "SwapCached:     ", 0);
    put_field(out, "Active:         ", (frames.total - frames.free) * page_kib);
    put_field(out, "Inactive:       ", 0);
    put_field(out, "SwapTotal:      ", 0);
    put_field(out, "SwapFree:       ", 0);
    put_field(out, "Slab:           ", mm::heap_bytes() / kib);
    out << "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n";
}

// Of all CPUs.
std::uint64_t idle_ns() {
    std::uint64_t idle = 0;
    for (unsigned i = 0; i < machine::cpu_count; ++i)
        idle += sched::thread_cpu_ns(*sched::cpu_of(i).idle);
    return idle;
}

// Threads that run or could, and all.
struct Population {
    std::uint64_t running = 0, all = 0;
};
Population population() {
    Population count;
    for (const Process* process = process_list(); process != nullptr; process = process->next) {
        count.all += process->is_zombie() ? 1 : process->thread_count;
        for (const Thread* thread = process->threads; thread != nullptr; thread = thread->next_in_process)
            count.running += thread->state == ThreadState::runnable ? 1 : 0;
    }
    return count;
}

void put_hundredths(TextSink& out, std::uint64_t value) {
    out << value / 100 << '.' << static_cast<char>('0' + value / 10 % 10)
        << static_cast<char>('0' + value % 10);
}

void put_uptime(TextSink& out) {
    put_hundredths(out, monotonic_ns() / tick_ns);
    out << ' ';
    put_hundredths(out, idle_ns() / tick_ns);
    out << '\n';
}

void put_load(TextSink& out) {
    using sched::LoadAverages;
    for (const std::uint64_t load : sched::load_averages()) {
        put_hundredths(out, (load * 100 + LoadAverages::one / 2) / LoadAverages::one);
        out << ' ';
    }
    const Population count = population();
    out << count.running << '/' << count.all << ' ' << static_cast<std::uint64_t>(pid_table().last()) << '\n';
}

void put_system_stat(TextSink& out) {
    const auto line = [&](std::uint64_t cpus, std::uint64_t idle) {
        const std::uint64_t all = cpus * monotonic_ns(); // read after `idle`, which is no longer then
        out << ' ' << (all - idle) / tick_ns << " 0 0 " << idle / tick_ns << " 0 0 0 0 0 0\n";
    };
    out << "cpu ";
    line(machine::cpu_count, idle_ns());
    for (std::uint64_t i = 0; i < machine::cpu_count; ++i) {
        out << "cpu" << i;
        line(1, sched::thread_cpu_ns(*sched::cpu_of(static_cast<unsigned>(i)).idle));
    }
    out << "intr 0\nctxt 0\nbtime " << (realtime_ns() - monotonic_ns()) / second_ns << "\nprocesses "
        << static_cast<std::uint64_t>(pid_table().last()) << "\nprocs_running " << population().running
        << "\nprocs_blocked 0\n";
}

// Linux's rows for what the local APIC brings, and how often the partition left guest mode, without the question itself.
void put_interrupts(TextSink& out) {
    struct Row {
        std::string_view name, meaning;
    };
    static constexpr std::array<Row, machine::interrupt_kinds> rows{{
        {"LOC: ", "   Local timer interrupts\n"},
        {"RES: ", "   Rescheduling interrupts\n"},
        {"CAL: ", "   Function call interrupts\n"},
        {"TLB: ", "   TLB shootdowns\n"},
    }};
    out << "           ";
    for (std::uint64_t i = 0; i < machine::cpu_count; ++i)
        out << "CPU" << i << (i < 10 ? "       " : "      ");
    out << '\n';
    for (unsigned kind = 0; kind < rows.size(); ++kind) {
        out << rows[kind].name;
        for (unsigned i = 0; i < machine::cpu_count; ++i) {
            out.padded(machine::cpus[i]->interrupts[kind], 10);
            out << ' ';
        }
        out << rows[kind].meaning;
    }
    const long exits = machine::hypercall(CAISSON_CALL_COUNTER, {CAISSON_COUNTER_EXITS, 0, 0, 0}).value;
    if (exits < 0) // there is none
        return;
    out << "HYP: ";
    out.padded(static_cast<std::uint64_t>(exits), 10);
    out << "    Exits to the hypervisor\n";
}

// Nothing for what a zombie has no more.
void put_process_text(ProcText which, const Process& process, int id, TextSink& out) {
    const Thread* thread = thread_of(process, id);
    const mm::AddressSpace* space = process.space.get();
    switch (which) {
    case ProcText::stat:
        return put_stat(process, thread, id, out);
    case ProcText::status:
        return put_status(process, thread, id, out);
    case ProcText::limits:
        return put_limits(process, out);
    case ProcText::input_output:
        return put_input_output(process, out);
    case ProcText::out_of_memory_adjustment:
        put_signed(out, process.out_of_memory_adjustment);
        out << '\n';
        return;
    case ProcText::command_name:
        out << name_of(process, thread) << '\n';
        return;
    case ProcText::statm: {
        const std::uint64_t resident = space != nullptr ? space->resident_pages() : 0;
        out << (space != nullptr ? space->ranges().total() / base::page_size : 0) << ' ' << resident
            << " 0 0 0 " << resident << " 0\n";
        return;
    }
    default:
        break;
    }
    if (space == nullptr)
        return;
    switch (which) {
    case ProcText::maps:
        return put_maps(process, out, false);
    case ProcText::smaps:
        return put_maps(process, out, true);
    case ProcText::smaps_summary:
        return put_smaps_summary(process, out);
    case ProcText::command_line:
        return put_command_line(process, out);
    case ProcText::environment:
        return put_memory(process, space->environment_start, space->environment_end, out);
    case ProcText::auxiliary_vector:
        return put_memory(process, space->auxiliary_start, space->auxiliary_end, out);
    default:
        return;
    }
}

} // namespace

void fs::seam::proc_text(ProcText which, int process_id, int thread_id, TextSink& out) {
    switch (which) {
    case ProcText::memory_info:
        return put_memory_information(out);
    case ProcText::cpu_info:
        return proc::put_cpu_information(out);
    case ProcText::system_stat:
        return put_system_stat(out);
    case ProcText::interrupts:
        return put_interrupts(out);
    case ProcText::uptime:
        return put_uptime(out);
    case ProcText::load_average:
        return put_load(out);
    case ProcText::net_tcp:
    case ProcText::net_tcp6:
        return net::describe_tcp(which == ProcText::net_tcp6, out);
    case ProcText::net_udp:
    case ProcText::net_udp6:
        return net::describe_udp(which == ProcText::net_udp6, out);
    case ProcText::net_local:
        return net::describe_local(out);
    case ProcText::net_sockets:
        return net::describe_sockets(out);
#if CAISSON_NETWORK
    case ProcText::net_devices:
        return net::describe_devices(out);
    case ProcText::net_routes:
        return net::describe_routes(out);
    case ProcText::net_addresses6:
        return net::describe_addresses6(out);
#endif
    case ProcText::version:
        out << "Linux version " << uk::kernel_release << " (caisson) " << uk::kernel_version << '\n';
        return;
    default:
        break;
    }
    if (const Process* process = find_process(process_id))
        put_process_text(which, *process, thread_id != 0 ? thread_id : process_id, out);
}

Status fs::seam::proc_write(ProcText which, int process_id, int thread_id, std::string_view text) {
    Process* process = find_process(process_id);
    if (process == nullptr || process->is_zombie())
        return base::Failure{Errno::srch};
    switch (which) {
    case ProcText::command_name: {
        auto& name = thread_of(*process, thread_id != 0 ? thread_id : process_id)->name;
        name.fill('\0');
        std::copy_n(text.begin(), std::min(text.size(), name.size() - 1), name.begin());
        return base::success;
    }
    case ProcText::out_of_memory_adjustment:
        return set_out_of_memory_adjustment(*process, text);
    default:
        return base::Failure{Errno::inval};
    }
}

} // namespace uk
