// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/timer.cpp - see timer.hpp.
#include "partitions/unikernel/sched/timer.hpp"

#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/scale.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/sched/cpu.hpp"

#include <algorithm>
#include <utility>

namespace uk::sched {

namespace {

constexpr std::uint32_t probe_count = 100'000;

std::uint64_t count_multiplier = 0; // timer counts << 32 for a nanosecond

} // namespace

void set_up_further_timer() {
    machine::start_local_timer();
    this_cpu().programmed = never;
}

void set_up_timer(std::uint64_t hz) {
    set_up_further_timer();
    if (hz == 0) {
        const std::uint64_t before = monotonic_ns();
        machine::set_timer_count(probe_count);
        do
            idle_wait();
        while (!std::exchange(this_cpu().timer_fired, false));
        const std::uint64_t taken = std::max<std::uint64_t>(monotonic_ns() - before, 1);
        hz = std::uint64_t{probe_count} * 1'000'000'000 / taken;
    }
    count_multiplier = (hz << 32) / 1'000'000'000;
}

void acknowledge_timer() {
    Cpu& cpu = this_cpu();
    cpu.count(machine::Interrupt::timer);
    cpu.programmed = never;
    cpu.timer_fired = true;
    machine::end_interrupt();
}

void disarm(Timer& timer) {
    if (!timer.armed)
        return;
    Cpu& cpu = this_cpu();
    if (cpu.timers.first() == &timer)
        cpu.attention = true;
    timer.heap()->remove(timer); // another CPU's comes for nothing
}

void arm(Timer& timer, Deadline at) {
    disarm(timer);
    timer.at = at;
    if (at == never)
        return;
    Cpu& cpu = this_cpu();
    cpu.timers.add(timer, at);
    if (cpu.timers.first() == &timer)
        cpu.attention = true;
}

void run_due_timers() {
    // Due now, once: a periodic timer that is due again at once must not keep the kernel here.
    const std::uint64_t now = monotonic_ns();
    TimerHeap& timers = this_cpu().timers;
    while (timers.first() != nullptr && timers.first()->at <= now) {
        Timer& due = *timers.first();
        disarm(due);
        due.fire(due);
    }
}

void program_timer(Deadline slice_end) {
    Cpu& cpu = this_cpu();
    const Timer* first = cpu.timers.first();
    const Deadline next = std::min(slice_end, first != nullptr ? first->at : never);
    // Set to a point before that, it comes for nothing once and is set again: cheaper than a write at every switch.
    if (next >= cpu.programmed)
        return;
    cpu.programmed = next;
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t wait = next > now ? next - now : 0;
    // A count that does not fit fires early and is set again.
    const std::uint64_t counts =
        wait >= std::uint64_t{1} << 32 ? machine::timer_count_most : scale_ticks(wait, count_multiplier);
    machine::set_timer_count(
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(counts + 1, 1, machine::timer_count_most)));
}

} // namespace uk::sched
