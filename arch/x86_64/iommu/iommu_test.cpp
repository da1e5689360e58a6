// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/iommu_test.cpp - the two drivers against models of the registers that execute what they are told.
#include "arch/x86_64/iommu/amdvi.hpp"
#include "arch/x86_64/iommu/vtd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using Page = std::array<std::uint64_t, 512>;
std::uint64_t address_of(const void* p) {
    return reinterpret_cast<std::uintptr_t>(p);
}

// A VT-d unit: command and status register, invalidation queue, fault records at 0x200.
struct VtdModel {
    std::uint64_t capability = std::uint64_t{0x20} << 24 | std::uint64_t{1} << 40; // two records at 0x200
    std::uint64_t extended = 1u << 1 | 1u << 3 | 1u << 4;
    std::uint32_t status = 0;
    std::uint64_t root = 0, interrupts = 0, queue = 0, latched_root = 0, latched_interrupts = 0;
    std::uint64_t tail = 0;
    std::uint32_t fault_status = 0, fault_control = 0;
    std::array<std::uint64_t, 4> records{};
    std::vector<std::string> log;
    std::uint32_t deaf = 0; // command bits that do nothing

    void command(std::uint32_t value) {
        const std::uint32_t one_shot = 1u << 30 | 1u << 24 | 1u << 27;
        const std::uint32_t lasting = value & ~one_shot & ~deaf;
        const std::uint32_t changed = (lasting ^ status) & ~one_shot & ~deaf;
        EXPECT_LE(__builtin_popcount(changed) + __builtin_popcount(value & one_shot), 1)
            << "one bit at a time";
        status = lasting | (status & one_shot);
        if ((value & 1u << 30 & ~deaf) != 0) {
            latched_root = root;
            status |= 1u << 30;
            log.push_back("root");
        }
        if ((value & 1u << 24 & ~deaf) != 0) {
            latched_interrupts = interrupts;
            status |= 1u << 24;
            log.push_back("interrupts");
        }
        if ((value & 1u << 27) != 0)
            log.push_back("flush");
        for (const auto& [bit, name] : std::map<unsigned, std::string>{
                 {31, "translation"}, {26, "queue"}, {25, "remapping"}, {23, "compatibility"}})
            if ((changed >> bit & 1) != 0)
                log.push_back(name + ((status >> bit & 1) != 0 ? " on" : " off"));
    }
    void run_queue(std::uint64_t new_tail) {
        if ((status >> 26 & 1) == 0)
            return;
        const auto* entries = reinterpret_cast<const std::uint64_t*>(queue);
        const std::uint64_t from = std::exchange(tail, new_tail) / 8;
        for (std::uint64_t i = from; i != new_tail / 8; i = (i + 2) % 512) {
            log.push_back("invalidate " + std::to_string(entries[i] & 15));
            if ((entries[i] & 15) == 5 && (entries[i] >> 5 & 1) != 0)
                *reinterpret_cast<std::uint32_t*>(entries[i + 1]) =
                    static_cast<std::uint32_t>(entries[i] >> 32);
        }
    }
};
struct VtdRegisters {
    VtdModel* model;
    std::uint32_t read32(std::uint32_t at) const { return at == 0x1c ? model->status : model->fault_status; }
    std::uint64_t read64(std::uint32_t at) const {
        if (at == 8)
            return model->capability;
        if (at == 0x10)
            return model->extended;
        if (at == 0x88)
            return model->tail;
        return model->records.at((at - 0x200) / 8);
    }
    void write32(std::uint32_t at, std::uint32_t value) const {
        if (at == 0x18)
            model->command(value);
        else if (at == 0x34)
            model->fault_status &= ~value;
        else if (at == 0x38)
            model->fault_control = value;
        else if ((value >> 31) != 0 && at % 16 == 12) {
            model->records.at((at - 0x200) / 8) &= ~(std::uint64_t{1} << 63);
            if ((model->records[1] >> 63) == 0 && (model->records[3] >> 63) == 0)
                model->fault_status &= ~2u;
        }
    }
    void write64(std::uint32_t at, std::uint64_t value) const {
        if (at == 0x20)
            model->root = value;
        else if (at == 0xb8)
            model->interrupts = value;
        else if (at == 0x90)
            model->queue = value;
        else if (at == 0x88)
            model->run_queue(value);
        else
            ADD_FAILURE() << std::hex << at;
    }
};

struct Vtd : testing::Test {
    VtdModel model;
    alignas(4096) std::array<std::uint64_t, 1024> tables{};
    alignas(4096) Page queue{}, answers{};
    std::uint64_t root = address_of(&tables[0]), interrupts = address_of(&tables[512]);
    iommu::vtd::Unit<VtdRegisters> unit{VtdRegisters{&model}};
    iommu::Frames frames{tables, queue, answers, true};
    const char* deny(bool wide = true) {
        frames.wide = wide;
        return unit.deny_everything(frames);
    }
};

TEST_F(Vtd, TablesFirstThenInvalidationThenTranslation) {
    EXPECT_EQ(deny(), nullptr);
    EXPECT_EQ(model.log,
              (std::vector<std::string>{"root", "queue on", "interrupts", "invalidate 1", "invalidate 2",
                                        "invalidate 4", "invalidate 5", "translation on", "remapping on"}));
    EXPECT_EQ(model.latched_root, root);
    EXPECT_EQ(model.latched_interrupts, interrupts | 7 | 1u << 11);
    EXPECT_EQ(model.fault_control >> 31, 1u);
}

TEST_F(Vtd, WhatIsCachedGoesInBatchesRoundTheQueue) {
    EXPECT_EQ(deny(), nullptr);
    const iommu::vtd::Live<VtdRegisters> live{VtdRegisters{&model}};
    for (unsigned i = 0; i < 200; ++i) { // 256 descriptors, four a batch: three times round
        model.log.clear();
        live.forget(frames, true);
        EXPECT_TRUE(live.has_forgotten(frames));
        EXPECT_EQ(model.log,
                  (std::vector<std::string>{"invalidate 1", "invalidate 2", "invalidate 4", "invalidate 5"}));
    }
}

TEST_F(Vtd, EntriesAreNeverHalfPresent) {
    alignas(64) std::array<std::uint64_t, 2> entry{};
    iommu::vtd::set_entry(entry.data(), iommu::vtd::interrupt_low(0x41, 0x102, true),
                          iommu::vtd::interrupt_high(0x18));
    EXPECT_EQ(entry[0], std::uint64_t{0x102} << 32 | 0x41 << 16 | 1);
    EXPECT_EQ(entry[1], 0x18u | 1u << 18);
    EXPECT_EQ(iommu::vtd::interrupt_low(0x41, 2, false), std::uint64_t{2} << 40 | 0x41 << 16 | 1);
    iommu::vtd::clear_entry(entry.data());
    EXPECT_EQ(entry[0], 0u);
    const auto context = iommu::vtd::context_entry(0x123000, 4, 7);
    EXPECT_EQ(context.low, 0x123001u);
    EXPECT_EQ(context.high, 7u << 8 | 2u);
    EXPECT_EQ(iommu::vtd::context_entry(0x123000, 3, 7).high & 7, 1u);
    EXPECT_EQ(iommu::vtd::message_address(248), 0xfee00018u | 248u << 5);
    EXPECT_EQ(iommu::vtd::message_address(0x8001), 0xfee00018u | 1u << 5 | 1u << 2);
}

TEST_F(Vtd, UnitsThatCannotKeepDevicesApart) {
    const std::uint64_t whole = model.capability | 1u << 10 | std::uint64_t{1} << 34;
    model.capability = whole;
    EXPECT_TRUE(unit.keeps_devices_apart());
    EXPECT_EQ(unit.levels(), 4u);
    model.capability = whole & ~(std::uint64_t{1} << 10);
    EXPECT_FALSE(unit.keeps_devices_apart());
    model.capability |= 1u << 9;
    EXPECT_TRUE(unit.keeps_devices_apart());
    EXPECT_EQ(unit.levels(), 3u);
    model.capability = whole & ~(std::uint64_t{1} << 34);
    EXPECT_FALSE(unit.keeps_devices_apart());
    model.capability = whole | 1u << 4; // needs its write buffer flushed
    EXPECT_FALSE(unit.keeps_devices_apart());
    model.capability = whole;
    model.extended = 1u << 1;
    EXPECT_FALSE(unit.keeps_devices_apart());
}

TEST_F(Vtd, WithoutInterruptRemappingOrX2apic) {
    model.extended = 1u << 1;
    EXPECT_EQ(deny(), nullptr);
    EXPECT_EQ(model.latched_interrupts, 0u);
    EXPECT_EQ(model.status >> 25 & 1, 0u);
    EXPECT_EQ(model.status >> 31, 1u);
    VtdModel fresh;
    model = fresh;
    EXPECT_EQ(deny(false), nullptr);
    EXPECT_EQ(model.latched_interrupts, interrupts | 7);
}

TEST_F(Vtd, WhatFirmwareHadOnIsReplacedWhileTranslationStaysOn) {
    model.status = 1u << 31 | 1u << 30 | 1u << 26 | 1u << 25 | 1u << 23;
    model.latched_root = 0x111000;
    EXPECT_EQ(deny(), nullptr);
    EXPECT_EQ(model.latched_root, root);
    EXPECT_EQ(model.status >> 23 & 1, 0u) << "compatibility-format interrupts would pass";
    for (const std::string& step : model.log)
        EXPECT_NE(step, "translation off");
}

TEST_F(Vtd, WriteBuffersAreFlushedWhereTheUnitNeedsIt) {
    model.capability |= 1u << 4;
    EXPECT_EQ(deny(), nullptr);
    EXPECT_EQ(model.log.front(), "flush");
}

TEST_F(Vtd, UnitsThatCannotOrDoNotObeyAreNamed) {
    model.extended = 0;
    EXPECT_STREQ(deny(), "it has no queued invalidation");
    model.extended = 2;
    model.capability = std::uint64_t{0x3ff} << 24;
    EXPECT_STREQ(deny(), "its fault records lie beyond its first page");
    for (const unsigned bit : {31u, 30u, 26u, 25u, 24u}) {
        model = {};
        model.deaf = 1u << bit;
        EXPECT_STREQ(deny(), "it does not obey its command register") << bit;
    }
}

TEST_F(Vtd, FaultsAreReadOnceEach) {
    EXPECT_FALSE(unit.next_fault(frames));
    model.records = {0xabc000, std::uint64_t{1} << 63 | std::uint64_t{2} << 32 | 0x1f8, 0xdef000,
                     std::uint64_t{3} << 62 | std::uint64_t{6} << 32 | 0x10};
    model.fault_status = 3;
    const auto first = unit.next_fault(frames);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->requester, 0x1f8);
    EXPECT_EQ(first->reason, 2);
    EXPECT_EQ(first->address, 0xabc000u);
    EXPECT_TRUE(first->write);
    EXPECT_TRUE(first->lost);
    const auto second = unit.next_fault(frames);
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->write);
    EXPECT_FALSE(second->lost);
    EXPECT_EQ(second->reason, 6);
    EXPECT_FALSE(unit.next_fault(frames));
}

TEST_F(Vtd, TheTableLetsEachIoApicSendNmisToOneCpu) {
    const std::array<acpi::IoApicSource, 2> io_apics{{{1, 0xf0f8}, {2, 0x10}}};
    unit.fill(frames, io_apics, 0x12345);
    EXPECT_EQ(tables[512], std::uint64_t{0x12345} << 32 | 4 << 5 | 1);
    EXPECT_EQ(tables[513], 1u << 18 | 0xf0f8u);
    EXPECT_EQ(tables[515], 1u << 18 | 0x10u);
    EXPECT_EQ(tables[516], 0u);
    frames.wide = false;
    unit.fill(frames, io_apics, 3);
    EXPECT_EQ(tables[512], std::uint64_t{3} << 40 | 4 << 5 | 1);
    EXPECT_EQ(std::count(tables.begin(), tables.begin() + 512, 0u), 512) << "no device has a table";
}

TEST_F(Vtd, SaysWhatItCanDo) {
    EXPECT_TRUE(unit.remaps_interrupts());
    EXPECT_TRUE(unit.can_be_wide());
    model.extended = 1u << 1;
    EXPECT_FALSE(unit.remaps_interrupts());
    EXPECT_FALSE(unit.can_be_wide());
}

// An AMD-Vi unit: a command queue that runs when enabled, an event log.
struct AmdModel {
    std::map<std::uint32_t, std::uint64_t> registers{{0x30, 1u << 6}};
    std::vector<std::uint64_t> commands;
    bool deaf = false;
};
struct AmdRegisters {
    AmdModel* model;
    std::uint64_t read64(std::uint32_t at) const { return model->registers[at]; }
    void write64(std::uint32_t at, std::uint64_t value) const {
        auto& r = model->registers;
        if (at == 0x2020)
            r[at] &= ~value;
        else
            r[at] = value;
        if (at != 0x2008 || value == 0 || (r[0x18] & 0x1001) != 0x1001 || model->deaf)
            return;
        const auto* ring = reinterpret_cast<const std::uint64_t*>(r[8] & 0xffffffffff000);
        for (; r[0x2000] != value; r[0x2000] += 16) {
            const std::uint64_t* entry = ring + r[0x2000] / 8;
            model->commands.push_back(entry[0] >> 60);
            if (entry[0] >> 60 == 1)
                *reinterpret_cast<std::uint64_t*>(entry[0] & 0xffffffffffff8) = entry[1];
        }
    }
};

struct Amd : testing::Test {
    AmdModel model;
    alignas(4096) Page table{}, commands{}, events{};
    iommu::Frames frames{table, commands, events};
    iommu::amdvi::Unit<AmdRegisters> unit{AmdRegisters{&model}};
};

TEST_F(Amd, EveryRequesterIsCoveredAndExclusionIsOff) {
    model.registers[0x20] = 0x3001; // firmware's hole
    model.registers[0x18] = 1;
    EXPECT_EQ(unit.deny_everything(frames), nullptr);
    EXPECT_EQ(model.registers[0], address_of(table.data()) | 511);
    EXPECT_EQ(model.registers[8] & ~std::uint64_t{0xfff},
              address_of(commands.data()) | std::uint64_t{8} << 56);
    EXPECT_EQ(model.registers[0x10] & ~std::uint64_t{0xfff},
              address_of(events.data()) | std::uint64_t{8} << 56);
    EXPECT_EQ(model.registers[0x20], 0u);
    EXPECT_EQ(model.registers[0x18], 1u | 1u << 2 | 1u << 12);
    EXPECT_EQ(model.commands, (std::vector<std::uint64_t>{8, 1}));
}

TEST_F(Amd, UnitsThatCannotOrDoNotObeyAreNamed) {
    model.deaf = true;
    EXPECT_STREQ(unit.deny_everything(frames), "it does not run its commands");
    model.registers[0x30] = 0;
    EXPECT_STREQ(unit.deny_everything(frames), "it cannot invalidate everything at once");
}

TEST_F(Amd, EntriesDenyMemoryAndAllInterruptsButTheIoApicsNmis) {
    std::vector<std::uint64_t> devices(4 * 8);
    frames.table = devices;
    unit.fill(frames, std::array{acpi::IoApicSource{1, 5}}, 0);
    for (std::size_t device = 0; device < 8; ++device) {
        EXPECT_EQ(devices[4 * device], 3u);
        EXPECT_EQ(devices[4 * device + 1], 0u);
        EXPECT_EQ(devices[4 * device + 2], device == 5 ? 1u | std::uint64_t{1} << 58 : 1u);
        EXPECT_EQ(devices[4 * device + 3], 0u);
    }
}

TEST_F(Amd, EventsAreReadOnceEachAndAnOverflowRestartsTheLog) {
    EXPECT_EQ(unit.deny_everything(frames), nullptr);
    EXPECT_FALSE(unit.next_fault(frames));
    model.registers[0x2010] = 4096 - 16;
    events[510] = std::uint64_t{2} << 60 | std::uint64_t{1} << 53 | 0x1f8;
    events[511] = 0xabc000;
    events[0] = std::uint64_t{2} << 60 | 0x10;
    events[1] = 0xdef000;
    model.registers[0x2018] = 16;
    const auto first = unit.next_fault(frames);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->requester, 0x1f8);
    EXPECT_EQ(first->reason, 2);
    EXPECT_TRUE(first->write);
    EXPECT_FALSE(first->lost);
    EXPECT_EQ(first->address, 0xabc000u);
    model.registers[0x2020] = 1;
    const auto second = unit.next_fault(frames);
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->lost);
    EXPECT_FALSE(second->write);
    EXPECT_EQ(model.registers[0x2020], 0u);
    EXPECT_EQ(model.registers[0x18], 1u | 1u << 2 | 1u << 12);
    EXPECT_FALSE(unit.next_fault(frames));
}

} // namespace
