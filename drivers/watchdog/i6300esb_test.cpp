// SPDX-License-Identifier: Apache-2.0
#include "drivers/watchdog/start.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace {

// Configuration space of one device at 0:5.0, and everything that is written anywhere, in order.
struct Machine {
    std::map<std::uint8_t, std::uint32_t> words{{0, 0x25ab8086}, {4, 0}, {0x10, 0xfebf1000}};
    std::uint32_t selected = 0;
    std::vector<std::string> said;
    void say(const std::string& what, std::uint64_t where, std::uint64_t value) {
        said.push_back(what + ' ' + std::to_string(where) + '=' + std::to_string(value));
    }
};

struct FakePorts {
    Machine* machine;
    std::uint8_t in8(std::uint16_t) { return 0xff; }
    std::uint16_t in16(std::uint16_t port) { return static_cast<std::uint16_t>(in32(port)); }
    std::uint32_t in32(std::uint16_t) {
        return (machine->selected & 0xffff00) == 5u << 11 ? machine->words[machine->selected & 0xfc]
                                                          : 0xffffffff;
    }
    void out8(std::uint16_t port, std::uint8_t value) {
        machine->say("pci8", (machine->selected & 0xfc) + (port & 3u), value);
    }
    void out16(std::uint16_t port, std::uint16_t value) {
        machine->say("pci16", (machine->selected & 0xfc) + (port & 3u), value);
    }
    void out32(std::uint16_t, std::uint32_t value) { machine->selected = value; }
};

struct FakeRegisters {
    Machine* machine;
    void write16(std::uint32_t offset, std::uint16_t value) const { machine->say("mmio16", offset, value); }
    void write32(std::uint32_t offset, std::uint32_t value) const { machine->say("mmio32", offset, value); }
};

TEST(I6300esb, FoundWhereItIs) {
    Machine machine;
    drivers::PciConfiguration pci{FakePorts{&machine}};
    const auto found = drivers::find_i6300esb(pci);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->at, 5 << 3);
    EXPECT_EQ(found->registers, 0xfebf1000u);
    for (const std::uint32_t base :
         {0u, 0xc001u, 0xfebf100cu}) { // firmware gave it nothing, ports, a 64-bit place
        machine.words[0x10] = base;
        EXPECT_FALSE(drivers::find_i6300esb(pci).has_value());
    }
    machine.words[0] = 0x29228086;
    EXPECT_FALSE(drivers::find_i6300esb(pci).has_value());
}

TEST(I6300esb, EveryTimerWriteIsUnlockedAndEnablingIsLast) {
    Machine machine;
    drivers::PciConfiguration pci{FakePorts{&machine}};
    const drivers::I6300esb watchdog{5 << 3, 0xfebf1000};
    drivers::start(watchdog, pci, FakeRegisters{&machine}, 5000);
    EXPECT_EQ(machine.said,
              (std::vector<std::string>{"pci16 4=2", "pci16 96=3", "mmio16 12=128", "mmio16 12=134",
                                        "mmio32 0=5000", "mmio16 12=128", "mmio16 12=134", "mmio32 4=5000",
                                        "mmio16 12=128", "mmio16 12=134", "mmio16 12=256", "pci8 104=2"}));
    machine.said.clear();
    watchdog.stop(pci);
    EXPECT_EQ(machine.said, std::vector<std::string>{"pci8 104=0"});
}

} // namespace
