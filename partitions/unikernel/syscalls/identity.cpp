// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/identity.cpp - users, groups and capabilities of the process.
//
// Root has every capability, nobody else any: that is the whole model of privilege here.
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <utility>

namespace uk {

namespace {

constexpr std::uint32_t unchanged = ~std::uint32_t{0};

struct Triple {
    std::uint32_t &real, &effective, &saved, &file;
    [[nodiscard]] bool holds(std::uint32_t id) const { return id == real || id == effective || id == saved; }
};

fs::Credentials& mine() {
    return current_process().context.credentials;
}
Triple users() {
    return {mine().real_user, mine().effective_user, mine().saved_user, mine().file_user};
}
Triple groups() {
    return {mine().real_group, mine().effective_group, mine().saved_group, mine().file_group};
}

SyscallResult set_one(Triple ids, std::uint32_t id) {
    if (id == unchanged)
        return base::Failure{Errno::inval};
    if (mine().privileged()) {
        ids.real = ids.effective = ids.saved = ids.file = id;
        return 0;
    }
    if (id != ids.real && id != ids.saved)
        return base::Failure{Errno::perm};
    ids.effective = ids.file = id;
    return 0;
}

SyscallResult set_two(Triple ids, std::uint32_t real, std::uint32_t effective) {
    const bool privileged = mine().privileged();
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
    if (!mine().privileged())
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
    return set_one(users(), arguments.word(0));
}
SyscallResult sys_setgid(const Arguments& arguments) {
    return set_one(groups(), arguments.word(0));
}
SyscallResult sys_setreuid(const Arguments& arguments) {
    return set_two(users(), arguments.word(0), arguments.word(1));
}
SyscallResult sys_setregid(const Arguments& arguments) {
    return set_two(groups(), arguments.word(0), arguments.word(1));
}
SyscallResult sys_setresuid(const Arguments& arguments) {
    return set_three(users(), arguments.word(0), arguments.word(1), arguments.word(2));
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
    if (id != unchanged && (mine().privileged() || ids.holds(id)))
        ids.file = id;
    return old;
}

} // namespace

SyscallResult sys_setfsuid(const Arguments& arguments) {
    return set_for_files(users(), arguments.word(0));
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
    if (!mine().privileged())
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
constexpr std::uint64_t all_capabilities = (std::uint64_t{1} << 41) - 1;

struct CapabilityHeader {
    std::uint32_t version;
    std::int32_t process;
};
struct CapabilitySets {
    std::uint32_t effective, permitted, inheritable;
};

Result<CapabilityHeader> read_header(const Arguments& arguments) {
    auto header = CAISSON_TRY(mm::read_user<CapabilityHeader>(arguments.pointer(0)));
    if (header.version != capability_version) {
        header.version = capability_version;
        CAISSON_TRY(mm::write_user(arguments.pointer(0), header));
        return base::Failure{Errno::inval};
    }
    if (header.process != 0 && header.process != current_process().id && header.process != current().id)
        return base::Failure{Errno::srch};
    return header;
}

} // namespace

SyscallResult sys_capget(const Arguments& arguments) {
    const auto header = read_header(arguments);
    if (!header.ok())
        return header.error() == Errno::inval && arguments[1] == 0
                   ? SyscallResult{0}
                   : SyscallResult{base::Failure{header.error()}};
    const std::uint64_t held = mine().privileged() ? all_capabilities : 0;
    const auto low = static_cast<std::uint32_t>(held), high = static_cast<std::uint32_t>(held >> 32);
    const std::array<CapabilitySets, 2> sets{{{low, low, 0}, {high, high, 0}}};
    CAISSON_TRY(mm::write_user(arguments.pointer(1), sets));
    return 0;
}

// Only what changes nothing: root cannot give up single capabilities here.
SyscallResult sys_capset(const Arguments& arguments) {
    (void)CAISSON_TRY(read_header(arguments));
    const auto sets = CAISSON_TRY((mm::read_user<std::array<CapabilitySets, 2>>(arguments.pointer(1))));
    const std::uint64_t held = mine().privileged() ? all_capabilities : 0;
    const std::uint64_t effective = std::uint64_t{sets[1].effective} << 32 | sets[0].effective;
    const std::uint64_t permitted = std::uint64_t{sets[1].permitted} << 32 | sets[0].permitted;
    if (effective != held || permitted != held)
        return base::Failure{Errno::perm};
    return 0;
}

} // namespace uk
