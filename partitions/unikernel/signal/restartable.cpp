// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/restartable.cpp - see restartable.hpp. Spec: linux/rseq.h, of Linux 6.1.
#include "partitions/unikernel/signal/restartable.hpp"

#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <utility>

namespace uk::signal {

namespace {

constexpr std::uint32_t structure_bytes = 32, unregister = 1, no_cpu = ~std::uint32_t{0};

struct CpuWords { // the structure's first
    std::uint32_t begin, now;
};
constexpr std::uint64_t sequence_place = 8, flags_place = 16; // behind them

struct Sequence { // struct rseq_cs
    std::uint32_t version, flags;
    std::uint64_t start, bytes, restart;
};
static_assert(sizeof(Sequence) == 32);

Status leave_sequence(const Thread& thread, TrapFrame& frame) {
    const mm::UserAddress place{thread.restartable + sequence_place};
    const auto at = CAISSON_TRY(mm::read_user<std::uint64_t>(place));
    if (at == 0)
        return base::success;
    const auto sequence = CAISSON_TRY(mm::read_user<Sequence>(mm::UserAddress{at}));
    const auto flags =
        CAISSON_TRY(mm::read_user<std::uint32_t>(mm::UserAddress{thread.restartable + flags_place}));
    const std::uint64_t end = sequence.start + sequence.bytes;
    if (sequence.version != 0 || end < sequence.start || end >= mm::user_end ||
        sequence.restart >= mm::user_end || sequence.restart - sequence.start < sequence.bytes)
        return base::Failure{Errno::inval};
    if (CAISSON_TRY(mm::read_user<std::uint32_t>(mm::UserAddress{sequence.restart - 4})) !=
        thread.restartable_signature)
        return base::Failure{Errno::inval};
    const bool within = frame.rip - sequence.start < sequence.bytes;
    if (within && (flags | sequence.flags) != 0) // what they were for is gone
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::write_user(place, std::uint64_t{0}));
    if (within)
        frame.rip = sequence.restart;
    return base::success;
}

Status tell_cpu(Thread& thread) {
    const std::uint32_t cpu = thread.cpu;
    if (thread.restartable_cpu == cpu)
        return base::success;
    CAISSON_TRY(mm::write_user(mm::UserAddress{thread.restartable}, CpuWords{cpu, cpu}));
    thread.restartable_cpu = cpu;
    return base::success;
}

} // namespace

Status register_restartable(std::uint64_t address, std::uint32_t bytes, std::uint32_t flags,
                            std::uint32_t signature) {
    Thread& thread = current();
    if ((flags & ~unregister) != 0)
        return base::Failure{Errno::inval};
    const bool own = thread.restartable == address && bytes == structure_bytes;
    if (thread.restartable != 0) {
        if (!own)
            return base::Failure{Errno::inval};
        if (signature != thread.restartable_signature)
            return base::Failure{Errno::perm};
        if (flags == 0)
            return base::Failure{Errno::busy};
        CAISSON_TRY(mm::write_user(mm::UserAddress{address}, CpuWords{0, no_cpu}));
        thread.restartable = 0;
        thread.restart_due = false;
        return base::success;
    }
    if (flags != 0 || bytes != structure_bytes || address % structure_bytes != 0 || address == 0)
        return base::Failure{Errno::inval};
    if (address >= mm::user_end)
        return base::Failure{Errno::fault};
    thread.restartable = address;
    thread.restartable_signature = signature;
    thread.restartable_cpu = no_cpu;
    thread.restart_due = true; // the CPU is told on the way out
    return base::success;
}

void settle_restartable(Thread& thread, TrapFrame& frame) {
    thread.restart_due = false;
    if (leave_sequence(thread, frame).ok() && tell_cpu(thread).ok())
        return;
    Information fault;
    fault.number = segv;
    fault.code = code::kernel;
    force_fault(fault);
}

} // namespace uk::signal
