// SPDX-License-Identifier: Apache-2.0
// drivers/clock/cmos.hpp - the date, once at boot. Bounded: a clock that never settles gives nothing.
// Spec: Motorola MC146818A.
#pragma once

#include "drivers/seams.hpp"

#include <optional>

namespace drivers {

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
