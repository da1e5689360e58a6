// SPDX-License-Identifier: Apache-2.0
#include "drivers/uart/uart.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace {

struct Chip {
    std::array<std::uint8_t, 8> registers{};
    std::string sent;
    bool present = true;
    bool ready = true;
    std::uint8_t identification = 0xC1;
};

struct FakePorts {
    Chip* chip;
    std::uint8_t in8(std::uint16_t port) {
        if (!chip->present)
            return 0xff;
        if (port == 0x3fd)
            return chip->ready ? 0x60 : 0;
        if (port == 0x3fa)
            return chip->identification;
        return chip->registers[port - 0x3f8];
    }
    std::uint16_t in16(std::uint16_t) { return 0xffff; }
    std::uint32_t in32(std::uint16_t) { return 0xffffffff; }
    void out8(std::uint16_t port, std::uint8_t value) {
        if (port == 0x3f8 && (chip->registers[3] & 0x80) == 0)
            chip->sent.push_back(static_cast<char>(value));
        chip->registers[port - 0x3f8] = value;
    }
    void out16(std::uint16_t, std::uint16_t) {}
    void out32(std::uint16_t, std::uint32_t) {}
};

void send(drivers::Uart<FakePorts>& uart, const std::string& text) {
    for (const char c : text)
        uart.put(static_cast<std::uint8_t>(c));
}

TEST(Uart, SendsWhatItIsGiven) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(uart.start());
    EXPECT_EQ(uart.room(), 16u);
    send(uart, "hello");
    EXPECT_TRUE(uart.drained());
    EXPECT_EQ(chip.sent, "hello");
    EXPECT_EQ(chip.registers[3], 0x03);
}

TEST(Uart, WithoutAWorkingFifoItIsAByteAtATime) {
    for (const std::uint8_t identification : {0x01, 0x81, 0xFF & ~0x40}) {
        Chip chip;
        chip.identification = identification;
        drivers::Uart uart{FakePorts{&chip}};
        ASSERT_TRUE(uart.start());
        EXPECT_EQ(uart.room(), 1u);
    }
}

TEST(Uart, AnAbsentChipTakesEverythingAndIsLeftAlone) {
    Chip chip;
    chip.present = false;
    drivers::Uart uart{FakePorts{&chip}};
    EXPECT_FALSE(uart.start());
    EXPECT_NE(uart.room(), 0u);
    EXPECT_TRUE(uart.drained());
    send(uart, "hello");
    EXPECT_EQ(chip.sent, "");
}

TEST(Uart, ABusyChipHasNoRoom) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(uart.start());
    chip.ready = false;
    EXPECT_EQ(uart.room(), 0u);
    EXPECT_FALSE(uart.drained());
}

} // namespace
