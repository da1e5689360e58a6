// SPDX-License-Identifier: Apache-2.0
// drivers/clock/measure.hpp - how fast the TSC and the APIC timer run, by a counter whose frequency is known, and how far
// that can be off.
//
// A counter is looked at until it changes: the change lies between two readings of the TSC, whatever held this CPU up in
// between (SMM, an emulator's host). The distance of two such changes is off by no more than half of both brackets, so the
// interval is as long as the error asks for: some 20 ms where a look takes a microsecond, less on an emulator.
// Bounded: a counter that stands still gives nothing, nor one that may have gone round once unseen (the PIT does in 55 ms). No
// clock is known yet, so patience is in looks.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>

namespace drivers {

// A counter that only counts up, modulo mask() + 1; a tick takes so many femtoseconds.
template <typename T>
concept Counter = requires(const T counter) {
    { counter.read() } -> std::same_as<std::uint32_t>;
    { counter.mask() } -> std::same_as<std::uint32_t>;
    { counter.femtoseconds() } -> std::same_as<std::uint64_t>;
};

constexpr std::uint64_t slowest_tsc = 100'000'000, fastest_tsc = 20'000'000'000;

struct Rates {
    std::uint64_t tsc_hz = 0;
    std::uint64_t timer_hz = 0;  // of the APIC timer, divided by 1
    std::uint32_t error_ppm = 0; // at most, of tsc_hz, besides the reference's own
};

namespace detail {

struct Change {
    std::uint64_t from, to; // TSC readings around it
    std::uint32_t value;    // what the counter changed to
    [[nodiscard]] constexpr std::uint64_t middle() const { return from + (to - from) / 2; }
};

template <Counter C, typename Tsc> std::optional<Change> next_change(const C& counter, Tsc tsc) {
    constexpr unsigned patience = 1'000'000;
    std::uint64_t before = tsc();
    const std::uint32_t first = counter.read();
    for (unsigned i = 0; i < patience; ++i) {
        const std::uint64_t between = tsc();
        const std::uint32_t now = counter.read();
        if (now != first)
            return Change{before, tsc(), now};
        before = between;
    }
    return std::nullopt;
}

} // namespace detail

// `tsc()` reads the TSC; start_timer() lets the APIC timer count down from its largest value, timer_counts() says how far
// it has come.
template <Counter C, typename Tsc, typename Start, typename Counts>
std::optional<Rates> measure(const C& counter, Tsc tsc, Start start_timer, Counts timer_counts) {
    constexpr std::uint32_t wanted_ppm = 100, usable_ppm = 10'000;
    constexpr std::uint64_t longest = 50'000'000; // nanoseconds
    constexpr std::uint64_t most = 1'000'000'000; // TSC counts: the sums below stay within 64 bits
    constexpr unsigned first_looks = 8;
    // In so many TSC counts the counter has not gone round, however slow they are.
    const std::uint64_t once_round =
        (std::uint64_t{counter.mask()} + 1) * counter.femtoseconds() / (1'000'000'000'000'000 / slowest_tsc);
    if (counter.femtoseconds() == 0)
        return std::nullopt;
    auto start = detail::next_change(counter, tsc);
    for (unsigned i = 1; start && i < first_looks; ++i)
        if (const auto next = detail::next_change(counter, tsc);
            !next || next->to - next->from < start->to - start->from)
            start = next;
    if (!start)
        return std::nullopt;
    start_timer();
    const std::uint64_t timer_start = tsc();
    std::uint64_t ticks = 0, seen = start->from;
    for (std::uint32_t last = start->value;;) {
        const auto end = detail::next_change(counter, tsc);
        if (!end || end->to - start->from > most || end->to - seen >= once_round)
            return std::nullopt;
        ticks += (end->value - last) & counter.mask();
        last = end->value;
        seen = end->to;
        const std::uint64_t passed = end->middle() - start->middle(); // never 0: changes follow one another
        const std::uint64_t width = (end->to - end->from + start->to - start->from) / 2 + 1;
        const std::uint64_t error = width * 1'000'000 / passed + 1,
                            tenths = ticks * counter.femtoseconds() / 100'000;
        if (error > wanted_ppm && tenths < longest * 10)
            continue;
        if (error > usable_ppm || tenths == 0)
            return std::nullopt;
        const std::uint64_t counts = timer_counts(), timer_passed = tsc() - timer_start;
        const std::uint64_t hz = passed * 10'000'000'000 / tenths;
        return Rates{hz, timer_passed == 0 ? 0 : counts * (hz / 1000) / timer_passed * 1000,
                     static_cast<std::uint32_t>(error)};
    }
}

// What CPUID says, or nothing: leaf 15h where it names the crystal (which the APIC timer then counts, too); else what the
// hypervisor below says in leaf 40000010h (TSC and APIC timer in kHz). Leaf 16h rounds to a MHz and is no answer.
// Spec: Intel SDM vol. 2 "CPUID", vol. 3 "Local APIC timer"; the leaf 40000010h is VMware's, KVM's and QEMU's.
template <typename Cpuid> std::optional<Rates> stated_rates(Cpuid cpuid) {
    const auto plausible = [](std::uint64_t tsc_hz, std::uint64_t timer_hz) -> std::optional<Rates> {
        if (tsc_hz < slowest_tsc || tsc_hz > fastest_tsc || timer_hz < 1'000'000 || timer_hz > fastest_tsc)
            return std::nullopt;
        return Rates{tsc_hz, timer_hz, 0};
    };
    if (cpuid(0, 0).eax >= 0x15)
        if (const auto ratio = cpuid(0x15, 0); ratio.eax != 0)
            if (const auto rates = plausible(std::uint64_t{ratio.ecx} * ratio.ebx / ratio.eax, ratio.ecx))
                return rates;
    constexpr std::uint32_t hypervisor = 31, timing = 0x40000010, last = 0x400000ff;
    const std::uint32_t highest = (cpuid(1, 0).ecx >> hypervisor & 1) != 0 ? cpuid(0x40000000, 0).eax : 0;
    if (highest < timing || highest > last)
        return std::nullopt;
    const auto said = cpuid(timing, 0);
    return plausible(std::uint64_t{said.eax} * 1000, std::uint64_t{said.ebx} * 1000);
}

// Whether two accounts of the same TSC are within 1 % of each other: no measurement that measure() takes is off by more.
constexpr bool agree(const Rates& one, const Rates& other) {
    const std::uint64_t difference =
        one.tsc_hz > other.tsc_hz ? one.tsc_hz - other.tsc_hz : other.tsc_hz - one.tsc_hz;
    return difference <= one.tsc_hz / 100;
}

} // namespace drivers
