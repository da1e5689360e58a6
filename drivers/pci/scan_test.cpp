// SPDX-License-Identifier: Apache-2.0
// drivers/pci/scan_test.cpp - configuration spaces made up by us, whose BARs answer as hardware does.
#include "drivers/pci/function.hpp"
#include "drivers/pci/scan.hpp"

#include <gtest/gtest.h>

#include <map>
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
    const drivers::OwnedFunction owned{Ecam{&space}, function};
    const auto kept = owned.keep();
    owned.quiet();
    EXPECT_EQ(space.words[4] & 0xffff, 0x402u) << "no bus master";
    EXPECT_FALSE(owned.is_busy());
    space.words[0x88] |= 1u << 21;
    EXPECT_TRUE(owned.is_busy());
    owned.start_reset();
    EXPECT_EQ(space.words[0x88], 0xa810u);
    space.words[0] = 0xffffffff;
    EXPECT_FALSE(owned.answers());
    space.words[0] = 0x00101b36;
    EXPECT_TRUE(owned.answers());
    space.words[0x10] = 0;
    space.words[0x88] = 0x2000;
    EXPECT_TRUE(owned.put_back(kept));
    EXPECT_EQ(space.words[0x10], 0xfeb00000u);
    EXPECT_EQ(space.words[0x88], 0x2810u);
    EXPECT_EQ(space.words[4] & 0xffff, 0x400u);
    owned.switch_on();
    EXPECT_EQ(space.words[4] & 0xffff, 0x406u);
    EXPECT_EQ(space.words[0x40], 1u << 31);
    space.bar_bytes[0x10] = 0x100000; // answers, but no longer as boot found it
    space.words[0x10] = 0;
    const drivers::OwnedFunction<Ecam>::Kept other = [&] {
        auto wrong = kept;
        wrong.header[1] = 0xfeb01000;
        return wrong;
    }();
    EXPECT_FALSE(owned.put_back(other));
}

} // namespace
