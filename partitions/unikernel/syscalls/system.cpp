// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/system.cpp - what a program asks about the machine, its use of it and its
// limits.
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/identity.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <cstring>

namespace uk {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000, tick_ns = 10'000'000;
constexpr std::size_t name_bytes = 65;

struct SystemNames { // struct new_utsname
    std::array<char, name_bytes> system{}, node{}, release{}, version{}, machine{}, domain{};
};

void fill(std::array<char, name_bytes>& field, std::string_view text) {
    std::copy_n(text.begin(), std::min(text.size(), name_bytes - 1), field.begin());
}

struct SystemInformation { // struct sysinfo
    std::int64_t uptime;
    std::array<std::uint64_t, 3> loads;
    std::uint64_t total, free, shared, buffers, swap_total, swap_free;
    std::uint16_t processes, padding;
    std::uint32_t padding2;
    std::uint64_t high_total, high_free;
    std::uint32_t unit, padding3;
};
static_assert(sizeof(SystemInformation) == 112);

struct TimeValue {
    std::int64_t seconds, microseconds;
};

struct Usage { // struct rusage
    TimeValue user, system;
    std::int64_t resident_max_kib;
    std::array<std::int64_t, 13> rest;
};

TimeValue to_time(std::uint64_t ns) {
    return {static_cast<std::int64_t>(ns / second_ns), static_cast<std::int64_t>(ns % second_ns / 1000)};
}

Status check_new_limit(const Process& process, const ResourceLimit& old, const ResourceLimit& wanted) {
    if (wanted.soft > wanted.hard)
        return base::Failure{Errno::inval};
    if (wanted.hard > old.hard && !process.context.credentials.privileged())
        return base::Failure{Errno::perm};
    return base::success;
}

Status set_limit(Process& process, std::uint32_t resource, const ResourceLimit& wanted) {
    constexpr std::uint64_t open_files_max = 1 << 20;
    ResourceLimit& limit = process.limits[resource];
    CAISSON_TRY(check_new_limit(process, limit, wanted));
    if (resource == static_cast<std::uint32_t>(Resource::open_files)) {
        if (wanted.hard > open_files_max)
            return base::Failure{Errno::perm};
        process.files.limit = static_cast<unsigned>(wanted.soft);
    }
    limit = wanted;
    process.space->limits = memory_limits(process);
    return base::success;
}

} // namespace

SyscallResult sys_uname(const Arguments& arguments) {
    SystemNames names;
    fill(names.system, "Linux");
    fill(names.node, uk::hostname());
    fill(names.release, uk::kernel_release);
    fill(names.version, uk::kernel_version);
    fill(names.machine, "x86_64");
    fill(names.domain, "(none)");
    CAISSON_TRY(mm::write_user(arguments.pointer(0), names));
    return 0;
}

SyscallResult sys_sethostname(const Arguments& arguments) {
    if (!current_process().context.credentials.privileged())
        return base::Failure{Errno::perm};
    std::array<char, name_bytes - 1> name{};
    if (arguments[1] > name.size())
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::copy_in(name.data(), arguments.pointer(0), arguments[1]));
    uk::set_hostname({name.data(), arguments[1]});
    return 0;
}

SyscallResult sys_sysinfo(const Arguments& arguments) {
    SystemInformation information{};
    const mm::FrameCounts frames = mm::frame_counts();
    information.uptime = static_cast<std::int64_t>(monotonic_ns() / second_ns);
    information.total = frames.total * base::page_size;
    information.free = frames.free * base::page_size;
    information.processes = static_cast<std::uint16_t>(current_process().thread_count);
    information.unit = 1;
    CAISSON_TRY(mm::write_user(arguments.pointer(0), information));
    return 0;
}

SyscallResult sys_getrusage(const Arguments& arguments) {
    constexpr int of_self = 0, of_children = -1, of_thread = 1;
    Usage usage{};
    const Process& process = current_process();
    switch (arguments.integer(0)) {
    case of_self:
        usage.user = to_time(sched::process_cpu_ns(process));
        usage.resident_max_kib = static_cast<std::int64_t>(process.space->resident_pages() * 4);
        break;
    case of_thread:
        usage.user = to_time(sched::thread_cpu_ns(current()));
        usage.resident_max_kib = static_cast<std::int64_t>(process.space->resident_pages() * 4);
        break;
    case of_children:
        break;
    default:
        return base::Failure{Errno::inval};
    }
    CAISSON_TRY(mm::write_user(arguments.pointer(1), usage));
    return 0;
}

SyscallResult sys_times(const Arguments& arguments) {
    struct Times {
        std::uint64_t user, system, children_user, children_system;
    };
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0),
                                   Times{sched::process_cpu_ns(current_process()) / tick_ns, 0, 0, 0}));
    return monotonic_ns() / tick_ns;
}

SyscallResult sys_prlimit64(const Arguments& arguments) {
    Process& process = current_process();
    const std::uint32_t resource = arguments.word(1);
    if (arguments.integer(0) != 0 && arguments.integer(0) != process.id)
        return base::Failure{Errno::srch};
    if (resource >= resource_count)
        return base::Failure{Errno::inval};
    const ResourceLimit old = process.limits[resource];
    if (arguments[2] != 0) {
        const auto wanted = CAISSON_TRY(mm::read_user<ResourceLimit>(arguments.pointer(2)));
        CAISSON_TRY(set_limit(process, resource, wanted));
    }
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), old));
    return 0;
}

SyscallResult sys_getrlimit(const Arguments& arguments) {
    if (arguments.word(0) >= resource_count)
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::write_user(arguments.pointer(1), current_process().limits[arguments.word(0)]));
    return 0;
}

SyscallResult sys_setrlimit(const Arguments& arguments) {
    if (arguments.word(0) >= resource_count)
        return base::Failure{Errno::inval};
    const auto wanted = CAISSON_TRY(mm::read_user<ResourceLimit>(arguments.pointer(1)));
    CAISSON_TRY(set_limit(current_process(), arguments.word(0), wanted));
    return 0;
}

} // namespace uk
