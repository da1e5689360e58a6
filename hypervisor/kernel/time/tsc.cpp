// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/tsc.hpp"

#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "drivers/clock/offset.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

#include <atomic>

namespace hv::tsc {
namespace {

// An emulator that runs one CPU after the other takes two turns for a round; hardware needs a few for a good one.
constexpr unsigned rounds = 16;

enum class Question : std::uint32_t { none, time, adjust, done };
constinit std::atomic<Question> question{Question::none};
constinit std::atomic<std::uint64_t> reply{0};  // to `time`
constinit std::atomic<std::uint64_t> amount{0}; // of `adjust`, added

// An answer takes microseconds; an emulator's CPU may be held up by its host for long.
void ask(const Cpu& other, Question what) {
    const std::uint64_t deadline = cpu::ordered_rdtsc() + 10 * machine().times.tsc_hz;
    question.store(what, std::memory_order_release);
    while (question.load(std::memory_order_acquire) != Question::none) {
        if (cpu::rdtsc() > deadline)
            refuse_to_start("the CPU with APIC ID ", other.apic_id, " starts, but does not answer");
        cpu::pause();
    }
}

drivers::TscOffset offset_of(const Cpu& other, std::uint64_t precision) {
    drivers::TscOffset offset;
    for (unsigned i = 0; i < rounds && !offset.is_known_to(precision); ++i) {
        const std::uint64_t before = cpu::ordered_rdtsc();
        ask(other, Question::time);
        offset.add(before, reply.load(std::memory_order_relaxed), cpu::ordered_rdtsc());
    }
    return offset;
}

bool can_adjust() {
    return cpu::cpuid(0).eax >= 7 && (cpu::cpuid(7).ebx >> 1 & 1) != 0;
}

} // namespace

void compare(const Cpu& other) {
    const std::uint64_t microsecond = machine().times.tsc_hz / 1'000'000;
    auto offset = offset_of(other, microsecond / 4);
    if (offset.exceeds(microsecond) && can_adjust()) {
        amount.store(0 - static_cast<std::uint64_t>(offset.ticks()), std::memory_order_relaxed);
        ask(other, Question::adjust);
        offset = offset_of(other, microsecond / 4);
    }
    if (offset.exceeds(microsecond))
        refuse_to_start("the TSC of the CPU with APIC ID ", other.apic_id,
                        " is not the boot CPU's, and cannot be set: its firmware must synchronize them");
    ask(other, Question::done);
}

void answer() {
    const std::uint64_t skew = base::weak("skewed_tsc") ? machine().times.tsc_hz / 100 : 0;
    for (auto asked = Question::none; asked != Question::done;) {
        asked = question.load(std::memory_order_acquire);
        if (asked == Question::time)
            reply.store(cpu::ordered_rdtsc() + skew, std::memory_order_relaxed);
        else if (asked == Question::adjust && skew == 0)
            cpu::wrmsr(cpu::msr::tsc_adjust,
                       cpu::rdmsr(cpu::msr::tsc_adjust) + amount.load(std::memory_order_relaxed));
        if (asked != Question::none)
            question.store(Question::none, std::memory_order_release);
        cpu::pause();
    }
}

} // namespace hv::tsc
