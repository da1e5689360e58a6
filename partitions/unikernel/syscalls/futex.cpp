// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/futex.cpp - futex(2): WAIT, WAKE, their BITSET forms, REQUEUE, CMP_REQUEUE,
// WAKE_OP, the PI locks; futex_waitv(2).
#include "partitions/unikernel/sched/futex.hpp"

#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/heap_array.hpp"
#include "partitions/unikernel/sched/pi_futex.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

namespace {

namespace operation {
constexpr std::uint32_t wait = 0, wake = 1, requeue = 3, compare_requeue = 4, wake_op = 5, lock_pi = 6,
                        unlock_pi = 7, try_lock_pi = 8, wait_bits = 9, wake_bits = 10, lock_pi_monotonic = 13,
                        private_flag = 128, realtime_flag = 256;
}

// A futex is waited for on the monotonic clock; FUTEX_WAIT's time-out is relative, WAIT_BITSET's absolute.
Result<Deadline> deadline_of(const Arguments& arguments, bool absolute, bool realtime) {
    if (arguments[3] == 0)
        return never;
    const std::uint64_t ns = CAISSON_TRY(read_timespec(arguments.pointer(3)));
    if (!absolute)
        return deadline_after(ns);
    return realtime ? realtime_to_deadline(ns) : ns;
}

// As on Linux a wake wakes at least one.
unsigned wake_count(int asked) {
    return asked < 1 ? 1 : static_cast<unsigned>(asked);
}

SyscallResult wake_with_operation(const Arguments& arguments, sched::FutexWord first,
                                  sched::FutexWord second) {
    const std::uint32_t encoded = arguments.word(5);
    const std::uint32_t op = encoded >> 28 & 7, compare = encoded >> 24 & 15;
    const bool shift = (encoded >> 31) != 0;
    const auto sign_extend = [](std::uint32_t bits) { return static_cast<std::int32_t>(bits << 20) >> 20; };
    std::int32_t operand = sign_extend(encoded >> 12 & 0xFFF);
    const std::int32_t against = sign_extend(encoded & 0xFFF);
    if (shift)
        operand = static_cast<std::int32_t>(std::uint32_t{1} << (operand & 31));
    std::uint32_t old = CAISSON_TRY(mm::read_user<std::uint32_t>(second.address));
    for (std::uint32_t expected = old;; expected = old) {
        const auto value = static_cast<std::uint32_t>(operand);
        std::uint32_t updated = 0;
        switch (op) {
        case 0:
            updated = value;
            break;
        case 1:
            updated = expected + value;
            break;
        case 2:
            updated = expected | value;
            break;
        case 3:
            updated = expected & ~value;
            break;
        case 4:
            updated = expected ^ value;
            break;
        default:
            return base::Failure{Errno::nosys};
        }
        if (user_compare_exchange(reinterpret_cast<std::uint32_t*>(second.address.value()), expected, updated,
                                  &old) != 0)
            return base::Failure{Errno::fault};
        if (old == expected)
            break;
    }
    const auto seen = static_cast<std::int32_t>(old);
    const bool holds[] = {seen == against, seen != against, seen<against, seen <= against, seen> against,
                          seen >= against};
    if (compare >= std::size(holds))
        return base::Failure{Errno::nosys};
    unsigned woken =
        CAISSON_TRY(sched::futex_wake(first, wake_count(arguments.integer(2)), sched::match_any));
    if (holds[compare])
        woken += CAISSON_TRY(sched::futex_wake(second, wake_count(arguments.integer(3)), sched::match_any));
    return woken;
}

SyscallResult requeue(const Arguments& arguments, sched::FutexWord from, sched::FutexWord to, bool compare) {
    if (arguments.integer(2) < 0 || arguments.integer(3) < 0)
        return base::Failure{Errno::inval};
    if (compare && CAISSON_TRY(mm::read_user<std::uint32_t>(from.address)) != arguments.word(5))
        return base::Failure{Errno::again};
    const unsigned woken = CAISSON_TRY(sched::futex_wake(from, arguments.word(2), sched::match_any));
    return woken + CAISSON_TRY(sched::futex_requeue(from, to, arguments.word(3)));
}

// A wait with a time-out ends with EINTR when a handler ran, and goes on to the same deadline when none did.
SyscallResult wait_until(const signal::Restart& self) {
    const auto expected = static_cast<std::uint32_t>(self.values[1]),
               bits = static_cast<std::uint32_t>(self.values[2]);
    const Status waited = sched::futex_wait({mm::UserAddress{self.values[0]}, self.values[3] != 0}, expected,
                                            bits, self.deadline);
    if (waited.ok())
        return 0;
    if (waited.error() != Errno::restart_sys || self.deadline == never)
        return base::Failure{waited.error()};
    current().restart = self;
    return base::Failure{Errno::restart_block};
}

// Nobody expects EINTR of a lock: it is made again, whatever the handler asks for.
SyscallResult lock(sched::FutexWord word, sched::Contended contended, Deadline deadline) {
    const Status locked = sched::pi_lock(word, contended, deadline);
    if (locked.ok())
        return 0;
    if (locked.error() != Errno::restart_sys)
        return base::Failure{locked.error()};
    constexpr std::uint64_t instruction_bytes = 2; // SYSCALL
    TrapFrame& frame = current().frame();
    frame.rip -= instruction_bytes;
    return frame.error;
}

struct UserWanted { // struct futex_waitv
    std::uint64_t value, address;
    std::uint32_t flags, reserved;
};
static_assert(sizeof(UserWanted) == 24);

Result<Deadline> deadline_on(mm::UserAddress at, std::uint32_t clock) {
    constexpr std::uint32_t realtime = 0, monotonic = 1;
    if (at.value() == 0)
        return never;
    if (clock != realtime && clock != monotonic)
        return base::Failure{Errno::inval};
    const std::uint64_t ns = CAISSON_TRY(read_timespec(at));
    return clock == realtime ? realtime_to_deadline(ns) : ns;
}

} // namespace

SyscallResult sys_futex_waitv(const Arguments& arguments) {
    constexpr std::uint32_t most = 128, of_32_bits = 2, known = of_32_bits | operation::private_flag;
    const std::uint32_t count = arguments.word(1);
    if (arguments.word(2) != 0 || count == 0 || count > most || arguments[0] == 0)
        return base::Failure{Errno::inval};
    const Deadline deadline = CAISSON_TRY(deadline_on(arguments.pointer(3), arguments.word(4)));
    mm::HeapArray<UserWanted> asked{count};
    mm::HeapArray<sched::FutexWanted> wanted{count};
    if (!asked.made() || !wanted.made())
        return base::Failure{Errno::nomem};
    CAISSON_TRY(mm::copy_in(asked.view().data(), arguments.pointer(0), count * sizeof(UserWanted)));
    for (std::uint32_t i = 0; i < count; ++i) {
        const UserWanted& one = asked.view()[i];
        if ((one.flags & ~known) != 0 || one.reserved != 0 || (one.flags & of_32_bits) == 0 ||
            one.address % 4 != 0)
            return base::Failure{Errno::inval};
        if (one.value > ~std::uint32_t{0})
            return base::Failure{Errno::again}; // no word of 32 bits is that
        wanted.view()[i] = {{mm::UserAddress{one.address}, (one.flags & operation::private_flag) != 0},
                            static_cast<std::uint32_t>(one.value)};
    }
    return CAISSON_TRY(sched::futex_wait_any(wanted.view(), deadline));
}

SyscallResult sys_futex(const Arguments& arguments) {
    const std::uint32_t op = arguments.word(1) & ~(operation::private_flag | operation::realtime_flag);
    const bool realtime = (arguments.word(1) & operation::realtime_flag) != 0;
    const bool is_private = (arguments.word(1) & operation::private_flag) != 0;
    const sched::FutexWord word{arguments.pointer(0), is_private}, second{arguments.pointer(4), is_private};
    if (word.address.value() % 4 != 0)
        return base::Failure{Errno::inval};
    if (word.address.value() >= mm::user_end)
        return base::Failure{Errno::fault};
    if (realtime && op != operation::wait_bits && op != operation::lock_pi_monotonic)
        return base::Failure{Errno::nosys};
    switch (op) {
    case operation::wait:
    case operation::wait_bits: {
        const bool bits_form = op == operation::wait_bits;
        const std::uint32_t bits = bits_form ? arguments.word(5) : sched::match_any;
        if (bits == 0)
            return base::Failure{Errno::inval};
        const auto deadline = CAISSON_TRY(deadline_of(arguments, bits_form, realtime));
        return wait_until(
            {&wait_until, deadline, {word.address.value(), arguments.word(2), bits, is_private}});
    }
    case operation::wake:
        return CAISSON_TRY(sched::futex_wake(word, wake_count(arguments.integer(2)), sched::match_any));
    case operation::wake_bits:
        if (arguments.word(5) == 0)
            return base::Failure{Errno::inval};
        return CAISSON_TRY(sched::futex_wake(word, wake_count(arguments.integer(2)), arguments.word(5)));
    case operation::lock_pi:
    case operation::lock_pi_monotonic:
        return lock(word, sched::Contended::wait,
                    CAISSON_TRY(deadline_of(arguments, true, realtime || op == operation::lock_pi)));
    case operation::try_lock_pi:
        return lock(word, sched::Contended::give_up, never);
    case operation::unlock_pi:
        CAISSON_TRY(sched::pi_unlock(word));
        return 0;
    case operation::requeue:
    case operation::compare_requeue:
        if (second.address.value() % 4 != 0)
            return base::Failure{Errno::inval};
        return requeue(arguments, word, second, op == operation::compare_requeue);
    case operation::wake_op:
        if (second.address.value() % 4 != 0 || second.address.value() >= mm::user_end)
            return base::Failure{Errno::inval};
        return wake_with_operation(arguments, word, second);
    default:
        return base::Failure{Errno::nosys};
    }
}

} // namespace uk
