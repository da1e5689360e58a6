// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/system.cpp - what a program asks about the machine, its use of it and its
// limits.
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/usage.hpp"
#include "partitions/unikernel/task/identity.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <cstring>

namespace uk {

namespace {

constexpr std::uint64_t tick_ns = 10'000'000;
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

Status check_new_limit(const ResourceLimit& old, const ResourceLimit& wanted) {
    if (wanted.soft > wanted.hard)
        return base::Failure{Errno::inval};
    if (wanted.hard > old.hard && !current_process().capabilities().can(capability::resources))
        return base::Failure{Errno::perm};
    return base::success;
}

Status set_limit(Process& process, std::uint32_t resource, const ResourceLimit& wanted) {
    constexpr std::uint64_t open_files_max = 1 << 20;
    ResourceLimit& limit = process.limits[resource];
    CAISSON_TRY(check_new_limit(limit, wanted));
    if (resource == static_cast<std::uint32_t>(Resource::open_files)) {
        if (wanted.hard > open_files_max)
            return base::Failure{Errno::perm};
        process.files->limit = static_cast<unsigned>(wanted.soft);
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
    if (!current_process().capabilities().can(capability::administer))
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
    constexpr unsigned fraction_bits = 16;
    information.loads = sched::load_averages();
    for (std::uint64_t& load : information.loads)
        load <<= fraction_bits - sched::LoadAverages::fraction_bits;
    information.uptime = static_cast<std::int64_t>(monotonic_ns() / second_ns);
    information.total = frames.total * base::page_size;
    information.free = frames.free * base::page_size;
    information.processes = static_cast<std::uint16_t>(task_count());
    information.unit = 1;
    CAISSON_TRY(mm::write_user(arguments.pointer(0), information));
    return 0;
}

SyscallResult sys_getrusage(const Arguments& arguments) {
    constexpr int of_self = 0, of_children = -1, of_thread = 1;
    const Process& process = current_process();
    const std::uint64_t resident = std::max(process.resident_max, process.space->resident_pages());
    Usage usage;
    switch (arguments.integer(0)) {
    case of_self:
        usage = make_usage(sched::process_cpu_ns(process), resident);
        break;
    case of_thread:
        usage = make_usage(sched::thread_cpu_ns(current()), resident);
        break;
    case of_children:
        usage = make_usage(process.children_ns, process.children_resident_max);
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
        CAISSON_TRY(
            mm::write_user(arguments.pointer(0), Times{sched::process_cpu_ns(current_process()) / tick_ns, 0,
                                                       current_process().children_ns / tick_ns, 0}));
    return monotonic_ns() / tick_ns;
}

namespace {

// Another process's limits are for root and for the same user, whatever it changed.
bool may_limit(const Process& target) {
    const fs::Credentials& mine = current_process().context.credentials;
    const fs::Credentials& theirs = target.context.credentials;
    const auto all = [](std::uint32_t id, std::uint32_t real, std::uint32_t effective, std::uint32_t saved) {
        return id == real && id == effective && id == saved;
    };
    return &target == &current_process() || current_process().capabilities().can(capability::resources) ||
           (all(mine.real_user, theirs.real_user, theirs.effective_user, theirs.saved_user) &&
            all(mine.real_group, theirs.real_group, theirs.effective_group, theirs.saved_group));
}

} // namespace

SyscallResult sys_prlimit64(const Arguments& arguments) {
    Process* target = arguments.integer(0) == 0 ? &current_process() : find_process(arguments.integer(0));
    const std::uint32_t resource = arguments.word(1);
    if (target == nullptr || target->is_zombie())
        return base::Failure{Errno::srch};
    if (!may_limit(*target))
        return base::Failure{Errno::perm};
    Process& process = *target;
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
