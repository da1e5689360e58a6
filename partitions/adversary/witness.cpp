// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/witness.cpp - the adversary's neighbour: computes, takes its timer, and says whether anything of
// what goes on elsewhere reached it.
//
// It never ends. Every round prints  witness ROUND exits=N strange=N late=N ticks=N memory=good|bad : exits besides its own calls,
// interrupts that it did not ask for, how many turns of a loop its own interrupt took at most (its own progress, not a
// clock that others share), timer interrupts, and whether a megabyte still holds what it wrote.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t ticks_a_round = 4;
constexpr unsigned timer_vector = 0x50, self_vector = 0x51;
volatile std::uint64_t ticks = 0, arrived = 0, strange = 0;
alignas(4096) std::array<std::uint64_t, 1 << 17> memory;

std::uint64_t next(std::uint64_t state) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^ state << 17;
}

void fill(std::uint64_t seed) {
    for (std::uint64_t& word : memory)
        word = seed = next(seed);
}

bool holds(std::uint64_t seed) {
    bool good = true;
    for (const std::uint64_t word : memory)
        good = good && word == (seed = next(seed));
    return good;
}

// Turns of a loop until an interrupt to oneself is there.
std::uint64_t own_interrupt() {
    constexpr std::uint64_t patience = 1'000'000;
    const std::uint64_t before = arrived;
    cpu::wrmsr(0x83F, self_vector);
    std::uint64_t turns = 0;
    while (arrived == before && turns < patience)
        ++turns;
    return turns;
}

std::uint64_t exits() {
    return static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_EXITS).value);
}

} // namespace

[[noreturn]] void run_witness() {
    guest::interrupt_hook = [](unsigned vector) {
        if (vector == timer_vector)
            ticks = ticks + 1;
        else if (vector == self_vector)
            arrived = arrived + 1;
        else
            strange = strange + 1;
    };
    const std::uint64_t hz = guest::boot_page().apic_timer_hz;
    guest::start_timer(timer_vector, static_cast<std::uint32_t>(hz != 0 ? hz / 100 : 1'000'000));
    cpu::interrupts_on();
    for (std::uint64_t round = 1;; ++round) {
        fill(round);
        const std::uint64_t exits_before = exits(), ticks_before = ticks;
        std::uint64_t late = 0;
        bool good = true;
        while (ticks - ticks_before < ticks_a_round) {
            for (unsigned i = 0; i < 100; ++i) {
                const std::uint64_t turns = own_interrupt();
                late = turns > late ? turns : late;
            }
            good = good && holds(round);
        }
        const std::uint64_t more = exits() - exits_before - 1; // that call
        base::Text<160> line;
        line << "witness " << round << " exits=" << more << " strange=" << strange << " late=" << late
             << " ticks=" << ticks - ticks_before << " memory=" << (good ? "good" : "bad") << '\n';
        guest::print(line);
    }
}

} // namespace attack
