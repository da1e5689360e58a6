// SPDX-License-Identifier: Apache-2.0
#include "drivers/watchdog/i6300esb.hpp"
#include "drivers/watchdog/itco.hpp"
#include "drivers/watchdog/wdat.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

using drivers::WatchdogKind;

// Configuration space of one device, ports and registers in memory, and everything that is written anywhere, in order.
struct Machine {
    drivers::PciFunction function = 5 << 3;
    std::map<std::uint8_t, std::uint32_t> words;
    std::map<std::uint64_t, std::uint32_t> ports, memory;
    std::uint32_t selected = 0;
    std::vector<std::string> said;
    void say(const std::string& what, std::uint64_t where, std::uint64_t value) {
        said.push_back(what + ' ' + std::to_string(where) + '=' + std::to_string(value));
    }
};

struct Io {
    Machine* machine;
    [[nodiscard]] std::uint32_t port(std::uint16_t at) const {
        if (at != 0xcfc)
            return machine->ports[at];
        return (machine->selected >> 8 & 0xffff) == machine->function
                   ? machine->words[machine->selected & 0xfc]
                   : UINT32_MAX;
    }
    std::uint8_t in8(std::uint16_t at) { return static_cast<std::uint8_t>(port(at)); }
    std::uint16_t in16(std::uint16_t at) { return static_cast<std::uint16_t>(port(at)); }
    std::uint32_t in32(std::uint16_t at) { return port(at); }
    void write(const char* width, std::uint16_t at, std::uint32_t value) {
        if (at == 0xcf8)
            machine->selected = value;
        else if ((at & ~3u) == 0xcfc)
            machine->say(std::string("pci") + width, (machine->selected & 0xfc) + (at & 3u), value);
        else
            machine->say(std::string("port") + width, at, value);
    }
    void out8(std::uint16_t at, std::uint8_t value) { write("8", at, value); }
    void out16(std::uint16_t at, std::uint16_t value) { write("16", at, value); }
    void out32(std::uint16_t at, std::uint32_t value) { write("32", at, value); }
    std::uint8_t load8(std::uint64_t at) { return static_cast<std::uint8_t>(machine->memory[at]); }
    std::uint16_t load16(std::uint64_t at) { return static_cast<std::uint16_t>(machine->memory[at]); }
    std::uint32_t load32(std::uint64_t at) { return machine->memory[at]; }
    void store8(std::uint64_t at, std::uint8_t value) { machine->say("memory8", at, value); }
    void store16(std::uint64_t at, std::uint16_t value) { machine->say("memory16", at, value); }
    void store32(std::uint64_t at, std::uint32_t value) { machine->say("memory32", at, value); }
};

using Said = std::vector<std::string>;
template <std::size_t Most>
Said played(Machine& machine, const base::FixedVector<drivers::Store, Most>& stores) {
    machine.said.clear();
    drivers::play(Io{&machine}, stores);
    return machine.said;
}

Machine with_i6300esb() {
    Machine machine;
    machine.words = {{0, 0x25ab8086}, {4, 0}, {0x10, 0xfebf1000}};
    return machine;
}

TEST(I6300esb, FoundWhereItIs) {
    Machine machine = with_i6300esb();
    drivers::PciConfiguration pci{Io{&machine}};
    const auto found = drivers::I6300esb::find(pci);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->at, 5 << 3);
    EXPECT_EQ(found->registers, 0xfebf1000u);
    for (const std::uint32_t base :
         {0u, 0xc001u, 0xfebf100cu}) { // firmware gave it nothing, ports, a 64-bit place
        machine.words[0x10] = base;
        EXPECT_FALSE(drivers::I6300esb::find(pci).has_value());
    }
    machine.words[0] = 0x29228086;
    EXPECT_FALSE(drivers::I6300esb::find(pci).has_value());
}

TEST(I6300esb, EveryTimerWriteIsUnlockedAndEnablingIsLast) {
    Machine machine = with_i6300esb();
    drivers::PciConfiguration pci{Io{&machine}};
    const auto prepared = drivers::I6300esb{5 << 3, 0x1000}.prepare(pci, 5000);
    EXPECT_EQ(prepared.kind, WatchdogKind::i6300esb);
    EXPECT_EQ(machine.said, (Said{"pci16 4=2", "pci16 96=3"}));
    EXPECT_EQ(played(machine, prepared.start),
              (Said{"memory16 4108=128", "memory16 4108=134", "memory32 4096=5000", "memory16 4108=128",
                    "memory16 4108=134", "memory32 4100=5000", "memory16 4108=128", "memory16 4108=134",
                    "memory16 4108=256", "pci8 104=2"}));
    EXPECT_EQ(played(machine, prepared.watchdog.feed),
              (Said{"memory16 4108=128", "memory16 4108=134", "memory16 4108=256"}));
    EXPECT_EQ(played(machine, prepared.watchdog.stop), (Said{"pci8 104=0"}));
}

struct Control {
    std::uint32_t* word;
    std::uint32_t kept = 0; // bits that cannot be cleared
    [[nodiscard]] std::uint32_t read() const { return *word; }
    void write(std::uint32_t value) const { *word = value | kept; }
};

Machine with_itco() {
    Machine machine;
    machine.function = 31 << 3;
    machine.words = {{0, 0x29188086}, {8, 0x06010002}, {0x40, 0x601}, {0xf0, 0xfed1c001}};
    machine.ports = {{0x668, 0x0802}};
    return machine;
}

TEST(Itco, FoundInAnIoHubAlone) {
    Machine machine = with_itco();
    drivers::PciConfiguration pci{Io{&machine}};
    const auto found = drivers::Itco::find(pci);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->ports, 0x660);
    EXPECT_EQ(found->general_control, 0xfed1f410u);
    const auto without = [](std::uint8_t at, std::uint32_t value) {
        Machine other = with_itco();
        other.words[at] = value;
        drivers::PciConfiguration its{Io{&other}};
        return !drivers::Itco::find(its).has_value();
    };
    EXPECT_TRUE(without(0, 0x439d1002));    // AMD's bridge
    EXPECT_TRUE(without(8, 0x05800000));    // memory controller there (100 series)
    EXPECT_TRUE(without(0x40, 0));          // no ports
    EXPECT_TRUE(without(0x40, 0x600));      // not said to be ports
    EXPECT_TRUE(without(0x40, 0xfe000000)); // something else
    EXPECT_TRUE(without(0xf0, 0xfed1c000)); // off
}

TEST(Itco, StartsFedAndResetsBySecondEnd) {
    Machine machine = with_itco();
    std::uint32_t general = 0x24;
    const auto prepared = drivers::Itco{0x660, 0}.prepare(Io{&machine}, Control{&general}, 5000);
    ASSERT_TRUE(prepared.has_value());
    EXPECT_EQ(general, 4u);
    EXPECT_TRUE(machine.said.empty());
    EXPECT_EQ(played(machine, prepared->start), (Said{"port16 1640=2050", "port16 1636=8", "port16 1638=6",
                                                      "port16 1650=8", "port16 1632=1", "port16 1640=2"}));
    EXPECT_EQ(played(machine, prepared->watchdog.feed), Said{"port16 1632=1"});
    EXPECT_EQ(played(machine, prepared->watchdog.stop), Said{"port16 1640=2050"});
    general = 0x20;
    const drivers::Itco strapped{0x660, 0};
    EXPECT_FALSE(strapped.prepare(Io{&machine}, Control{&general, 0x20}, 5000)); // a strap
}

// A TCO timer as firmware's table describes it.
acpi::Wdat table() {
    using namespace acpi::wdat;
    acpi::Wdat out{600, 0x3ff, 4, {}};
    for (const acpi::WdatEntry& entry :
         {acpi::WdatEntry{feed, write_value, false, 2, 0, 0x460, 1, 0x3ff},
          {set_countdown, write_countdown | preserve, false, 2, 0, 0x472, 0, 0x3ff},
          {4, 1, false, 2, 0, 0x460, 0, 0x3ff},
          {set_running, write_value | preserve, false, 2, 11, 0x468, 0, 1},
          {set_stopped, write_value | preserve, false, 2, 11, 0x468, 1, 1},
          {set_reboot, write_value | preserve, true, 4, 5, 0xfed1f410, 0, 1}})
        (void)out.entries.push_back(entry);
    return out;
}

TEST(Wdat, StoresWhatTheTableSays) {
    Machine machine;
    machine.ports = {{0x472, 0xf400}, {0x468, 0x1802}};
    machine.memory = {{0xfed1f410, 0x64}};
    const acpi::Wdat described = table();
    const drivers::WdatTimer timer{described};
    EXPECT_EQ(timer.page(), 0xfed1f000u);
    const auto prepared = timer.prepare(Io{&machine}, 5000);
    ASSERT_TRUE(prepared.has_value());
    EXPECT_TRUE(machine.said.empty());
    EXPECT_EQ(played(machine, prepared->start),
              (Said{"port16 1128=6146", "port16 1138=62480", "memory32 4275172368=68", "port16 1128=4098",
                    "port16 1120=1"}));
    EXPECT_EQ(played(machine, prepared->watchdog.feed), Said{"port16 1120=1"});
    EXPECT_EQ(played(machine, prepared->watchdog.stop), Said{"port16 1128=6146"});
}

TEST(Wdat, WhatStoresCannotSayIsLeftAlone) {
    const auto refused = [](const std::function<void(acpi::Wdat&)>& change) {
        Machine machine;
        acpi::Wdat described = table();
        change(described);
        return !drivers::WdatTimer{described}.prepare(Io{&machine}, 5000).has_value();
    };
    EXPECT_FALSE(refused([](acpi::Wdat&) {}));
    EXPECT_TRUE(refused([](acpi::Wdat& w) { w.entries.erase(0); }));           // nothing feeds it
    EXPECT_TRUE(refused([](acpi::Wdat& w) { w.entries[0].instruction = 1; })); // a reading as an action
    EXPECT_TRUE(refused([](acpi::Wdat& w) { w.period_ms = 0; }));
    EXPECT_TRUE(refused([](acpi::Wdat& w) { w.least = 0x400; }));
    EXPECT_TRUE(refused([](acpi::Wdat& w) { w.most = 4; }));            // at most 2.4 s: would not last
    EXPECT_TRUE(refused([](acpi::Wdat& w) { w.entries[1].mask = 7; })); // the count does not fit
    EXPECT_FALSE(refused([](acpi::Wdat& w) { w.entries.erase(5); }));   // needs no permission to reset
    acpi::Wdat two = table();
    two.entries[0].in_memory = true;
    two.entries[0].address = 0x5460;
    EXPECT_FALSE(drivers::WdatTimer{two}.page().has_value());
}

} // namespace
