// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/timerfd.cpp - timers that are read as files (timerfd_create(2)): the kind and its
// calls. The kind stands above fs/, because it needs timers.
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>
#include <cstring>

namespace uk {

using fs::File;

namespace {

constexpr std::uint32_t in_events = fs::ready::in | fs::ready::in_normal;

struct FileTimer : sched::Timer {
    FileTimer() : Timer(&expired) {}
    static void expired(Timer& timer);

    bool of_the_day = false;    // CLOCK_REALTIME
    std::uint64_t interval = 0; // ns; 0: once
    std::uint64_t count = 0;    // expirations not read yet
    Deadline next = never;      // never: not armed
    WaitQueue changed;
};

void FileTimer::expired(Timer& timer) {
    auto& self = static_cast<FileTimer&>(timer);
    ++self.count;
    self.next = never;
    if (self.interval != 0) {
        // Those that were missed count, without a turn for each.
        const std::uint64_t now = std::max(monotonic_ns(), self.at);
        const std::uint64_t missed = (now - self.at) / self.interval;
        self.count += missed;
        self.next = self.at + (missed + 1) * self.interval;
        sched::arm(self, self.next);
    }
    self.changed.wake(in_events);
}

FileTimer& timer_of(File& file) {
    return *static_cast<FileTimer*>(file.state);
}

Result<std::uint64_t> read_timer(File& file, std::uint64_t, fs::Destination& to) {
    FileTimer& timer = timer_of(file);
    if (to.left() < sizeof(timer.count))
        return base::Failure{Errno::inval};
    if (timer.count == 0)
        return base::Failure{Errno::again};
    std::byte bytes[sizeof(timer.count)];
    std::memcpy(bytes, &timer.count, sizeof(bytes));
    timer.count = 0;
    CAISSON_TRY(to.put(bytes));
    return std::uint64_t{sizeof(bytes)};
}

std::uint32_t timer_readiness(File& file) {
    return timer_of(file).count != 0 ? in_events : 0;
}

WaitQueue& timer_queue(File& file) {
    return timer_of(file).changed;
}

void release_timer(File& file) {
    sched::disarm(timer_of(file));
    mm::destroy(&timer_of(file));
}

const fs::FileOperations timer_file{.read = read_timer,
                                    .readiness = timer_readiness,
                                    .wait = timer_queue,
                                    .release = release_timer,
                                    .positions = fs::Positions::zero};

struct UserTimer { // struct itimerspec
    TimeSpec interval, value;
};

UserTimer remaining(const FileTimer& timer) {
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t left = timer.next == never ? 0 : std::max(timer.next, now + 1) - now;
    return {to_timespec(timer.interval), to_timespec(left)};
}

Result<Ref<File>> timer_at(int descriptor) {
    Ref<File> file = CAISSON_TRY(files::usable(descriptor));
    if (!file->is(timer_file))
        return base::Failure{Errno::inval};
    return file;
}

} // namespace

SyscallResult sys_timerfd_create(const Arguments& arguments) {
    constexpr int realtime = 0, monotonic = 1, boot = 7;
    constexpr std::uint32_t non_block = fs::open_flag::non_block,
                            close_on_exec = fs::open_flag::close_on_exec;
    const int clock = arguments.integer(0);
    const std::uint32_t flags = arguments.word(1);
    if ((flags & ~(non_block | close_on_exec)) != 0 ||
        (clock != realtime && clock != monotonic && clock != boot))
        return base::Failure{Errno::inval};
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    node->target = "anon_inode:[timerfd]";
    auto* timer = mm::make<FileTimer>();
    if (timer == nullptr)
        return base::Failure{Errno::nomem};
    timer->of_the_day = clock == realtime;
    auto file = fs::make_file(std::move(node), timer_file, (flags & non_block) | fs::open_flag::read_write);
    if (!file.ok()) {
        mm::destroy(timer);
        return base::Failure{file.error()};
    }
    (*file)->state = timer;
    return static_cast<std::uint64_t>(
        CAISSON_TRY(files::table().add(std::move(file).value(), (flags & close_on_exec) != 0)));
}

SyscallResult sys_timerfd_settime(const Arguments& arguments) {
    constexpr std::uint32_t absolute = 1, cancel_on_set = 2; // the clock of the day is never set
    if ((arguments.word(1) & ~(absolute | cancel_on_set)) != 0)
        return base::Failure{Errno::inval};
    const auto asked = CAISSON_TRY(mm::read_user<UserTimer>(arguments.pointer(2)));
    const std::uint64_t value = CAISSON_TRY(to_ns(asked.value)),
                        interval = CAISSON_TRY(to_ns(asked.interval));
    const Ref<File> file = CAISSON_TRY(timer_at(arguments.integer(0)));
    FileTimer& timer = timer_of(*file);
    const UserTimer old = remaining(timer);
    sched::disarm(timer);
    timer.count = 0;
    timer.interval = interval;
    timer.next = never;
    if (value != 0) {
        timer.next = deadline_after(value);
        if ((arguments.word(1) & absolute) != 0)
            timer.next = timer.of_the_day ? realtime_to_deadline(value) : value;
        sched::arm(timer, timer.next);
    }
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), old));
    return 0ul;
}

SyscallResult sys_timerfd_gettime(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(timer_at(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), remaining(timer_of(*file))));
    return 0ul;
}

} // namespace uk
