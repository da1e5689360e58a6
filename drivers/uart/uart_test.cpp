// SPDX-License-Identifier: Apache-2.0
#include "drivers/uart/start.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace drivers {
static bool operator==(const UartPlace& a, const UartPlace& b) {
    return a.base == b.base && a.in_memory == b.in_memory && a.wide == b.wide && a.stride == b.stride;
}
} // namespace drivers

namespace {

struct Chip {
    std::array<std::uint8_t, 8> registers{};
    std::string sent;
    bool present = true;
    bool ready = true;
    std::string arrived;
    std::uint8_t identification = 0xC1;
    std::uint8_t stride = 1;
    bool wide = false;
    unsigned strays = 0;
};

struct FakePorts {
    Chip* chip;
    std::uint8_t in8(std::uint16_t port) {
        if (!chip->present)
            return 0xff;
        if (port == 0x3fd)
            return static_cast<std::uint8_t>((chip->ready ? 0x60 : 0) | (chip->arrived.empty() ? 0 : 1));
        if (port == 0x3f8 && !chip->arrived.empty()) {
            const auto byte = static_cast<std::uint8_t>(chip->arrived.front());
            chip->arrived.erase(0, 1);
            return byte;
        }
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

    // The same chip in memory, its registers `chip->stride` apart; what is read or written otherwise is an error of the driver's.
    static constexpr std::uint64_t memory = 0xfedc9000;
    std::uint16_t port(std::uint64_t at, bool wide) {
        if (at < memory || (at - memory) % chip->stride != 0 || wide != chip->wide) {
            ++chip->strays;
            return 0x3ff; // the scratch register, which does nothing
        }
        return static_cast<std::uint16_t>(0x3f8 + (at - memory) / chip->stride);
    }
    std::uint8_t load8(std::uint64_t at) { return in8(port(at, false)); }
    std::uint32_t load32(std::uint64_t at) { return 0xabcdef00 | in8(port(at, true)); }
    void store8(std::uint64_t at, std::uint8_t value) { out8(port(at, false), value); }
    void store32(std::uint64_t at, std::uint32_t value) {
        EXPECT_LE(value, 0xffu);
        out8(port(at, true), static_cast<std::uint8_t>(value));
    }
};

void send(drivers::Uart<FakePorts>& uart, const std::string& text) {
    for (const char c : text)
        uart.put(static_cast<std::uint8_t>(c));
}

TEST(Uart, SendsWhatItIsGiven) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 1));
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
        ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 1));
        EXPECT_EQ(uart.room(), 1u);
    }
}

TEST(Uart, AnAbsentChipTakesEverythingAndIsLeftAlone) {
    Chip chip;
    chip.present = false;
    drivers::Uart uart{FakePorts{&chip}};
    EXPECT_FALSE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 1));
    EXPECT_NE(uart.room(), 0u);
    EXPECT_TRUE(uart.drained());
    send(uart, "hello");
    EXPECT_EQ(chip.sent, "");
}

TEST(Uart, HearsWhatComesAndInterruptsOnlyWhileItListens) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 1));
    EXPECT_EQ(chip.registers[1], 0); // no interrupt of any kind
    EXPECT_FALSE(uart.get());
    uart.listen(true);
    EXPECT_EQ(chip.registers[1], 1);    // received data alone
    EXPECT_EQ(chip.registers[4], 0x0B); // OUT2 lets it through
    chip.arrived = "ab";
    EXPECT_EQ(uart.get(), 'a');
    chip.ready = false; // sending is another matter
    EXPECT_EQ(uart.get(), 'b');
    EXPECT_FALSE(uart.get());
    uart.listen(false);
    EXPECT_EQ(chip.registers[1], 0);
    EXPECT_EQ(chip.registers[4], 0x03);
    EXPECT_EQ(chip.sent, "");
}

TEST(Uart, AnAbsentChipSaysNothing) {
    Chip chip;
    chip.present = false;
    drivers::Uart uart{FakePorts{&chip}};
    EXPECT_FALSE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 1));
    uart.listen(true);
    EXPECT_EQ(chip.registers[1], 0);
    EXPECT_FALSE(uart.get()); // although every register reads all ones
}

TEST(Uart, KeepsTheRateOrSetsOne) {
    Chip chip;
    chip.registers[0] = 0x77;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 0));
    EXPECT_EQ(chip.registers[0], 0x77);
    ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 12)); // 9600
    EXPECT_EQ(chip.registers[0], 12);
    EXPECT_EQ(chip.sent, "");
}

TEST(Uart, ABusyChipHasNoRoom) {
    Chip chip;
    drivers::Uart uart{FakePorts{&chip}};
    ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, drivers::UartPlace{drivers::com1}, 1));
    chip.ready = false;
    EXPECT_EQ(uart.room(), 0u);
    EXPECT_FALSE(uart.drained());
}

TEST(Uart, RegistersInMemoryAreWhereFirmwareSays) {
    for (const auto& [stride, wide] : {std::pair{1, false}, {2, false}, {4, false}, {4, true}}) {
        Chip chip;
        chip.stride = static_cast<std::uint8_t>(stride);
        chip.wide = wide;
        chip.registers[0] = 0x77;
        drivers::Uart uart{FakePorts{&chip}};
        ASSERT_TRUE(drivers::start(uart, FakePorts{&chip}, {FakePorts::memory, true, wide, chip.stride}, 0));
        EXPECT_EQ(uart.room(), 16u);
        send(uart, "hello");
        EXPECT_EQ(chip.sent, "hello");
        EXPECT_EQ(chip.registers[3], 0x03);
        uart.listen(true);
        EXPECT_EQ(chip.registers[4], 0x0B);
        chip.arrived = "a";
        EXPECT_EQ(uart.get(), 'a');
        EXPECT_EQ(chip.strays, 0u);
        // And nowhere else: bytes where it has words, words where it has bytes.
        drivers::Uart other{FakePorts{&chip}};
        chip.present = false;
        EXPECT_FALSE(
            drivers::start(other, FakePorts{&chip}, {FakePorts::memory, true, wide, chip.stride}, 0));
    }
}

// PCI's configuration: one card with these registers.
struct Cards {
    std::uint32_t base0, base1 = 0, id = 0x12345678, serial = 0x07000200;
    std::uint32_t* command;
    std::uint32_t selected = 0;
    std::uint32_t in32(std::uint16_t) {
        if ((selected & 0xffff00) != 0x001800) // function 00:03.0
            return 0xffffffff;
        switch (selected & 0xfc) {
        case 0x00:
            return id;
        case 0x04:
            return *command;
        case 0x08:
            return serial;
        case 0x10:
            return base0;
        case 0x14:
            return base1;
        default:
            return 0;
        }
    }
    std::uint16_t in16(std::uint16_t) { return 0; }
    std::uint8_t in8(std::uint16_t) { return 0; }
    void out32(std::uint16_t port, std::uint32_t value) {
        if (port == 0xcf8)
            selected = value & 0x7fffffff;
    }
    void out16(std::uint16_t, std::uint16_t value) { *command = value; }
    void out8(std::uint16_t, std::uint8_t) {}
};

TEST(SerialCard, LiesInPortsOrInMemory) {
    struct Row {
        std::uint32_t base0, base1;
        std::optional<drivers::UartPlace> place;
        std::uint32_t command;
    };
    const Row rows[]{
        {0xc001, 0, drivers::UartPlace{0xc000}, 1},
        {0xfebf1000, 0x77, drivers::UartPlace{0xfebf1000, true}, 2},
        {0xfebf1004, 0x12, drivers::UartPlace{0x12febf1000, true}, 2},
        {0, 0, std::nullopt, 0},          // firmware gave it no place
        {1, 0, std::nullopt, 0},          // nor ports
        {0xfffff001, 0, std::nullopt, 0}, // no such ports
        {4, 1, drivers::UartPlace{std::uint64_t{1} << 32, true}, 2},
    };
    for (const Row& row : rows) {
        std::uint32_t command = 0;
        drivers::PciConfiguration pci{Cards{.base0 = row.base0, .base1 = row.base1, .command = &command}};
        EXPECT_EQ(drivers::find_serial_card(pci), row.place) << row.base0;
        EXPECT_EQ(command, row.command) << row.base0;
    }
    std::uint32_t command = 0;
    drivers::PciConfiguration pci{Cards{.base0 = 0xc001, .serial = 0x07800000, .command = &command}};
    EXPECT_FALSE(drivers::find_serial_card(pci)) << "of another kind";
}

} // namespace
