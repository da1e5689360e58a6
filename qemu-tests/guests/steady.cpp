// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/steady.cpp - computes for 10^9 instructions with its timer running and reports how often
// it left guest mode meanwhile (architecture invariant 6: never).
#include "partitions/adversary/runtime/guest.hpp"

namespace {

constexpr unsigned timer_vector = 0x40;
constexpr std::uint32_t timer_period = 1'000'000; // input clocks
constexpr std::uint64_t iterations = 250'000'000; // of four instructions
volatile std::uint64_t ticks = 0;

std::uint64_t exits() {
    return static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_EXITS).value);
}

} // namespace

void guest_main() {
    guest::print("steady: starts\n");
    guest::interrupt_hook = [](unsigned vector) {
        if (vector == timer_vector)
            ticks = ticks + 1;
    };
    guest::start_timer(timer_vector, timer_period);
    cpu::interrupts_on();
    cpu::halt(); // the first tick wakes it: HLT does not exit either

    const std::uint64_t before = exits();
    std::uint64_t sum = 1, left = iterations;
    // SAFETY: only the two named registers change.
    asm volatile("1: leaq (%0, %0, 2), %0\n\tincq %0\n\tdecq %1\n\tjnz 1b" : "+r"(sum), "+r"(left) : : "cc");
    const std::uint64_t after = exits();
    cpu::interrupts_off();

    // The second question is itself one exit; everything else between the two would be one too many.
    base::Text<128> text;
    text << "steady: exits=" << after - before - 1 << " sum=" << base::hex(sum)
         << " timer=" << (ticks > 10 ? "running" : "dead") << '\n';
    guest::print(text);
    guest::exit(ticks > 10 ? 0 : 1);
}
