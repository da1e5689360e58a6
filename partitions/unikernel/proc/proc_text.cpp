// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/proc/proc_text.cpp - texts of /proc that come from the kernel's own state.
// Spec: proc(5); the columns are those that programs read.
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/proc/cpu_text.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/task/identity.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <cstring>

namespace uk {

namespace {

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

// A piece of the process's memory (arguments, environment, auxiliary vector).
void put_memory(const Process& process, std::uint64_t start, std::uint64_t end, TextSink& out) {
    std::array<char, 128> buffer{};
    while (start < end) {
        const std::size_t part = std::min<std::uint64_t>(end - start, buffer.size());
        if (!process.space->read_memory(start, buffer.data(), part))
            return;
        out << std::string_view{buffer.data(), part};
        start += part;
    }
}

const Thread& thread_of(const Process& process, int id) {
    for (const Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id == id)
            return *thread;
    return *process.threads;
}

char state_of(const Thread& thread) {
    return thread.state == ThreadState::sleeping ? 'S' : 'R';
}

void put_stat(const Process& process, const Thread& thread, TextSink& out) {
    const auto number = [&out](std::uint64_t value) { out << ' ' << value; };
    out << static_cast<std::uint64_t>(thread.id) << " (" << std::string_view{thread.name.data()} << ") "
        << state_of(thread);
    number(static_cast<unsigned>(process.parent));
    number(static_cast<unsigned>(process.group));
    number(static_cast<unsigned>(process.session));
    out << " 0 -1 0 0 0 0 0"; // terminal, its group, flags, faults
    number(sched::process_cpu_ns(process) / tick_ns);
    out << " 0 0 0"; // system and children's time
    const int nice = thread.nice;
    number(static_cast<unsigned>(20 + nice)); // priority
    out << (nice < 0 ? " -" : " ") << static_cast<std::uint64_t>(nice < 0 ? -nice : nice);
    number(process.thread_count);
    out << " 0 0"; // itrealvalue, start time
    number(process.space->ranges().total());
    number(process.space->resident_pages());
    number(process.limits[static_cast<unsigned>(Resource::resident)].soft);
    out << " 0 0"; // code
    number(process.space->stack_top);
    out << " 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0";
    number(process.space->break_start);
    number(process.space->arguments_start);
    number(process.space->arguments_end);
    number(process.space->environment_start);
    number(process.space->environment_end);
    out << " 0\n";
}

void put_status(const Process& process, const Thread& thread, TextSink& out) {
    const fs::Credentials& who = process.context.credentials;
    const auto line = [&out](std::string_view name, std::uint64_t value) {
        out << name << '\t' << value << '\n';
    };
    const auto set = [&out](std::string_view name, signal::Set value) {
        out << name << '\t';
        out.hexadecimal(value, 16);
        out << '\n';
    };
    out << "Name:\t" << std::string_view{thread.name.data()} << "\nUmask:\t00"
        << static_cast<char>('0' + (process.context.umask >> 6 & 7))
        << static_cast<char>('0' + (process.context.umask >> 3 & 7))
        << static_cast<char>('0' + (process.context.umask & 7)) << "\nState:\t"
        << (state_of(thread) == 'S' ? "S (sleeping)" : "R (running)") << '\n';
    line("Tgid:", static_cast<unsigned>(process.id));
    line("Pid:", static_cast<unsigned>(thread.id));
    line("PPid:", static_cast<unsigned>(process.parent));
    out << "TracerPid:\t0\nUid:\t" << std::uint64_t{who.real_user} << '\t'
        << std::uint64_t{who.effective_user} << '\t' << std::uint64_t{who.saved_user} << '\t'
        << std::uint64_t{who.file_user} << "\nGid:\t" << std::uint64_t{who.real_group} << '\t'
        << std::uint64_t{who.effective_group} << '\t' << std::uint64_t{who.saved_group} << '\t'
        << std::uint64_t{who.file_group} << "\nFDSize:\t64\nGroups:\t";
    for (const std::uint32_t group : who.group_list())
        out << std::uint64_t{group} << ' ';
    out << '\n';
    put_field(out, "VmPeak:\t", process.space->ranges().total() / kib);
    put_field(out, "VmSize:\t", process.space->ranges().total() / kib);
    put_field(out, "VmHWM:\t", process.space->resident_pages() * page_kib);
    put_field(out, "VmRSS:\t", process.space->resident_pages() * page_kib);
    put_field(out, "VmPTE:\t", process.space->table_pages() * page_kib);
    line("Threads:", process.thread_count);
    set("SigPnd:", thread.pending.set());
    set("ShdPnd:", process.pending.set());
    set("SigBlk:", thread.blocked);
    line("NoNewPrivs:", process.no_new_privileges ? 1 : 0);
    out << "Seccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed_list:\t0\nvoluntary_ctxt_"
           "switches:\t0\n"
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

void put_uptime(TextSink& out) {
    const std::uint64_t hundredths = monotonic_ns() / tick_ns;
    const auto seconds = [&out](std::uint64_t value) {
        out << value / 100 << '.' << static_cast<char>('0' + value / 10 % 10)
            << static_cast<char>('0' + value % 10);
    };
    const std::uint64_t busy = sched::process_cpu_ns(main_process()) / tick_ns;
    seconds(hundredths);
    out << ' ';
    seconds(hundredths > busy ? hundredths - busy : 0);
    out << '\n';
}

void put_system_stat(TextSink& out) {
    const std::uint64_t busy = sched::process_cpu_ns(main_process()) / tick_ns;
    const std::uint64_t all = monotonic_ns() / tick_ns;
    const std::uint64_t idle = all > busy ? all - busy : 0;
    for (const std::string_view name : {"cpu ", "cpu0"})
        out << name << ' ' << busy << " 0 0 " << idle << " 0 0 0 0 0 0\n";
    out << "intr 0\nctxt 0\nbtime " << (realtime_ns() - monotonic_ns()) / second_ns
        << "\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n";
}

} // namespace

void fs::seam::proc_text(ProcText which, int, int thread_id, TextSink& out) {
    const Process& process = main_process();
    const Thread& thread = thread_of(process, thread_id);
    switch (which) {
    case ProcText::maps:
        return put_maps(process, out, false);
    case ProcText::smaps:
        return put_maps(process, out, true);
    case ProcText::stat:
        return put_stat(process, thread, out);
    case ProcText::statm:
        out << process.space->ranges().total() / base::page_size << ' ' << process.space->resident_pages()
            << " 0 0 0 " << process.space->resident_pages() << " 0\n";
        return;
    case ProcText::status:
        return put_status(process, thread, out);
    case ProcText::command_line:
        return put_memory(process, process.space->arguments_start, process.space->arguments_end, out);
    case ProcText::environment:
        return put_memory(process, process.space->environment_start, process.space->environment_end, out);
    case ProcText::auxiliary_vector:
        return put_memory(process, process.space->auxiliary_start, process.space->auxiliary_end, out);
    case ProcText::limits:
        return put_limits(process, out);
    case ProcText::command_name:
        out << std::string_view{thread.name.data()} << '\n';
        return;
    case ProcText::memory_info:
        return put_memory_information(out);
    case ProcText::cpu_info:
        return proc::put_cpu_information(out);
    case ProcText::system_stat:
        return put_system_stat(out);
    case ProcText::uptime:
        return put_uptime(out);
    case ProcText::load_average:
        out << "0.00 0.00 0.00 1/" << std::uint64_t{process.thread_count} << ' '
            << static_cast<std::uint64_t>(process.next_thread_id) << '\n';
        return;
    case ProcText::version:
        out << "Linux version " << uk::kernel_release << " (caisson) " << uk::kernel_version << '\n';
        return;
    }
}

} // namespace uk
