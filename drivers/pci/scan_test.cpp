// SPDX-License-Identifier: Apache-2.0
// drivers/pci/scan_test.cpp - configuration spaces made up by us, whose BARs answer as hardware does.
#include "drivers/pci/keep.hpp"
#include "drivers/pci/scan.hpp"
#include "drivers/pci/virtio.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

namespace {

struct Space {
    std::map<std::uint32_t, std::uint32_t> words;
    std::map<std::uint32_t, std::uint64_t> bar_bytes; // by the BAR's offset; its upper half is not in here
    std::vector<std::uint32_t> written_while_decoding;

    std::uint32_t read(std::uint32_t at) const {
        const auto found = words.find(at);
        if (found != words.end())
            return found->second;
        return words.contains(at & ~0xfffu) ? 0 : 0xffffffff;
    }
    void write(std::uint32_t at, std::uint32_t value) {
        const std::uint32_t offset = at & 0xfff, function = at & ~0xfffu;
        if (offset >= 0x10 && offset < 0x28 && (read(function + 4) & 2) != 0)
            written_while_decoding.push_back(at);
        if (const auto bar = bar_bytes.find(at); bar != bar_bytes.end())
            value = (value & ~static_cast<std::uint32_t>(bar->second - 1)) | (words[at] & 0xf);
        else if (const auto low = bar_bytes.find(at - 4); low != bar_bytes.end() && (words[at - 4] & 4) != 0)
            value &= ~static_cast<std::uint32_t>((low->second - 1) >> 32);
        words[at] =
            offset == 4 ? (words[at] & 0xffff0000) | (value & 0xffff) : value; // status: write one to clear
    }
};
struct Ecam {
    Space* space;
    std::uint32_t read32(std::uint32_t at) const { return space->read(at); }
    std::uint64_t read64(std::uint32_t) const { return 0; }
    void write32(std::uint32_t at, std::uint32_t value) const { space->write(at, value); }
    void write64(std::uint32_t, std::uint64_t) const {}
};

// The same words as memory at `base`.
struct Memory {
    Space* space;
    std::uint64_t base;
    [[nodiscard]] std::uint32_t word(std::uint64_t at) const {
        return space->words[static_cast<std::uint32_t>(at - base)];
    }
    [[nodiscard]] std::uint8_t load8(std::uint64_t at) const { return static_cast<std::uint8_t>(word(at)); }
    [[nodiscard]] std::uint32_t load32(std::uint64_t at) const { return word(at); }
    void store8(std::uint64_t at, std::uint8_t value) const { store32(at, value); }
    void store16(std::uint64_t, std::uint16_t) const { ADD_FAILURE(); }
    void store32(std::uint64_t at, std::uint32_t value) const {
        space->words[static_cast<std::uint32_t>(at - base)] = value;
    }
    void out8(std::uint16_t, std::uint8_t) const { ADD_FAILURE(); }
    void out16(std::uint16_t, std::uint16_t) const { ADD_FAILURE(); }
    void out32(std::uint16_t, std::uint32_t) const { ADD_FAILURE(); }
};

struct Scan : testing::Test {
    Space space;
    Ecam ecam{&space};
    base::FixedVector<pci::Function, 8> found;

    std::uint32_t add(pci::Requester requester, std::uint32_t identity) {
        const std::uint32_t at = std::uint32_t{requester} << 12;
        space.words[at] = identity;
        space.words[at + 4] = 0x00100007;
        space.words[at + 8] = 0x01080202;
        return at;
    }
    bool run(std::uint32_t last_bus = 1) {
        found.clear();
        return drivers::PciScan{ecam}.run(last_bus, found);
    }
};

TEST_F(Scan, AnEndpointWithCapabilitiesAndBars) {
    const std::uint32_t at = add(0x18, 0x00101b36);
    space.words[at + 0x34] = 0x40;
    space.words[at + 0x40] = 0x00078011; // MSI-X, eight vectors, then 80
    space.words[at + 0x44] = 0x2000;
    space.words[at + 0x80] = 0x00020010; // PCI Express endpoint
    space.words[at + 0x84] = 1u << 28;
    space.words[at + 0x10] = 0xfeb00004; // 64 bits
    space.words[at + 0x18] = 0x0000c001; // ports
    space.words[at + 0x1c] = 0xfea00000;
    space.bar_bytes[at + 0x10] = 0x4000;
    space.bar_bytes[at + 0x1c] = 0x1000;
    const auto before = space.words;
    ASSERT_TRUE(run());
    for (const auto& [where, value] : before)
        EXPECT_EQ(space.words.at(where), value) << std::hex << where;
    EXPECT_TRUE(space.written_while_decoding.empty());
    ASSERT_EQ(found.size(), 1u);
    const pci::Function& function = found[0];
    EXPECT_EQ(function.requester, 0x18);
    EXPECT_EQ(function.vendor, 0x1b36);
    EXPECT_EQ(function.device, 0x0010);
    EXPECT_EQ(function.class_code, 0x010802u);
    EXPECT_EQ(function.kind, pci::Kind::endpoint);
    EXPECT_EQ(function.reset, pci::Reset::express);
    EXPECT_EQ(function.vectors, 8);
    EXPECT_EQ(function.msix_table, 0x2000u);
    EXPECT_EQ(function.bars[0].base, 0xfeb00000u);
    EXPECT_EQ(function.bars[0].bytes, 0x4000u);
    EXPECT_EQ(function.bars[1].bytes, 0u) << "the upper half";
    EXPECT_EQ(function.bars[2].bytes, 0u) << "a BAR of ports is not listed";
    EXPECT_EQ(function.bars[3].bytes, 0x1000u);
    EXPECT_EQ(space.words.at(at + 4) & 0xffff, 7u);
}

TEST_F(Scan, ABarOfEightGigabytes) {
    const std::uint32_t at = add(0x18, 0x00101b36);
    space.words[at + 0x10] = 0xc;
    space.words[at + 0x14] = 0x40;
    space.bar_bytes[at + 0x10] = std::uint64_t{8} << 30;
    ASSERT_TRUE(run());
    EXPECT_EQ(found[0].bars[0].base, std::uint64_t{0x40} << 32);
    EXPECT_EQ(found[0].bars[0].bytes, std::uint64_t{8} << 30);
}

TEST_F(Scan, PortsAndBridges) {
    const std::uint32_t port = add(0x08, 0x000c1b36), bridge = add(0x10, 0x000e1b36),
                        loop = add(0x20, 0x12341234);
    for (const std::uint32_t at : {port, bridge}) {
        space.words[at + 0xc] = 0x010000;
        space.words[at + 0x18] = 0x00030201;
    }
    space.words[port + 0x34] = 0x40;
    space.words[port + 0x40] = 0x00420010; // root port
    space.words[port + 0x100] = 0x14810001;
    space.words[port + 0x148] = 0x0001000d;
    space.words[port + 0x14c] = 0x1f;
    space.words[loop + 0x34] = 0x40;
    space.words[loop + 0x40] = 0x4005; // a list that ends in itself
    ASSERT_TRUE(run());
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].kind, pci::Kind::port);
    EXPECT_EQ(found[0].secondary, 2);
    EXPECT_EQ(found[0].subordinate, 3);
    EXPECT_EQ(found[0].access_control, 0x148);
    EXPECT_EQ(found[1].kind, pci::Kind::bridge);
    EXPECT_EQ(found[1].access_control, 0);
    EXPECT_EQ(found[2].reset, pci::Reset::none);
    drivers::PciScan{ecam}.send_upwards(0x08, 0x148);
    EXPECT_EQ(space.words.at(port + 0x14c), 0x1f | 0x1du << 16);
}

TEST_F(Scan, OneThatCannotRedirectIsNoBarrier) {
    const std::uint32_t port = add(0x08, 0x000c1b36);
    space.words[port + 0xc] = 0x010000;
    space.words[port + 0x100] = 0x0001000d;
    space.words[port + 0x104] = 0x11; // no redirection
    ASSERT_TRUE(run());
    EXPECT_EQ(found[0].access_control, 0);
}

TEST_F(Scan, SaysWhenThereAreTooMany) {
    for (pci::Requester i = 0; i < 9; ++i)
        add(static_cast<pci::Requester>(i << 3), 0x12341234);
    EXPECT_FALSE(run());
}

// A function that is reset, forgets its BARs and is put back.
TEST(OwnedFunction, OneLife) {
    Space space;
    space.words[0] = 0x00101b36;
    space.words[4] = 0x00100006;
    space.words[0xc] = 8;
    space.words[0x10] = 0xfeb00000;
    space.words[0x80] = 0x00020010;
    space.words[0x88] = 0x2810;
    pci::Function function;
    function.vendor = 0x1b36;
    function.device = 0x0010;
    function.express = 0x80;
    function.msix = 0x40;
    function.reset = pci::Reset::express;
    constexpr std::uint64_t config = 0xb0000000;
    const Memory memory{&space, config};
    auto kept = drivers::keep(Ecam{&space}, config, function);
    const drivers::OwnedFunction owned{Ecam{&space}, kept};
    owned.quiet();
    EXPECT_EQ(space.words[4] & 0xffff, 0x402u) << "no bus master";
    EXPECT_FALSE(owned.is_busy());
    space.words[0x88] |= 1u << 21;
    EXPECT_TRUE(owned.is_busy());
    owned.start_reset(memory);
    EXPECT_EQ(space.words[0x88], 0xa810u);
    space.words[0x88] = 0x2810;
    space.words[0] = 0xffffffff;
    EXPECT_FALSE(owned.answers(memory));
    space.words[0] = 0x00101b36;
    EXPECT_TRUE(owned.answers(memory));
    space.words[0x10] = 0;
    space.words[0x88] = 0x2000;
    EXPECT_TRUE(owned.put_back());
    EXPECT_EQ(space.words[0x10], 0xfeb00000u);
    EXPECT_EQ(space.words[0x88], 0x2810u);
    EXPECT_EQ(space.words[4] & 0xffff, 0x400u);
    owned.switch_on();
    EXPECT_EQ(space.words[4] & 0xffff, 0x406u);
    EXPECT_EQ(space.words[0x40], 1u << 31);
    space.bar_bytes[0x10] = 0x100000; // answers, but no longer as boot found it
    space.words[0x10] = 0;
    kept.header[1] = 0xfeb01000;
    EXPECT_FALSE(owned.put_back());
}

// What has no function level reset has a register of its own, in a BAR.
TEST(OwnedFunction, ResetByTheDevicesOwnRegister) {
    Space space;
    constexpr std::uint64_t bar = 0xfeb00000;
    const Memory memory{&space, bar};
    space.words[0] = 0x10d38086;
    pci::Function function;
    function.bars[0] = {bar, 0x20000};
    function.reset = pci::Reset::e1000;
    const auto e1000 = drivers::keep(Ecam{&space}, 0, function);
    const drivers::OwnedFunction card{Ecam{&space}, e1000};
    card.start_reset(Memory{&space, bar - 0x100}); // CTRL, clear of the configuration space
    EXPECT_EQ(space.words[0x100], 1u << 26);
    EXPECT_FALSE(card.answers(Memory{&space, bar - 0x100}));
    space.words[0x100] = 0;
    EXPECT_TRUE(card.answers(Memory{&space, bar - 0x100}));

    function.reset = pci::Reset::virtio;
    function.bars[4] = {bar, 0x4000};
    function.virtio_common = 0x1000 | 4;
    const auto virtio = drivers::keep(Ecam{&space}, 0, function);
    const drivers::OwnedFunction net{Ecam{&space}, virtio};
    space.words[0x1014] = 0xf; // device_status
    EXPECT_FALSE(net.answers(memory));
    net.start_reset(memory);
    EXPECT_EQ(space.words[0x1014], 0u);
    EXPECT_TRUE(net.answers(memory));
}

TEST_F(Scan, AVirtioDevicesStructures) {
    const std::uint32_t at = add(0x18, 0x10411af4);
    space.words[at + 0x34] = 0x40;
    space.words[at + 0x40] = 0x01105009; // common, at 1000 of BAR 4
    space.words[at + 0x44] = 4;
    space.words[at + 0x48] = 0x1000;
    space.words[at + 0x50] = 0x02146009; // notifications, with their multiplier
    space.words[at + 0x54] = 4;
    space.words[at + 0x58] = 0x3000;
    space.words[at + 0x60] = 4;
    space.words[at + 0x64] = 0x04100009; // misplaced: no capability
    space.words[at + 0x20] = 0xfeb00000;
    space.bar_bytes[at + 0x20] = 0x4000;
    ASSERT_TRUE(run());
    pci::Function function = found[0];
    EXPECT_EQ(function.virtio_common, 0x1004u);
    EXPECT_EQ(function.virtio_notify, 0x3004u);
    EXPECT_EQ(function.virtio_multiplier, 4u);
    EXPECT_EQ(function.address_of(function.virtio_common), 0xfeb01000u);
    EXPECT_EQ(function.reset, pci::Reset::none) << "its registers have not said so yet";

    const auto settled = [&function](std::uint32_t features) {
        Space common;
        common.words[4] = features;
        pci::Function copy = function;
        drivers::settle_virtio(copy, [&common](std::uint64_t) { return std::optional{Ecam{&common}}; });
        return copy.reset;
    };
    EXPECT_EQ(settled(3), pci::Reset::virtio);
    EXPECT_EQ(settled(1), pci::Reset::none) << "past the IOMMU";
    EXPECT_EQ(settled(2), pci::Reset::none) << "of before version 1";
    function.bars[4].bytes = 0x1020;
    EXPECT_EQ(settled(3), pci::Reset::none) << "beyond its BAR";
    function.bars[4] = {0, 0x4000};
    EXPECT_EQ(settled(3), pci::Reset::none) << "unmapped";
}

TEST_F(Scan, An82574ResetsItself) {
    add(0x18, 0x10d38086);
    ASSERT_TRUE(run());
    EXPECT_EQ(found[0].reset, pci::Reset::e1000);
}

} // namespace
