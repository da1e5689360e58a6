// SPDX-License-Identifier: Apache-2.0
#include "drivers/pci/bus_masters.hpp"

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

unsigned masters_off(Machine& machine) {
    drivers::PciConfiguration pci{FakePorts{&machine}};
    return drivers::bus_masters_off(pci);
}

TEST(Pci, ClearsEveryFunctionOnEveryBusAndOfBridges) {
    Machine machine;
    machine.add(0, 0, 0);
    machine.add(0, 2, 0);
    machine.add(0, 2, 5);
    machine.add(0, 3, 0)[3] = 0x010000; // a bridge
    machine.add(5, 0, 0);
    EXPECT_EQ(masters_off(machine), 5u);
    for (const auto& [where, f] : machine.functions)
        EXPECT_EQ(f[1] & 7u, 3u) << std::hex << where;
}

TEST(Pci, RootBusesThatNoBridgeNamesAreReached) {
    Machine machine;
    machine.add(0, 0, 0);
    machine.add(0x80, 0, 0);
    machine.add(0xff, 31, 0);
    EXPECT_EQ(masters_off(machine), 3u);
}

TEST(Pci, FunctionsThatTheHeaderTypeHidesAreReached) {
    Machine machine;
    machine.add(0, 1, 0);
    machine.add(0, 1, 3);
    EXPECT_EQ(masters_off(machine), 2u);
}

TEST(Pci, SparseAriFunctionsAreReached) {
    Machine machine;
    machine.add(4, 0, 0);
    machine.add(4, 1, 3);  // function 11 of device 0: no function 8
    machine.add(4, 31, 7); // function 255
    EXPECT_EQ(masters_off(machine), 3u);
}

struct FakeEcam {
    std::map<std::uint32_t, std::uint32_t>* words;
    std::uint32_t read32(std::uint32_t offset) const {
        const auto found = words->find(offset);
        if (found != words->end())
            return found->second;
        return words->contains(offset & ~0xfffu) ? 0 : 0xffffffff; // a function that is there reads 0
    }
    std::uint64_t read64(std::uint32_t) const { return 0; }
    void write32(std::uint32_t offset, std::uint32_t value) const { (*words)[offset] = value; }
    void write64(std::uint32_t, std::uint64_t) const {}
};

TEST(Pci, VirtualFunctionsAreSwitchedOff) {
    std::map<std::uint32_t, std::uint32_t> words;
    const auto function = [&words](std::uint32_t bus, std::uint32_t number) {
        const std::uint32_t at = bus << 20 | number << 12;
        words[at] = 0x10c98086;
        return at;
    };
    const std::uint32_t plain = function(0, 0), nic = function(2, 0), far = function(2, 9),
                        off = function(3, 0);
    words[nic + 0x100] = 0x16010001; // AER, then SR-IOV at 160
    words[nic + 0x160] = 0x00010010;
    words[nic + 0x168] = 0x19;       // VFs on, their memory, ARI
    words[far + 0x100] = 0x10010010; // a list that ends in itself
    words[far + 0x108] = 9;
    words[off + 0x100] = 0x00010010;
    words[off + 0x108] = 0x10;
    words[plain + 0x100] = 0xffffffff; // conventional PCI
    EXPECT_EQ(drivers::virtual_functions_off(FakeEcam{&words}, 1), 0u) << "those buses are not behind it";
    EXPECT_EQ(drivers::virtual_functions_off(FakeEcam{&words}, 255), 2u);
    EXPECT_EQ(words[nic + 0x168], 0x10u);
    EXPECT_EQ(words[far + 0x108], 0u);
    EXPECT_EQ(words[off + 0x108], 0x10u);
}

TEST(Pci, WorkIsBounded) {
    Machine machine;
    for (unsigned bus = 0; bus < 256; ++bus)
        for (unsigned device = 0; device < 32; ++device)
            machine.add(bus, device, 0);
    EXPECT_EQ(masters_off(machine), 256u * 32);
    EXPECT_LE(machine.accesses, 256u * 32 * 9);
}

} // namespace
