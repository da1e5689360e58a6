// SPDX-License-Identifier: Apache-2.0
// drivers/clock/clock.hpp - the time sources read once at boot: HPET or PIT for a known interval, the CMOS
// clock for the date.
//
// Every wait is bounded: a stopped counter gives nothing instead of a hang.
// Spec: IA-PC HPET 1.0a section 2.3; Intel 8254; Motorola MC146818A.
#pragma once

#include "drivers/seams.hpp"

#include <optional>

namespace drivers {

// Waits about `microseconds` by the HPET's main counter; the true duration in nanoseconds, or nothing.
template <Mmio Registers>
std::optional<std::uint64_t> hpet_wait(const Registers& hpet, std::uint32_t microseconds) {
    constexpr std::uint32_t capabilities = 0, configuration = 0x10, counter = 0xf0;
    constexpr std::uint64_t femtoseconds_max = 100'000'000, run = 1;
    constexpr unsigned patience = 100'000'000;
    const std::uint64_t period = hpet.read64(capabilities) >> 32;
    if (period == 0 || period > femtoseconds_max)
        return std::nullopt;
    hpet.write64(configuration, hpet.read64(configuration) | run);
    const auto ticks = static_cast<std::uint32_t>(std::uint64_t{microseconds} * 1'000'000'000 / period);
    const std::uint32_t start = hpet.read32(counter);
    for (unsigned i = 0; i < patience; ++i) {
        const std::uint32_t passed = hpet.read32(counter) - start;
        if (passed >= ticks)
            return passed * period / 1'000'000;
        if (i == 1000 && passed == 0)
            return std::nullopt;
    }
    return std::nullopt;
}

// The same by channel 2 of the PIT (at most 50 ms).
template <PortIo Io> std::optional<std::uint64_t> pit_wait(Io io, std::uint32_t microseconds) {
    constexpr std::uint16_t channel2 = 0x42, mode_port = 0x43, gate_port = 0x61;
    constexpr std::uint8_t gate = 1, speaker = 2, output = 0x20, one_shot_both_bytes = 0xb0;
    constexpr std::uint64_t hertz = 1'193'182;
    constexpr unsigned patience = 1'000'000;
    const std::uint64_t ticks = std::uint64_t{microseconds} * hertz / 1'000'000;
    if (ticks == 0 || ticks > 0xffff)
        return std::nullopt;
    const std::uint8_t old = io.in8(gate_port);
    io.out8(gate_port, static_cast<std::uint8_t>((old & ~(speaker | gate)) | gate));
    io.out8(mode_port, one_shot_both_bytes);
    io.out8(channel2, static_cast<std::uint8_t>(ticks));
    io.out8(channel2, static_cast<std::uint8_t>(ticks >> 8));
    bool done = false;
    for (unsigned i = 0; i < patience && !done; ++i)
        done = (io.in8(gate_port) & output) != 0;
    io.out8(gate_port, old);
    if (!done)
        return std::nullopt;
    return ticks * 1'000'000'000 / hertz;
}

struct DateTime {
    unsigned year, month, day, hour, minute, second;
};

// Seconds since 1970-01-01 UTC, or nothing when a field is out of range (years 1970 to 2199).
constexpr std::optional<std::uint64_t> unix_seconds(const DateTime& t) {
    if (t.year < 1970 || t.year > 2199 || t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31 ||
        t.hour > 23 || t.minute > 59 || t.second > 60)
        return std::nullopt;
    // Days by counting years from March, so that a leap day is a year's last.
    const unsigned year = t.year - (t.month <= 2 ? 1 : 0);
    const unsigned month = (t.month + 9) % 12;
    const std::uint64_t days =
        std::uint64_t{365} * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + (t.day - 1);
    constexpr std::uint64_t epoch = 719468; // 1970-01-01 counted the same way
    return (days - epoch) * 86400 + t.hour * 3600 + t.minute * 60 + t.second;
}

// The CMOS clock, read as UTC, between two of its updates; nothing when it never settles.
template <PortIo Io> std::optional<std::uint64_t> cmos_time(Io io) {
    constexpr std::uint8_t nmi_off = 0x80, status_a = 0x0a, status_b = 0x0b, updating = 0x80, binary = 4,
                           hours24 = 2;
    constexpr unsigned patience = 20'000;
    const auto get = [&io](std::uint8_t index) {
        io.out8(0x70, nmi_off | index);
        return io.in8(0x71);
    };
    const std::uint8_t mode = get(status_b);
    const auto number = [mode](std::uint8_t raw) -> unsigned {
        return (mode & binary) != 0 ? raw : (raw >> 4) * 10u + (raw & 15u);
    };
    for (unsigned i = 0; i < patience; ++i) {
        if ((get(status_a) & updating) != 0)
            continue;
        const std::uint8_t second = get(0);
        DateTime t{2000 + number(get(9)), number(get(8)), number(get(7)), 0, number(get(2)), number(second)};
        const std::uint8_t hour = get(4);
        t.hour = number(hour & 0x7f);
        if ((mode & hours24) == 0)
            t.hour = t.hour % 12 + ((hour & 0x80) != 0 ? 12 : 0);
        if ((get(status_a) & updating) == 0 && get(0) == second)
            return unix_seconds(t);
    }
    return std::nullopt;
}

} // namespace drivers
