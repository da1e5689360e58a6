// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/clock.cpp - see clock.hpp.
#include "partitions/unikernel/machine/clock.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/machine/scale.hpp"

namespace uk {

namespace {
TimeScale scale;
std::uint64_t measured_hz = 0;
} // namespace

const TimeScale& time_scale() {
    return scale;
}

std::uint64_t tsc_hz() {
    return measured_hz;
}

void set_up_clock(std::uint64_t hz, std::uint64_t wall_ns, std::uint64_t wall_tsc) {
    measured_hz = hz;
    scale.start_tsc = cpu::rdtsc();
    scale.multiplier = (std::uint64_t{1'000'000'000} << 32) / hz;
    if (wall_ns != 0) {
        const bool before = wall_tsc <= scale.start_tsc;
        const std::uint64_t apart =
            scale_ticks(before ? scale.start_tsc - wall_tsc : wall_tsc - scale.start_tsc, scale.multiplier);
        scale.realtime_at_start = before ? wall_ns + apart : wall_ns - apart;
    }
}

void move_realtime(std::int64_t by_ns) {
    scale.realtime_at_start += static_cast<std::uint64_t>(by_ns);
    if (realtime_moved != nullptr)
        realtime_moved();
}

std::uint64_t monotonic_ns() {
    return scale_ticks(cpu::rdtsc() - scale.start_tsc, scale.multiplier);
}

std::uint64_t realtime_ns() {
    return scale.realtime_at_start + monotonic_ns();
}

Deadline deadline_after(std::uint64_t duration_ns) {
    std::uint64_t deadline = 0;
    return __builtin_add_overflow(monotonic_ns(), duration_ns, &deadline) ? never : deadline;
}

} // namespace uk
