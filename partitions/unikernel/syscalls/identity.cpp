// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/identity.cpp - users, groups and capabilities of the process.
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <utility>

namespace uk {

namespace {

constexpr std::uint32_t unchanged = ~std::uint32_t{0};

struct Triple {
    std::uint32_t &real, &effective, &saved, &file;
    CapabilitySet needed; // to change them freely
    [[nodiscard]] bool free() const { return current_process().capabilities().can(needed); }
    [[nodiscard]] bool holds(std::uint32_t id) const { return id == real || id == effective || id == saved; }
};

fs::Credentials& mine() {
    return current_process().context.credentials;
}
Triple users() {
    return {mine().real_user, mine().effective_user, mine().saved_user, mine().file_user,
            capability::set_user};
}
Triple groups() {
    return {mine().real_group, mine().effective_group, mine().saved_group, mine().file_group,
            capability::set_group};
}

SyscallResult set_one(Triple ids, std::uint32_t id) {
    if (id == unchanged)
        return base::Failure{Errno::inval};
    if (ids.free()) {
        ids.real = ids.effective = ids.saved = ids.file = id;
        return 0;
    }
    if (id != ids.real && id != ids.saved)
        return base::Failure{Errno::perm};
    ids.effective = ids.file = id;
    return 0;
}

SyscallResult set_two(Triple ids, std::uint32_t real, std::uint32_t effective) {
    const bool privileged = ids.free();
    if (!privileged && ((real != unchanged && real != ids.real && real != ids.effective) ||
                        (effective != unchanged && !ids.holds(effective))))
        return base::Failure{Errno::perm};
    const std::uint32_t old_real = ids.real;
    if (real != unchanged)
        ids.real = real;
    if (effective != unchanged)
        ids.effective = effective;
    if (real != unchanged || (effective != unchanged && effective != old_real))
        ids.saved = ids.effective;
    ids.file = ids.effective;
    return 0;
}

SyscallResult set_three(Triple ids, std::uint32_t real, std::uint32_t effective, std::uint32_t saved) {
    if (!ids.free())
        for (const std::uint32_t id : {real, effective, saved})
            if (id != unchanged && !ids.holds(id))
                return base::Failure{Errno::perm};
    if (real != unchanged)
        ids.real = real;
    if (effective != unchanged)
        ids.effective = effective;
    if (saved != unchanged)
        ids.saved = saved;
    ids.file = ids.effective;
    return 0;
}

UserIds user_ids() {
    return {mine().real_user, mine().effective_user, mine().saved_user};
}

// A change of users takes capabilities away, or gives them their effect.
SyscallResult change_users(const SyscallResult& result, const UserIds& before) {
    Process& process = current_process();
    if (result.ok())
        process.capabilities().user_changed(before, user_ids());
    return result;
}

SyscallResult get_three(const Triple& ids, const Arguments& arguments) {
    CAISSON_TRY(mm::write_user(arguments.pointer(0), ids.real));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), ids.effective));
    CAISSON_TRY(mm::write_user(arguments.pointer(2), ids.saved));
    return 0;
}

} // namespace

SyscallResult sys_getuid(const Arguments&) {
    return users().real;
}
SyscallResult sys_geteuid(const Arguments&) {
    return users().effective;
}
SyscallResult sys_getgid(const Arguments&) {
    return groups().real;
}
SyscallResult sys_getegid(const Arguments&) {
    return groups().effective;
}
SyscallResult sys_setuid(const Arguments& arguments) {
    const UserIds before = user_ids();
    return change_users(set_one(users(), arguments.word(0)), before);
}
SyscallResult sys_setgid(const Arguments& arguments) {
    return set_one(groups(), arguments.word(0));
}
SyscallResult sys_setreuid(const Arguments& arguments) {
    const UserIds before = user_ids();
    return change_users(set_two(users(), arguments.word(0), arguments.word(1)), before);
}
SyscallResult sys_setregid(const Arguments& arguments) {
    return set_two(groups(), arguments.word(0), arguments.word(1));
}
SyscallResult sys_setresuid(const Arguments& arguments) {
    const UserIds before = user_ids();
    return change_users(set_three(users(), arguments.word(0), arguments.word(1), arguments.word(2)), before);
}
SyscallResult sys_setresgid(const Arguments& arguments) {
    return set_three(groups(), arguments.word(0), arguments.word(1), arguments.word(2));
}
SyscallResult sys_getresuid(const Arguments& arguments) {
    return get_three(users(), arguments);
}
SyscallResult sys_getresgid(const Arguments& arguments) {
    return get_three(groups(), arguments);
}

namespace {

// Gives what it was, whether or not it may change: -1 asks.
SyscallResult set_for_files(Triple ids, std::uint32_t id) {
    const std::uint32_t old = ids.file;
    if (id != unchanged && (ids.free() || ids.holds(id)))
        ids.file = id;
    return old;
}

} // namespace

SyscallResult sys_setfsuid(const Arguments& arguments) {
    const std::uint32_t old = mine().file_user;
    const SyscallResult result = set_for_files(users(), arguments.word(0));
    mine().capabilities.file_user_changed(old, mine().file_user);
    return result;
}
SyscallResult sys_setfsgid(const Arguments& arguments) {
    return set_for_files(groups(), arguments.word(0));
}

SyscallResult sys_getgroups(const Arguments& arguments) {
    const auto list = mine().group_list();
    const int room = arguments.integer(0);
    if (room < 0 || (room != 0 && static_cast<std::size_t>(room) < list.size()))
        return base::Failure{Errno::inval};
    if (room != 0)
        CAISSON_TRY(mm::copy_out(arguments.pointer(1), list.data(), list.size_bytes()));
    return list.size();
}

SyscallResult sys_setgroups(const Arguments& arguments) {
    if (!current_process().capabilities().can(capability::set_group))
        return base::Failure{Errno::perm};
    const std::uint32_t count = arguments.word(0);
    if (count > fs::GroupList::groups_max)
        return base::Failure{Errno::inval};
    Ref<fs::GroupList> list = fs::GroupList::make(count);
    if (!list)
        return base::Failure{Errno::nomem};
    CAISSON_TRY(mm::copy_in(list->ids().data(), arguments.pointer(1), list->ids().size_bytes()));
    list->sort();
    mine().groups = std::move(list);
    return 0;
}

namespace {

constexpr std::uint32_t capability_version = 0x20080522;

struct CapabilityHeader {
    std::uint32_t version;
    std::int32_t process;
};
struct CapabilitySets {
    std::uint32_t effective, permitted, inheritable;
};

// nullptr with ESRCH: there is no such process.
Result<const Process*> read_header(const Arguments& arguments) {
    auto header = CAISSON_TRY(mm::read_user<CapabilityHeader>(arguments.pointer(0)));
    if (header.version != capability_version) {
        header.version = capability_version;
        CAISSON_TRY(mm::write_user(arguments.pointer(0), header));
        return base::Failure{Errno::inval};
    }
    if (header.process < 0)
        return base::Failure{Errno::inval};
    const Thread* thread = header.process == 0 ? &current() : find_thread(header.process);
    if (thread == nullptr)
        return base::Failure{Errno::srch};
    return thread->process;
}

std::uint64_t joined(std::uint32_t low, std::uint32_t high) {
    return (std::uint64_t{high} << 32 | low) & capability::all;
}

} // namespace

SyscallResult sys_capget(const Arguments& arguments) {
    const auto process = read_header(arguments);
    if (!process.ok())
        return process.error() == Errno::inval && arguments[1] == 0
                   ? SyscallResult{0}
                   : SyscallResult{base::Failure{process.error()}};
    const Capabilities& held = (*process)->capabilities();
    const auto half = [&held](unsigned shift) {
        return CapabilitySets{static_cast<std::uint32_t>(held.effective >> shift),
                              static_cast<std::uint32_t>(held.permitted >> shift),
                              static_cast<std::uint32_t>(held.inheritable >> shift)};
    };
    CAISSON_TRY(mm::write_user(arguments.pointer(1), std::array<CapabilitySets, 2>{half(0), half(32)}));
    return 0;
}

SyscallResult sys_capset(const Arguments& arguments) {
    const Process* process = CAISSON_TRY(read_header(arguments));
    if (process != &current_process())
        return base::Failure{Errno::perm};
    const auto sets = CAISSON_TRY((mm::read_user<std::array<CapabilitySets, 2>>(arguments.pointer(1))));
    if (!current_process().capabilities().set(joined(sets[0].effective, sets[1].effective),
                                              joined(sets[0].permitted, sets[1].permitted),
                                              joined(sets[0].inheritable, sets[1].inheritable)))
        return base::Failure{Errno::perm};
    return 0;
}

} // namespace uk
