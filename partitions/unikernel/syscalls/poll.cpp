// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/poll.cpp - poll, select and their relatives.
#include "partitions/unikernel/syscalls/user_buffers.hpp"
#include "partitions/unikernel/syscalls/waiting.hpp"

#include <algorithm>
#include <array>

namespace uk {

using files::table;
using fs::File;

namespace {

constexpr std::int64_t nanoseconds = 1'000'000'000, microseconds = 1'000'000; // a second
constexpr std::uint32_t always_found = fs::ready::error | fs::ready::hang_up | fs::ready::invalid;

// One file that a poll watches, and its place in the file's queue.
struct Watched {
    int descriptor = -1;
    std::uint32_t events = 0; // asked for
    std::uint32_t found = 0;
    Ref<File> file;
};

std::uint64_t look(std::span<Watched> watched) {
    std::uint64_t count = 0;
    for (Watched& one : watched) {
        if (one.descriptor < 0)
            continue;
        one.found = one.file ? fs::readiness(*one.file) & (one.events | always_found) : fs::ready::invalid;
        count += one.found != 0 ? 1 : 0;
    }
    return count;
}

// Waits until something is ready, the deadline or a signal (restart_sys): the number of ready ones.
SyscallResult wait_for(std::span<Watched> watched, Deadline deadline) {
    for (Watched& one : watched)
        if (auto file = one.descriptor >= 0 ? table().get(one.descriptor) : base::Failure{Errno::badf};
            file.ok())
            one.file = *file;
    for (;;) {
        if (const std::uint64_t count = look(watched); count > 0 || deadline == 0)
            return count;
        HeapArray<sched::ThreadWaiter> waiters{watched.size()};
        if (!waiters.made())
            return base::Failure{Errno::nomem};
        for (std::size_t i = 0; i < watched.size(); ++i)
            if (WaitQueue* queue = watched[i].file ? fs::wait_queue(*watched[i].file) : nullptr) {
                waiters.view()[i].events = watched[i].events | always_found;
                queue->add(waiters.view()[i]);
            }
        const Status slept = sched::sleep(deadline);
        if (!slept.ok() && slept.error() == Errno::timedout)
            return look(watched);
        if (!slept.ok())
            return base::Failure{slept.error()};
    }
}

struct UserPoll { // struct pollfd
    std::int32_t descriptor;
    std::int16_t events, found;
};

SyscallResult poll_files(mm::UserAddress address, std::uint64_t count, Deadline deadline) {
    if (count > table().limit)
        return base::Failure{Errno::inval};
    HeapArray<Watched> watched{count};
    HeapArray<UserPoll> asked{count};
    if (!watched.made() || !asked.made())
        return base::Failure{Errno::nomem};
    CAISSON_TRY(mm::copy_in(asked.view().data(), address, count * sizeof(UserPoll)));
    for (std::size_t i = 0; i < count; ++i) {
        watched.view()[i].descriptor = asked.view()[i].descriptor;
        watched.view()[i].events = static_cast<std::uint16_t>(asked.view()[i].events);
    }
    const std::uint64_t ready = CAISSON_TRY(wait_for(watched.view(), deadline));
    for (std::size_t i = 0; i < count; ++i)
        asked.view()[i].found = static_cast<std::int16_t>(watched.view()[i].found);
    CAISSON_TRY(mm::copy_out(address, asked.view().data(), count * sizeof(UserPoll)));
    return ready;
}

// A poll that a signal without a handler interrupted goes on to the same deadline.
SyscallResult poll_until(const signal::Restart& self) {
    const SyscallResult result = poll_files(mm::UserAddress{self.values[0]}, self.values[1], self.deadline);
    if (result.ok() || result.error() != Errno::restart_sys)
        return result;
    current().restart = self;
    return base::Failure{Errno::restart_block};
}

// The others leave the rest of their time where they found it, and are made again with that.
SyscallResult again_without_handler(const SyscallResult& result) {
    if (result.ok() || result.error() != Errno::restart_sys)
        return result;
    return base::Failure{Errno::restart_without_handler};
}

} // namespace

SyscallResult sys_poll(const Arguments& arguments) {
    return poll_until(
        {&poll_until, deadline_in_milliseconds(arguments.integer(2)), {arguments[0], arguments.word(1)}});
}

SyscallResult sys_ppoll(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(2), nanoseconds));
    MaskedWait masked;
    CAISSON_TRY(masked.begin(arguments.pointer(3), arguments[4]));
    const SyscallResult result = poll_files(arguments.pointer(0), arguments.word(1), deadline);
    store_remaining(arguments.pointer(2), deadline, nanoseconds);
    return masked.end(again_without_handler(result));
}

namespace {

constexpr std::size_t set_limit = 1024; // FD_SETSIZE; descriptors above it cannot be asked for with select
using DescriptorSet = std::array<std::uint64_t, set_limit / 64>;
constexpr std::uint32_t read_events =
    fs::ready::in | fs::ready::in_normal | fs::ready::hang_up | fs::ready::error;
constexpr std::uint32_t write_events = fs::ready::out | fs::ready::out_normal | fs::ready::error;

bool contains(const DescriptorSet& set, std::size_t descriptor) {
    return (set[descriptor / 64] >> (descriptor % 64) & 1) != 0;
}

Status read_set(DescriptorSet& set, mm::UserAddress address, std::size_t count) {
    if (address.value() == 0)
        return base::success;
    return mm::copy_in(set.data(), address, (count + 63) / 64 * 8);
}

Status write_set(const DescriptorSet& set, mm::UserAddress address, std::size_t count) {
    if (address.value() == 0)
        return base::success;
    return mm::copy_out(address, set.data(), (count + 63) / 64 * 8);
}

SyscallResult select_files(const Arguments& arguments, Deadline deadline) {
    if (arguments.integer(0) < 0)
        return base::Failure{Errno::inval};
    const std::size_t count = std::min<std::size_t>(arguments.word(0), set_limit);
    std::array<DescriptorSet, 3> asked{};
    for (std::size_t i = 0; i < asked.size(); ++i)
        CAISSON_TRY(read_set(asked[i], arguments.pointer(i + 1), count));
    std::size_t wanted = 0;
    for (std::size_t fd = 0; fd < count; ++fd)
        wanted += contains(asked[0], fd) || contains(asked[1], fd) || contains(asked[2], fd) ? 1 : 0;
    HeapArray<Watched> watched{wanted};
    if (!watched.made())
        return base::Failure{Errno::nomem};
    std::size_t next = 0;
    for (std::size_t fd = 0; fd < count; ++fd) {
        const bool reads = contains(asked[0], fd);
        const bool writes = contains(asked[1], fd);
        const bool excepts = contains(asked[2], fd);
        if (!reads && !writes && !excepts)
            continue;
        (void)CAISSON_TRY(table().get(static_cast<int>(fd)));
        watched.view()[next].descriptor = static_cast<int>(fd);
        watched.view()[next++].events =
            (reads ? read_events : 0) | (writes ? write_events : 0) | (excepts ? fs::ready::priority : 0);
    }
    (void)CAISSON_TRY(wait_for(watched.view(), deadline));
    std::array<DescriptorSet, 3> found{};
    std::uint64_t bits = 0;
    const auto mark = [&](std::size_t set, std::size_t fd, bool is_ready) {
        if (!is_ready || !contains(asked[set], fd))
            return;
        found[set][fd / 64] |= std::uint64_t{1} << (fd % 64);
        ++bits;
    };
    for (const Watched& one : watched.view()) {
        const auto fd = static_cast<std::size_t>(one.descriptor);
        mark(0, fd, (one.found & read_events) != 0);
        mark(1, fd, (one.found & write_events) != 0);
        mark(2, fd, (one.found & fs::ready::priority) != 0);
    }
    for (std::size_t i = 0; i < found.size(); ++i)
        CAISSON_TRY(write_set(found[i], arguments.pointer(i + 1), count));
    return bits;
}

} // namespace

SyscallResult sys_select(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(4), microseconds));
    const SyscallResult result = select_files(arguments, deadline);
    store_remaining(arguments.pointer(4), deadline, microseconds);
    return again_without_handler(result);
}

SyscallResult sys_pselect6(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(4), nanoseconds));
    std::array<std::uint64_t, 2> mask{}; // address and size
    if (arguments[5] != 0)
        mask = CAISSON_TRY((mm::read_user<std::array<std::uint64_t, 2>>(arguments.pointer(5))));
    MaskedWait masked;
    CAISSON_TRY(masked.begin(mm::UserAddress{mask[0]}, mask[1]));
    const SyscallResult result = select_files(arguments, deadline);
    store_remaining(arguments.pointer(4), deadline, nanoseconds);
    return masked.end(again_without_handler(result));
}

} // namespace uk
