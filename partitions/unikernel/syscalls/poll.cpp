// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/poll.cpp - pipes, event counters, and waiting for several files at once.
#include "partitions/unikernel/fs/files/epoll.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>

namespace uk {

using files::table;
using fs::File;
using fs::FileKind;
using fs::Node;

namespace {

constexpr std::uint32_t non_block = fs::open_flag::non_block, close_on_exec = fs::open_flag::close_on_exec;

SyscallResult make_pipe(mm::UserAddress to, std::uint32_t flags) {
    if ((flags & ~(non_block | close_on_exec | fs::open_flag::direct)) != 0)
        return base::Failure{Errno::inval};
    if ((flags & fs::open_flag::direct) != 0)
        return base::Failure{Errno::inval}; // packets are not kept apart
    Ref<Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::fifo | 0600));
    node->pipe = mm::make<fs::Pipe>();
    if (node->pipe == nullptr)
        return base::Failure{Errno::nomem};
    const std::uint32_t kept = flags & non_block;
    Ref<File> reader = CAISSON_TRY(fs::make_file(node, FileKind::pipe, kept | fs::open_flag::read_only));
    node->pipe->open_end(true, false);
    Ref<File> writer = CAISSON_TRY(fs::make_file(node, FileKind::pipe, kept | fs::open_flag::write_only));
    node->pipe->open_end(false, true);
    const bool closing = (flags & close_on_exec) != 0;
    std::array<int, 2> ends{};
    ends[0] = CAISSON_TRY(table().add(std::move(reader), closing));
    const auto second = table().add(std::move(writer), closing);
    const Status given = second.ok() ? mm::write_user(to, std::array<int, 2>{ends[0], *second})
                                     : Status{base::Failure{second.error()}};
    if (!given.ok()) {
        (void)table().close(ends[0]);
        if (second.ok())
            (void)table().close(*second);
        return base::Failure{given.error()};
    }
    return 0ul;
}

SyscallResult make_event(std::uint32_t value, std::uint32_t flags) {
    constexpr std::uint32_t semaphore = 1;
    if ((flags & ~(semaphore | non_block | close_on_exec)) != 0)
        return base::Failure{Errno::inval};
    Ref<Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    node->target = "anon_inode:[eventfd]";
    Ref<File> file = CAISSON_TRY(
        fs::make_file(std::move(node), FileKind::event, (flags & non_block) | fs::open_flag::read_write));
    file->event = mm::make<fs::EventCounter>();
    if (file->event == nullptr)
        return base::Failure{Errno::nomem};
    file->event->value = value;
    file->event->semaphore = (flags & semaphore) != 0;
    return static_cast<std::uint64_t>(
        CAISSON_TRY(table().add(std::move(file), (flags & close_on_exec) != 0)));
}

SyscallResult make_epoll(std::uint32_t flags) {
    if ((flags & ~close_on_exec) != 0)
        return base::Failure{Errno::inval};
    Ref<Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    node->target = "anon_inode:[eventpoll]";
    Ref<File> file = CAISSON_TRY(fs::make_file(std::move(node), FileKind::epoll, fs::open_flag::read_write));
    file->epoll = mm::make<fs::EpollSet>();
    if (file->epoll == nullptr)
        return base::Failure{Errno::nomem};
    return static_cast<std::uint64_t>(CAISSON_TRY(table().add(std::move(file), flags != 0)));
}

// One file that a poll watches, and its place in the file's queue.
struct Watched {
    int descriptor = -1;
    std::uint32_t events = 0; // asked for
    std::uint32_t found = 0;
    Ref<File> file;
};

// An array on the heap that is destroyed with its scope.
template <typename T> class HeapArray {
public:
    explicit HeapArray(std::size_t count)
        : items_(static_cast<T*>(mm::allocate(std::max<std::size_t>(count, 1) * sizeof(T)))) {
        for (; items_ != nullptr && count_ < count; ++count_)
            std::construct_at(items_ + count_);
    }
    HeapArray(const HeapArray&) = delete;
    HeapArray& operator=(const HeapArray&) = delete;
    ~HeapArray() {
        while (count_ > 0)
            std::destroy_at(items_ + --count_);
        mm::free(items_);
    }
    [[nodiscard]] bool made() const { return items_ != nullptr; }
    [[nodiscard]] std::span<T> view() { return {items_, count_}; }

private:
    T* items_;
    std::size_t count_ = 0;
};

std::uint64_t look(std::span<Watched> watched) {
    constexpr std::uint32_t always = fs::ready::error | fs::ready::hang_up | fs::ready::invalid;
    std::uint64_t count = 0;
    for (Watched& one : watched) {
        if (one.descriptor < 0)
            continue;
        one.found = one.file ? fs::readiness(*one.file) & (one.events | always) : fs::ready::invalid;
        count += one.found != 0 ? 1 : 0;
    }
    return count;
}

// Waits until something is ready, the deadline or a signal: the number of ready ones.
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
            if (fs::WaitPoint* point = watched[i].file ? fs::wait_point(*watched[i].file) : nullptr)
                point->queue.add(waiters.view()[i]);
        const Status slept = sched::sleep(deadline);
        if (!slept.ok() && slept.error() == Errno::timedout)
            return look(watched);
        if (!slept.ok())
            return base::Failure{slept.error() == Errno::restart_sys ? Errno::intr : slept.error()};
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

struct UserTime {
    std::int64_t seconds, part;
};

// A relative time-out from user memory; a null pointer waits without end. 0: look once.
Result<Deadline> deadline_of(mm::UserAddress address, std::int64_t parts_per_second) {
    if (address.value() == 0)
        return never;
    const auto time = CAISSON_TRY(mm::read_user<UserTime>(address));
    const bool normalized = parts_per_second == 1'000'000; // select takes any number of microseconds
    if (time.seconds < 0 || time.part < 0 || (!normalized && time.part >= parts_per_second))
        return base::Failure{Errno::inval};
    constexpr std::int64_t most_seconds = 4'000'000'000;
    const std::int64_t seconds =
        std::min(time.seconds, most_seconds) + std::min(time.part / parts_per_second, most_seconds);
    const std::int64_t nanoseconds = time.part % parts_per_second * (1'000'000'000 / parts_per_second);
    if (seconds == 0 && nanoseconds == 0)
        return Deadline{0};
    return deadline_after(static_cast<std::uint64_t>(seconds) * 1'000'000'000 +
                          static_cast<std::uint64_t>(nanoseconds));
}

Deadline deadline_in_milliseconds(int milliseconds) {
    if (milliseconds < 0)
        return never;
    return milliseconds == 0 ? 0 : deadline_after(static_cast<std::uint64_t>(milliseconds) * 1'000'000);
}

// ppoll and its like: another signal mask while waiting. The old one comes back behind the handler, if one runs.
class MaskedWait {
public:
    MaskedWait() = default;
    MaskedWait(const MaskedWait&) = delete;
    MaskedWait& operator=(const MaskedWait&) = delete;
    [[nodiscard]] Status begin(mm::UserAddress mask, std::uint64_t bytes) {
        if (mask.value() == 0)
            return base::success;
        if (bytes != sizeof(signal::Set))
            return base::Failure{Errno::inval};
        const auto blocked = CAISSON_TRY(mm::read_user<signal::Set>(mask));
        Thread& thread = current();
        thread.saved_blocked = thread.blocked;
        signal::set_blocked(thread, blocked & ~signal::unblockable);
        active_ = true;
        return base::success;
    }
    SyscallResult end(const SyscallResult& result) {
        if (!active_)
            return result;
        Thread& thread = current();
        if (!result.ok() && result.error() == Errno::intr)
            thread.restore_blocked = true;
        else
            signal::set_blocked(thread, thread.saved_blocked);
        return result;
    }

private:
    bool active_ = false;
};

} // namespace

SyscallResult sys_pipe(const Arguments& arguments) {
    return make_pipe(arguments.pointer(0), 0);
}

SyscallResult sys_pipe2(const Arguments& arguments) {
    return make_pipe(arguments.pointer(0), arguments.word(1));
}

SyscallResult sys_eventfd(const Arguments& arguments) {
    return make_event(arguments.word(0), 0);
}

SyscallResult sys_eventfd2(const Arguments& arguments) {
    return make_event(arguments.word(0), arguments.word(1));
}

SyscallResult sys_poll(const Arguments& arguments) {
    return poll_files(arguments.pointer(0), arguments.word(1),
                      deadline_in_milliseconds(arguments.integer(2)));
}

SyscallResult sys_ppoll(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(2), 1'000'000'000));
    MaskedWait masked;
    CAISSON_TRY(masked.begin(arguments.pointer(3), arguments[4]));
    return masked.end(poll_files(arguments.pointer(0), arguments.word(1), deadline));
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
        if (!reads && !writes && !contains(asked[2], fd))
            continue;
        (void)CAISSON_TRY(table().get(static_cast<int>(fd)));
        watched.view()[next].descriptor = static_cast<int>(fd);
        watched.view()[next++].events = (reads ? read_events : 0) | (writes ? write_events : 0);
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
    }
    for (std::size_t i = 0; i < found.size(); ++i)
        CAISSON_TRY(write_set(found[i], arguments.pointer(i + 1), count));
    return bits;
}

} // namespace

SyscallResult sys_select(const Arguments& arguments) {
    return select_files(arguments, CAISSON_TRY(deadline_of(arguments.pointer(4), 1'000'000)));
}

SyscallResult sys_pselect6(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(4), 1'000'000'000));
    std::array<std::uint64_t, 2> mask{}; // address and size
    if (arguments[5] != 0)
        mask = CAISSON_TRY((mm::read_user<std::array<std::uint64_t, 2>>(arguments.pointer(5))));
    MaskedWait masked;
    CAISSON_TRY(masked.begin(mm::UserAddress{mask[0]}, mask[1]));
    return masked.end(select_files(arguments, deadline));
}

SyscallResult sys_epoll_create(const Arguments& arguments) {
    if (arguments.integer(0) <= 0)
        return base::Failure{Errno::inval};
    return make_epoll(0);
}

SyscallResult sys_epoll_create1(const Arguments& arguments) {
    return make_epoll(arguments.word(0));
}

namespace {

struct [[gnu::packed]] UserEvent { // struct epoll_event
    std::uint32_t events;
    std::uint64_t data;
};
static_assert(sizeof(UserEvent) == 12);

SyscallResult wait_for_events(const Arguments& arguments, Deadline deadline) {
    constexpr int most = 128; // one call may give fewer than it is asked for
    const Ref<File> set = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (set->kind != FileKind::epoll || arguments.integer(2) <= 0)
        return base::Failure{Errno::inval};
    HeapArray<fs::Report> reports{static_cast<std::size_t>(std::min(arguments.integer(2), most))};
    if (!reports.made())
        return base::Failure{Errno::nomem};
    for (;;) {
        const std::size_t count = fs::collect(*set->epoll, reports.view());
        for (std::size_t i = 0; i < count; ++i) {
            const UserEvent event{reports.view()[i].events, reports.view()[i].data};
            const auto to = arguments.pointer(1).plus(i * sizeof(UserEvent));
            if (!to || !mm::write_user(*to, event).ok())
                return base::Failure{Errno::fault};
        }
        if (count > 0 || deadline == 0)
            return std::uint64_t{count};
        std::size_t watches = 0;
        for (const fs::Watch* watch = set->epoll->watches; watch != nullptr; watch = watch->next)
            ++watches;
        HeapArray<sched::ThreadWaiter> waiters{watches + 1};
        HeapArray<Ref<File>> held{
            watches}; // a file that is closed meanwhile keeps its queue until the wait is over
        if (!waiters.made() || !held.made())
            return base::Failure{Errno::nomem};
        std::size_t next = 0;
        for (const fs::Watch* watch = set->epoll->watches; watch != nullptr; watch = watch->next, ++next)
            if (fs::WaitPoint* point = fs::wait_point(*watch->file)) {
                held.view()[next] = Ref<File>{watch->file};
                point->queue.add(waiters.view()[next]);
            }
        set->epoll->changed.queue.add(waiters.view()[watches]);
        const Status slept = sched::sleep(deadline);
        if (!slept.ok() && slept.error() == Errno::timedout)
            deadline = 0;
        else if (!slept.ok())
            return base::Failure{slept.error() == Errno::restart_sys ? Errno::intr : slept.error()};
    }
}

} // namespace

SyscallResult sys_epoll_ctl(const Arguments& arguments) {
    constexpr int add = 1, remove = 2, modify = 3;
    const Ref<File> set = CAISSON_TRY(files::usable(arguments.integer(0)));
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(2)));
    if (set->kind != FileKind::epoll || set == file)
        return base::Failure{Errno::inval};
    const int descriptor = arguments.integer(2);
    UserEvent event{};
    if (arguments.integer(1) != remove)
        event = CAISSON_TRY(mm::read_user<UserEvent>(arguments.pointer(3)));
    switch (arguments.integer(1)) {
    case add:
        CAISSON_TRY(fs::add_watch(*set->epoll, *file, descriptor, event.events, event.data));
        return 0ul;
    case modify:
        CAISSON_TRY(fs::change_watch(*set->epoll, *file, descriptor, event.events, event.data));
        return 0ul;
    case remove:
        CAISSON_TRY(fs::remove_watch(*set->epoll, *file, descriptor));
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

} // namespace uk
