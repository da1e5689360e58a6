// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/timer.cpp - the timers and the local APIC's one-shot timer (x2APIC
// registers).
//
// The current-count register (MSR 839h) is never read: it stops QEMU under -icount.
// Spec: AMD APM vol. 2 "Local APIC", "x2APIC Support".
#include "partitions/unikernel/sched/timer.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/scale.hpp"
#include "partitions/unikernel/machine/stubs.hpp"

#include <algorithm>

namespace uk::sched {

namespace {

namespace apic {
constexpr std::uint32_t end_of_interrupt = 0x80B, spurious = 0x80F, timer_entry = 0x832,
                        initial_count = 0x838, divide = 0x83E;
constexpr std::uint64_t software_enable = 0x100, divide_by_one = 0xB;
constexpr std::uint64_t count_max = 0xFFFFFFFF;
} // namespace apic

constexpr std::uint64_t probe_count = 100'000;

TimerHeap timers;
Deadline programmed = never;
std::uint64_t count_multiplier = 0; // timer counts << 32 for a nanosecond
volatile bool probe_done = false;

} // namespace

void set_up_timer(std::uint64_t hz) {
    cpu::wrmsr(apic::spurious, apic::software_enable | machine::spurious_vector);
    cpu::wrmsr(apic::divide, apic::divide_by_one);
    cpu::wrmsr(apic::timer_entry, machine::timer_vector);
    if (hz == 0) {
        const std::uint64_t before = monotonic_ns();
        cpu::wrmsr(apic::initial_count, probe_count);
        while (!probe_done)
            idle_wait();
        const std::uint64_t taken = std::max<std::uint64_t>(monotonic_ns() - before, 1);
        hz = probe_count * 1'000'000'000 / taken;
    }
    count_multiplier = (hz << 32) / 1'000'000'000;
}

void acknowledge_timer() {
    programmed = never;
    probe_done = true;
    cpu::wrmsr(apic::end_of_interrupt, 0);
}

void disarm(Timer& timer) {
    timers.remove(timer);
}

void arm(Timer& timer, Deadline at) {
    timers.remove(timer);
    timer.at = at;
    if (at != never)
        timers.add(timer, at);
}

void run_due_timers() {
    // Due now, once: a periodic timer that is due again at once must not keep the kernel here.
    const std::uint64_t now = monotonic_ns();
    while (timers.first() != nullptr && timers.first()->at <= now) {
        Timer& due = *timers.first();
        disarm(due);
        due.fire(due);
    }
}

void program_timer(Deadline slice_end) {
    const Deadline next = std::min(slice_end, timers.first() != nullptr ? timers.first()->at : never);
    if (next == programmed)
        return;
    programmed = next;
    if (next == never) {
        cpu::wrmsr(apic::initial_count, 0);
        return;
    }
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t wait = next > now ? next - now : 0;
    // A count that does not fit fires early and is set again.
    const std::uint64_t counts =
        wait >= std::uint64_t{1} << 32 ? apic::count_max : scale_ticks(wait, count_multiplier);
    cpu::wrmsr(apic::initial_count, std::clamp<std::uint64_t>(counts + 1, 1, apic::count_max));
}

} // namespace uk::sched
