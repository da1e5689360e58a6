// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/epoll.cpp - epoll_create, epoll_ctl, epoll_wait.
#include "partitions/unikernel/fs/files/epoll.hpp"

#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"
#include "partitions/unikernel/syscalls/waiting.hpp"

#include <limits>

namespace uk {

using fs::File;

namespace {

SyscallResult make_set(std::uint32_t flags) {
    if ((flags & ~fs::open_flag::close_on_exec) != 0)
        return base::Failure{Errno::inval};
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    Ref<File> file = CAISSON_TRY(fs::make_epoll(std::move(node)));
    return static_cast<std::uint64_t>(CAISSON_TRY(files::table().add(std::move(file), flags != 0)));
}

struct [[gnu::packed]] UserEvent { // struct epoll_event
    std::uint32_t events;
    std::uint64_t data;
};
static_assert(sizeof(UserEvent) == 12);

bool write_event(std::uint64_t where, std::size_t index, const fs::Report& report) {
    const UserEvent event{report.events, report.data};
    return mm::write_user(mm::UserAddress{where + index * sizeof(UserEvent)}, event).ok();
}

SyscallResult wait_for_events(const Arguments& arguments, Deadline deadline) {
    constexpr int most = std::numeric_limits<int>::max() / static_cast<int>(sizeof(UserEvent));
    const int wanted = arguments.integer(2);
    if (wanted <= 0 || wanted > most)
        return base::Failure{Errno::inval};
    const Ref<File> set = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (!set->is(fs::epoll_file))
        return base::Failure{Errno::inval};
    for (;;) {
        const std::size_t count =
            CAISSON_TRY(fs::collect(*set, static_cast<std::size_t>(wanted), &write_event, arguments[1]));
        if (count > 0 || deadline == 0)
            return std::uint64_t{count};
        const Status slept = sched::wait(*fs::wait_queue(*set), deadline);
        if (!slept.ok() && slept.error() == Errno::timedout)
            deadline = 0;
        else if (!slept.ok())
            return base::Failure{slept.error() == Errno::restart_sys ? Errno::intr : slept.error()};
    }
}

} // namespace

SyscallResult sys_epoll_create(const Arguments& arguments) {
    if (arguments.integer(0) <= 0)
        return base::Failure{Errno::inval};
    return make_set(0);
}

SyscallResult sys_epoll_create1(const Arguments& arguments) {
    return make_set(arguments.word(0));
}

SyscallResult sys_epoll_ctl(const Arguments& arguments) {
    constexpr int add = 1, remove = 2, modify = 3;
    const int descriptor = arguments.integer(2);
    UserEvent event{};
    if (arguments.integer(1) != remove)
        event = CAISSON_TRY(mm::read_user<UserEvent>(arguments.pointer(3)));
    const Ref<File> set = CAISSON_TRY(files::usable(arguments.integer(0)));
    const Ref<File> file = CAISSON_TRY(files::usable(descriptor));
    if (file->operations->readiness == nullptr)
        return base::Failure{Errno::perm};
    if (!set->is(fs::epoll_file) || set == file)
        return base::Failure{Errno::inval};
    switch (arguments.integer(1)) {
    case add:
        CAISSON_TRY(fs::add_watch(*set, *file, descriptor, event.events, event.data));
        return 0ul;
    case modify:
        CAISSON_TRY(fs::change_watch(*set, *file, descriptor, event.events, event.data));
        return 0ul;
    case remove:
        CAISSON_TRY(fs::remove_watch(*set, *file, descriptor));
        return 0ul;
    default:
        return base::Failure{Errno::inval};
    }
}

SyscallResult sys_epoll_wait(const Arguments& arguments) {
    return wait_for_events(arguments, deadline_in_milliseconds(arguments.integer(3)));
}

SyscallResult sys_epoll_pwait(const Arguments& arguments) {
    MaskedWait masked;
    CAISSON_TRY(masked.begin(arguments.pointer(4), arguments[5]));
    return masked.end(wait_for_events(arguments, deadline_in_milliseconds(arguments.integer(3))));
}

SyscallResult sys_epoll_pwait2(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(3), 1'000'000'000));
    MaskedWait masked;
    CAISSON_TRY(masked.begin(arguments.pointer(4), arguments[5]));
    return masked.end(wait_for_events(arguments, deadline));
}

} // namespace uk
