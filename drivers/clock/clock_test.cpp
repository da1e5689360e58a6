// SPDX-License-Identifier: Apache-2.0
#include "drivers/clock/cmos.hpp"
#include "drivers/clock/counters.hpp"

#include <gtest/gtest.h>

#include <array>

namespace {

struct FakePorts {
    std::array<std::uint8_t, 128>* cmos;
    std::uint8_t* index;
    std::uint8_t in8(std::uint16_t port) { return port == 0x71 ? (*cmos)[*index & 0x7f] : 0; }
    std::uint16_t in16(std::uint16_t) { return 0; }
    std::uint32_t in32(std::uint16_t) { return 0; }
    void out8(std::uint16_t port, std::uint8_t value) {
        if (port == 0x70)
            *index = value;
    }
    void out16(std::uint16_t, std::uint16_t) {}
    void out32(std::uint16_t, std::uint32_t) {}
};

TEST(Cmos, ReadsBcdAndTwelveHours) {
    std::array<std::uint8_t, 128> cmos{};
    std::uint8_t index = 0;
    cmos[9] = 0x26, cmos[8] = 0x11, cmos[7] = 0x22, cmos[4] = 0x87, cmos[2] = 0x30, cmos[0] = 0x15;
    EXPECT_EQ(drivers::cmos_time(FakePorts{&cmos, &index}), 1795375815u); // 2026-11-22 19:30:15
    cmos[8] = 0x13;
    EXPECT_FALSE(drivers::cmos_time(FakePorts{&cmos, &index}).has_value());
}

TEST(Cmos, NeverSettlingGivesNothing) {
    std::array<std::uint8_t, 128> cmos{};
    std::uint8_t index = 0;
    cmos[0x0a] = 0x80;
    EXPECT_FALSE(drivers::cmos_time(FakePorts{&cmos, &index}).has_value());
}

TEST(Pit, AChannelThatStandsStillDoesNotCount) {
    std::array<std::uint8_t, 128> cmos{};
    std::uint8_t index = 0;
    EXPECT_FALSE((drivers::PitCounter{FakePorts{&cmos, &index}}.counts()));
}

TEST(Date, CountsLeapYears) {
    EXPECT_EQ(drivers::unix_seconds({1970, 1, 1, 0, 0, 0}), 0u);
    EXPECT_EQ(drivers::unix_seconds({2000, 2, 29, 0, 0, 0}), 951782400u);
    EXPECT_EQ(drivers::unix_seconds({2001, 3, 1, 0, 0, 0}), 983404800u);
    EXPECT_FALSE(drivers::unix_seconds({2001, 0, 1, 0, 0, 0}).has_value());
}

} // namespace
