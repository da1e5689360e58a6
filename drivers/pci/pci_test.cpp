// SPDX-License-Identifier: Apache-2.0
#include "drivers/pci/pci.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace {

struct Machine {
    std::map<std::uint32_t, std::array<std::uint32_t, 64>> functions; // key: address register without offset
    std::uint32_t selected = 0;
    unsigned accesses = 0;

    std::array<std::uint32_t, 64>& add(unsigned bus, unsigned device, unsigned function) {
        auto& f = functions[bus << 16 | device << 11 | function << 8];
        f[0] = 0x12348086;
        f[1] = 0x00100007; // bus master on
        return f;
    }
};

struct FakePorts {
    Machine* machine;
    std::uint8_t in8(std::uint16_t) { return 0xff; }
    std::uint16_t in16(std::uint16_t port) { return static_cast<std::uint16_t>(in32(port)); }
    std::uint32_t in32(std::uint16_t) {
        ++machine->accesses;
        const auto f = machine->functions.find(machine->selected & 0xffff00);
        return f == machine->functions.end() ? 0xffffffff : f->second[(machine->selected & 0xff) / 4];
    }
    void out8(std::uint16_t, std::uint8_t) {}
    void out16(std::uint16_t, std::uint16_t value) {
        auto& word = machine->functions.at(machine->selected & 0xffff00)[(machine->selected & 0xff) / 4];
        word = (word & 0xffff0000) | value;
    }
    void out32(std::uint16_t, std::uint32_t value) { machine->selected = value; }
};

TEST(Pci, ClearsEveryFunctionOnEveryBusAndOfBridges) {
    Machine machine;
    machine.add(0, 0, 0);
    machine.add(0, 2, 0);
    machine.add(0, 2, 5);
    machine.add(0, 3, 0)[3] = 0x010000; // a bridge
    machine.add(5, 0, 0);
    EXPECT_EQ(drivers::PciConfiguration{FakePorts{&machine}}.bus_masters_off(), 5u);
    for (const auto& [where, f] : machine.functions)
        EXPECT_EQ(f[1] & 7u, 3u) << std::hex << where;
}

TEST(Pci, RootBusesThatNoBridgeNamesAreReached) {
    Machine machine;
    machine.add(0, 0, 0);
    machine.add(0x80, 0, 0);
    machine.add(0xff, 31, 0);
    EXPECT_EQ(drivers::PciConfiguration{FakePorts{&machine}}.bus_masters_off(), 3u);
}

TEST(Pci, FunctionsThatTheHeaderTypeHidesAreReached) {
    Machine machine;
    machine.add(0, 1, 0);
    machine.add(0, 1, 3);
    EXPECT_EQ(drivers::PciConfiguration{FakePorts{&machine}}.bus_masters_off(), 2u);
}

TEST(Pci, WorkIsBounded) {
    Machine machine;
    for (unsigned bus = 0; bus < 256; ++bus)
        for (unsigned device = 0; device < 32; ++device)
            machine.add(bus, device, 0);
    EXPECT_EQ(drivers::PciConfiguration{FakePorts{&machine}}.bus_masters_off(), 256u * 32);
    EXPECT_LE(machine.accesses, 256u * 32 * 9);
}

} // namespace
