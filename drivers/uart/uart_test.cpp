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
    unsigned status_reads = 0;
};

struct FakePorts {
    Chip* chip;
    std::uint8_t in8(std::uint16_t port) {
        if (!chip->present)
            return 0xff;
        if (port == 0x3fd) {
            ++chip->status_reads;
            return chip->ready ? 0x60 : 0;
        }
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

std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span{text});
}

TEST(Uart, SendsWhatItIsGiven) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(uart.start());
    uart.write(bytes("hello"));
    uart.drain();
    EXPECT_EQ(chip.sent, "hello");
    EXPECT_EQ(chip.registers[3], 0x03);
}

TEST(Uart, AnAbsentChipIsLeftAlone) {
    Chip chip;
    chip.present = false;
    drivers::Uart uart{FakePorts{&chip}};
    EXPECT_FALSE(uart.start());
    uart.write(bytes("hello"));
    EXPECT_EQ(chip.sent, "");
}

TEST(Uart, AStuckChipCostsABoundedWait) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(uart.start());
    chip.ready = false;
    uart.write(bytes("x"));
    EXPECT_LE(chip.status_reads, 20'000u);
}

} // namespace
