// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/acpi/image_test.hpp"
#include "hypervisor/core/acpi/layout.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace {

using acpi::Remapping;
using acpi::RemappingKind;
using Table = std::vector<std::byte>;

acpi::testing::Image load(const std::string& machine) {
    std::ifstream file("corpus/acpi_tables_fuzz/" + machine + ".acpi", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_FALSE(text.empty()) << machine;
    return acpi::testing::Image{std::as_bytes(std::span{text})};
}
std::unique_ptr<acpi::Tables> parse(acpi::testing::Image& image) {
    auto tables = std::make_unique<acpi::Tables>();
    return acpi::parse(image.memory(), image.rsdp, *tables).ok() ? std::move(tables) : nullptr;
}

Table bytes(std::size_t before, std::initializer_list<int> rest) {
    Table table(before, std::byte{0});
    for (const int byte : rest)
        table.push_back(static_cast<std::byte>(byte));
    return table;
}
bool read(const char (&signature)[5], Table table, Remapping& out) {
    if (table.size() >= 4)
        std::memcpy(table.data(), signature, 4);
    return acpi::read_remapping(table, out).ok();
}
bool dmar(const Table& table, Remapping& out) {
    out = {};
    return read("DMAR", table, out);
}
bool ivrs(const Table& table, Remapping& out) {
    out = {};
    return read("IVRS", table, out);
}

TEST(Remapping, VtdOfQemu) {
    auto image = load("vtd");
    const auto tables = parse(image);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->remapping.kind, RemappingKind::vtd);
    ASSERT_EQ(tables->remapping.units.size(), 1u);
    EXPECT_EQ(tables->remapping.units[0], 0xfed90000u);
    ASSERT_EQ(tables->remapping.io_apics.size(), 1u);
    EXPECT_EQ(tables->remapping.io_apics[0].io_apic, tables->io_apics[0].id);
    EXPECT_EQ(tables->remapping.io_apics[0].requester, 0xff00u);
}

TEST(Remapping, AmdViOfQemuNamesOneUnitInTwoBlocks) {
    auto image = load("amdvi");
    const auto tables = parse(image);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->remapping.kind, RemappingKind::amdvi);
    ASSERT_EQ(tables->remapping.units.size(), 1u);
    EXPECT_EQ(tables->remapping.units[0], 0xfed80000u);
    ASSERT_EQ(tables->remapping.io_apics.size(), 1u);
    EXPECT_EQ(tables->remapping.io_apics[0].requester, 0xa0u);
}

TEST(Remapping, AnNmiThatIsBlockedHasNoRedirection) {
    constexpr std::uint64_t plain = std::uint64_t{3} << 56 | 4u << 8;
    Remapping r;
    EXPECT_EQ(acpi::nmi_redirection(r, 0, 7, 3), plain) << "no units";
    r.kind = RemappingKind::vtd;
    ASSERT_TRUE(r.units.push_back(0xfed90000) && r.units.push_back(0xfed91000));
    ASSERT_TRUE(r.io_apics.push_back({4, 0xff00}) && r.io_apics.push_back({7, 0xf0f8}));
    EXPECT_EQ(acpi::nmi_redirection(r, 2, 7, 3), std::uint64_t{1} << 49 | std::uint64_t{1} << 48)
        << "entry 1 of the table";
    EXPECT_EQ(acpi::nmi_redirection(r, 2, 4, 3), std::uint64_t{1} << 48);
    EXPECT_EQ(acpi::nmi_redirection(r, 2, 5, 3), std::nullopt) << "an I/O APIC that is in no scope";
    EXPECT_EQ(acpi::nmi_redirection(r, 1, 7, 3), std::nullopt) << "perhaps the unit that does not remap";
    EXPECT_EQ(acpi::nmi_redirection(r, 0, 5, 3), plain) << "units that leave interrupts alone";
    r.kind = RemappingKind::amdvi; // lets the NMIs of those that are listed pass as they are
    EXPECT_EQ(acpi::nmi_redirection(r, 0, 7, 3), plain);
    EXPECT_EQ(acpi::nmi_redirection(r, 0, 5, 3), std::nullopt);
    r.units.clear();
    EXPECT_EQ(acpi::nmi_redirection(r, 0, 5, 3), plain);
}

TEST(Remapping, NoTableMeansNone) {
    auto image = load("q35");
    const auto tables = parse(image);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->remapping.kind, RemappingKind::none);
}

TEST(Remapping, ADamagedTableIsAnErrorNotAMissingUnit) {
    auto image = load("vtd");
    for (auto& [address, block] : image.blocks)
        if (bytes::load<std::uint32_t>(block, 0) == acpi::signature("DMAR"))
            block[block.size() - 1] ^= std::byte{1};
    EXPECT_EQ(parse(image), nullptr);
    image.repair();
    EXPECT_NE(parse(image), nullptr);
}

TEST(Remapping, DmarStructures) {
    Remapping r;
    // RMRR, then two units, the second with an I/O APIC at 80:1f.7 and one behind a bridge.
    const Table good = bytes(48, {1, 0,  8,  0, 0, 0,    0,  0,                                  //
                                  0, 0,  16, 0, 0, 0,    0,  0, 0, 0,    0xd9, 0xfe, 0, 0, 0, 0, //
                                  0, 0,  34, 0, 1, 0,    0,  0, 0, 0x10, 0xd9, 0xfe, 0, 0, 0, 0, //
                                  3, 8,  0,  0, 9, 0x80, 31, 7,                                  //
                                  3, 10, 0,  0, 2, 0,    1,  0, 0, 0});
    ASSERT_TRUE(dmar(good, r));
    ASSERT_EQ(r.units.size(), 2u);
    EXPECT_EQ(r.units[0], 0xfed90000u);
    EXPECT_EQ(r.units[1], 0xfed91000u);
    ASSERT_EQ(r.io_apics.size(), 1u);
    EXPECT_EQ(r.io_apics[0].io_apic, 9);
    EXPECT_EQ(r.io_apics[0].requester, 0x80ff);
    for (std::size_t cut = 1; cut < good.size(); ++cut) {
        const bool whole = cut == 48 || cut == 56 || cut == 72; // between two structures
        EXPECT_EQ(dmar(Table(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)), r), whole)
            << cut;
    }
}

TEST(Remapping, FirmwaresMemoryAndOtherSegments) {
    Remapping r;
    std::vector<int> region{1, 0, 42,   0,    0,    0,    0, 0, 0, 0, 0,    0x40, 0, 0,
                            0, 0, 0xff, 0xff, 0xff, 0x40, 0, 0, 0, 0, 1,    8,    0, 0,
                            0, 0, 0x1a, 1,    1,    10,   0, 0, 0, 2, 0x1c, 0,    0, 0};
    const auto dmar_of = [&r](const std::vector<int>& all) {
        Table table(48);
        for (const int byte : all)
            table.push_back(static_cast<std::byte>(byte));
        return dmar(table, r);
    };
    ASSERT_TRUE(dmar_of(region));
    ASSERT_EQ(r.firmware_memory.size(), 2u);
    EXPECT_EQ(r.firmware_memory[0], 0x1a << 3 | 1);
    EXPECT_EQ(r.firmware_memory[1], acpi::behind_bridge);
    EXPECT_FALSE(r.unclear_firmware_memory);
    region[25] = 7; // a scope that ends nowhere
    ASSERT_TRUE(dmar_of(region));
    EXPECT_TRUE(r.unclear_firmware_memory) << "any function's";
    ASSERT_TRUE(dmar_of({0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0}));
    EXPECT_FALSE(r.has_other_segments);
    ASSERT_TRUE(dmar_of({0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0}));
    EXPECT_TRUE(r.has_other_segments);
}

TEST(Remapping, DmarRefused) {
    Remapping r;
    EXPECT_FALSE(dmar(bytes(48, {1, 0, 0, 0}), r)) << "length 0";
    EXPECT_FALSE(dmar(bytes(48, {1, 0, 3, 0}), r)) << "shorter than its head";
    EXPECT_FALSE(dmar(bytes(48, {0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0}), r)) << "no base";
    EXPECT_FALSE(dmar(bytes(48, {0, 0, 16, 0, 0, 0, 0, 0, 8, 0, 0xd9, 0xfe, 0, 0, 0, 0}), r)) << "off a page";
    EXPECT_FALSE(
        dmar(bytes(48, {0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0}), r))
        << "scope of length 0";
    Table many = bytes(48, {});
    for (int i = 0; i < 65; ++i)
        for (const int byte : {0, 0, 16, 0, 0, 0, 0, 0, 0, (i & 15) << 4, 0xd9, 0xfe, i >> 4, 0, 0, 0})
            many.push_back(static_cast<std::byte>(byte));
    EXPECT_FALSE(dmar(many, r)) << "more units than fit";
    many.resize(48 + 64 * 16);
    EXPECT_TRUE(dmar(many, r));
    EXPECT_FALSE(read("IVRS", bytes(48, {}), r)) << "both kinds";
    EXPECT_FALSE(read("DMAR", bytes(48, {}), r)) << "twice";
}

TEST(Remapping, UnitsAtAddressZeroAreSwitchedOff) {
    const std::vector<int> off{0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
        on{0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0};
    const auto units = [](std::initializer_list<std::vector<int>> list) {
        Table table = bytes(48, {});
        for (const auto& unit : list)
            for (const int byte : unit)
                table.push_back(static_cast<std::byte>(byte));
        std::memcpy(table.data(), "DMAR", 4);
        return table;
    };
    Remapping r;
    ASSERT_TRUE(acpi::read_remapping(units({off, off}), r).ok());
    EXPECT_TRUE(r.switched_off);
    EXPECT_TRUE(r.units.empty());
    for (const Table& table : {units({off, on}), units({on, off}), units({off, off, on})}) {
        r = {};
        EXPECT_EQ(acpi::read_remapping(table, r).error(), acpi::Error::half_remapped);
    }
    r = {};
    ASSERT_TRUE(acpi::read_remapping(units({on, on}), r).ok());
    EXPECT_FALSE(r.switched_off || r.x2apic_opt_out);
    Table asks = units({on});
    asks[37] = std::byte{2};
    r = {};
    ASSERT_TRUE(acpi::read_remapping(asks, r).ok());
    EXPECT_TRUE(r.x2apic_opt_out);
}

Table ivhd(int type, std::size_t head, std::initializer_list<int> entries) {
    Table block = bytes(head, entries);
    block[0] = static_cast<std::byte>(type);
    block[2] = static_cast<std::byte>(block.size());
    block[10] = std::byte{0xd8};
    block[11] = std::byte{0xfe};
    Table table = bytes(48, {});
    table.insert(table.end(), block.begin(), block.end());
    return table;
}

TEST(Remapping, IvrsStructures) {
    Remapping r;
    // A 4-byte entry, an 8-byte alias, a named device with 3 bytes of name, an HPET, an I/O APIC.
    ASSERT_TRUE(ivrs(
        ivhd(0x40, 40, {2,   0, 0, 0,                                                                   //
                        66,  0, 0, 0, 0, 0,    0, 0,                                                    //
                        240, 0, 0, 0, 0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, //
                        72,  0, 0, 0, 5, 0xa1, 0, 2,                                                    //
                        72,  0, 0, 0, 6, 0xa0, 0, 1}),
        r));
    ASSERT_EQ(r.units.size(), 1u);
    EXPECT_EQ(r.units[0], 0xfed80000u);
    ASSERT_EQ(r.io_apics.size(), 1u);
    EXPECT_EQ(r.io_apics[0].io_apic, 6);
    EXPECT_EQ(r.io_apics[0].requester, 0xa0);
    EXPECT_TRUE(ivrs(ivhd(0x20, 24, {99, 99}), r)) << "memory blocks are passed over";
    EXPECT_TRUE(r.units.empty());
}

TEST(Remapping, IvrsRefused) {
    Remapping r;
    EXPECT_FALSE(ivrs(ivhd(0x10, 23, {}), r)) << "shorter than a block";
    EXPECT_FALSE(ivrs(ivhd(0x11, 39, {}), r)) << "shorter than an extended block";
    EXPECT_TRUE(ivrs(ivhd(0x10, 24, {}), r));
    EXPECT_FALSE(ivrs(ivhd(0x10, 24, {72, 0, 0, 0}), r)) << "a cut entry";
    EXPECT_FALSE(ivrs(ivhd(0x10, 24, {240, 0, 0, 0}), r)) << "a cut named device";
    EXPECT_FALSE(ivrs(bytes(47, {}), r));
    Table off = ivhd(0x10, 24, {});
    off[48 + 9] = std::byte{0x10};
    EXPECT_FALSE(ivrs(off, r)) << "base off 16 KiB";
}

TEST(Remapping, AnIoApicWithTwoRequestersHasNoneThatIsKnown) {
    Remapping r;
    ASSERT_TRUE(ivrs(ivhd(0x10, 24, {72, 0, 0, 0, 6, 1, 0, 1, 72, 0, 0, 0, 7, 3, 0, 1, //
                                     72, 0, 0, 0, 6, 2, 0, 1, 72, 0, 0, 0, 7, 3, 0, 1}),
                     r));
    ASSERT_EQ(r.io_apics.size(), 1u);
    EXPECT_EQ(r.io_apics[0].io_apic, 7);
    EXPECT_EQ(acpi::nmi_redirection(r, 0, 6, 0), std::nullopt);
}

} // namespace
