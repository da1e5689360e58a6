// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/calendar.hpp - a date of the proleptic Gregorian calendar as a day count. Pure.
#pragma once

#include <cstdint>

namespace uk::machine {

// Days since 1970-01-01 of a date from year 1 on. Years are counted from March, so that the leap day comes
// last.
constexpr std::int64_t days_from_civil(int year, unsigned month, unsigned day) {
    const std::int64_t y = month > 2 ? year : year - 1;
    const unsigned m = month > 2 ? month - 3 : month + 9;
    const std::int64_t leap_days = y / 4 - y / 100 + y / 400;
    const std::int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
    constexpr std::int64_t epoch = 719468; // of 1970-01-01 in this count
    return y * 365 + leap_days + day_of_year - epoch;
}
static_assert(days_from_civil(1970, 1, 1) == 0);
static_assert(days_from_civil(2000, 3, 1) == 11017);
static_assert(days_from_civil(2026, 11, 22) == 20779);

} // namespace uk::machine
