// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/memory/frame_pool.hpp"
#include "hypervisor/core/memory/ledger.hpp"
#include "hypervisor/core/memory/map.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace memory;

constexpr std::uint64_t top = ~std::uint64_t{0};

std::vector<Range> normal(const std::vector<Range>& entries) {
    Map map;
    EXPECT_TRUE(normalize(entries, map).ok());
    return {map.begin(), map.end()};
}

void expect_map(const std::vector<Range>& entries, const std::vector<Range>& expected) {
    const auto found = normal(entries);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].base, expected[i].base) << i;
        EXPECT_EQ(found[i].bytes, expected[i].bytes) << i;
        EXPECT_EQ(found[i].kind, expected[i].kind) << i;
    }
}

TEST(Map, SortsJoinsAndLeavesHoles) {
    expect_map(
        {{0x5000, 0x1000, Kind::usable},
         {0x1000, 0x1000, Kind::usable},
         {0x2000, 0x1000, Kind::usable},
         {0x3000, 0x1000, Kind::reserved}},
        {{0x1000, 0x2000, Kind::usable}, {0x3000, 0x1000, Kind::reserved}, {0x5000, 0x1000, Kind::usable}});
}

TEST(Map, MostRestrictiveWins) {
    expect_map({{0, 0x10000, Kind::usable},
                {0x4000, 0x4000, Kind::reserved},
                {0x6000, 0x1000, Kind::acpi_nvs},
                {0x5000, 0x3000, Kind::acpi_reclaimable},
                {0xF000, 0x8000, Kind::firmware_runtime}},
               {{0, 0x4000, Kind::usable},
                {0x4000, 0x2000, Kind::reserved},
                {0x6000, 0x1000, Kind::acpi_nvs},
                {0x7000, 0x1000, Kind::reserved},
                {0x8000, 0x7000, Kind::usable},
                {0xF000, 0x8000, Kind::firmware_runtime}});
}

TEST(Map, RoundsToPages) {
    // The classic one: EBDA in the last, partial page below 640 KiB.
    expect_map(
        {{0, 0x9FC00, Kind::usable}, {0x9FC00, 0x400, Kind::reserved}, {0xF0001, 0x10, Kind::reserved}},
        {{0, 0x9F000, Kind::usable}, {0x9F000, 0x1000, Kind::reserved}, {0xF0000, 0x1000, Kind::reserved}});
    // Less than a page of usable memory is none.
    expect_map({{0x1001, 0x1FFE, Kind::usable}, {0x10000, 0x1000, Kind::usable}},
               {{0x10000, 0x1000, Kind::usable}});
}

TEST(Map, AbsurdEntries) {
    expect_map(
        {{0x1000, 0x1000, Kind::usable}, {top - 0xFFF, 0x2000, Kind::usable}, {0x8000, 0, Kind::unusable}},
        {{0x1000, 0x1000, Kind::usable}});
    expect_map({{0x1000, 0x2000, Kind::usable}, {0x2000, top, Kind::reserved}},
               {{0x1000, 0x1000, Kind::usable}, {0x2000, address_limit - 0x2000, Kind::reserved}});
    expect_map({{address_limit - 0x1000, top, Kind::usable}},
               {{address_limit - 0x1000, 0x1000, Kind::usable}});
}

TEST(Map, Refusals) {
    Map map;
    EXPECT_EQ(normalize({}, map).error(), Error::no_usable_memory);
    const std::vector<Range> covered{{0, 0x5000, Kind::usable}, {0, 0x5000, Kind::unusable}};
    EXPECT_EQ(normalize(covered, map).error(), Error::no_usable_memory);
    EXPECT_TRUE(map.empty());
    const std::vector<Range> many(max_firmware_entries + 1, {0, 0x1000, Kind::usable});
    EXPECT_EQ(normalize(many, map).error(), Error::too_many_entries);
    std::vector<Range> cut{{0, 0x10000000, Kind::usable}};
    for (std::uint64_t i = 0; i < max_firmware_entries - 1; ++i)
        cut.push_back({0x10000 * (i + 1), 0x1000, Kind::reserved});
    EXPECT_EQ(normalize(cut, map).error(), Error::too_many_ranges);
    EXPECT_TRUE(map.empty());
}

TEST(Map, Questions) {
    Map map;
    const std::vector<Range> entries{{0x1000, 0x4000, Kind::usable}, {0x5000, 0x1000, Kind::reserved}};
    ASSERT_TRUE(normalize(entries, map).ok());
    EXPECT_EQ(usable_bytes(map), 0x4000u);
    EXPECT_TRUE(is_usable(map, 0x1000, 0x4000));
    EXPECT_FALSE(is_usable(map, 0x1000, 0x4001));
    EXPECT_FALSE(is_usable(map, 0x5000, 1));
    EXPECT_FALSE(is_usable(map, 0, 1));
    EXPECT_FALSE(is_usable(map, 0x4000, top));
}

TEST(Kinds, OfFirmware) {
    EXPECT_EQ(kind_of_e820(1), Kind::usable);
    EXPECT_EQ(kind_of_e820(4), Kind::acpi_nvs);
    EXPECT_EQ(kind_of_e820(0), Kind::reserved);
    EXPECT_EQ(kind_of_e820(12345), Kind::reserved);
    EXPECT_EQ(kind_of_efi(7, 0xF), Kind::usable);
    EXPECT_EQ(kind_of_efi(4, 0xF), Kind::usable);
    EXPECT_EQ(kind_of_efi(7, 1), Kind::reserved) << "memory that cannot be cached";
    EXPECT_EQ(kind_of_efi(4, 0xF | std::uint64_t{1} << 63), Kind::firmware_runtime);
    EXPECT_EQ(kind_of_efi(6, 0xF), Kind::firmware_runtime);
    EXPECT_EQ(kind_of_efi(99, 0xF), Kind::reserved);
}

constexpr Owner hypervisor{Owner::Kind::hypervisor};

TEST(Ledger, OneOwnerAFrame) {
    Ledger ledger;
    EXPECT_TRUE(ledger.grant(0x10000, 0x4000, hypervisor).ok());
    EXPECT_TRUE(ledger.grant(0x20000, 0x1000, Owner::of_partition(1)).ok());
    EXPECT_EQ(ledger.grant(0xF000, 0x2000, hypervisor).error(), Error::overlap);
    EXPECT_EQ(ledger.grant(0x13000, 0x1000, hypervisor).error(), Error::overlap);
    EXPECT_EQ(ledger.grant(0x0, 0x100000, hypervisor).error(), Error::overlap);
    EXPECT_EQ(ledger.grant(0x30001, 0x1000, hypervisor).error(), Error::misaligned);
    EXPECT_EQ(ledger.grant(0x30000, 0, hypervisor).error(), Error::misaligned);
    EXPECT_EQ(ledger.grant(top - 0xFFF, 0x1000, hypervisor).error(), Error::misaligned);
    EXPECT_EQ(ledger.owner_of(0x13FFF), hypervisor);
    EXPECT_EQ(ledger.owner_of(0x20000), Owner::of_partition(1));
    EXPECT_FALSE(ledger.owner_of(0x14000));
    EXPECT_FALSE(ledger.owner_of(0xFFFF));
    EXPECT_TRUE(ledger.owns(Owner::of_partition(1), 0x20000, 0x1000));
    EXPECT_FALSE(ledger.owns(Owner::of_partition(2), 0x20000, 0x1000));
    EXPECT_FALSE(ledger.owns(Owner::of_partition(1), 0x20000, 0x1001));
    EXPECT_FALSE(ledger.owns(Owner::of_partition(1), 0x20000, top));
    EXPECT_EQ(ledger.bytes_of(hypervisor), 0x4000u);
}

TEST(Ledger, JoinsAndSeals) {
    Ledger ledger;
    EXPECT_TRUE(ledger.grant(0x1000, 0x1000, hypervisor).ok());
    EXPECT_TRUE(ledger.grant(0x3000, 0x1000, hypervisor).ok());
    EXPECT_TRUE(ledger.grant(0x4000, 0x1000, Owner::of_partition(0)).ok());
    EXPECT_TRUE(ledger.grant(0x2000, 0x1000, hypervisor).ok());
    EXPECT_EQ(ledger.grants().size(), 2u);
    EXPECT_TRUE(ledger.owns(hypervisor, 0x1000, 0x3000));
    ledger.seal();
    EXPECT_EQ(ledger.grant(0x9000, 0x1000, hypervisor).error(), Error::sealed);
}

TEST(Ledger, RestGoesAroundOwners) {
    Ledger ledger;
    ASSERT_TRUE(ledger.grant(0x3000, 0x1000, Owner::of_partition(0)).ok());
    ASSERT_TRUE(ledger.grant(0x5000, 0x3000, Owner::of_partition(1)).ok());
    ASSERT_TRUE(ledger.grant_rest(0x2800, 0x4000, hypervisor).ok());
    EXPECT_TRUE(ledger.owns(hypervisor, 0x2000, 0x1000));
    EXPECT_TRUE(ledger.owns(Owner::of_partition(0), 0x3000, 0x1000));
    EXPECT_TRUE(ledger.owns(hypervisor, 0x4000, 0x1000));
    EXPECT_TRUE(ledger.owns(Owner::of_partition(1), 0x5000, 0x3000));
    EXPECT_FALSE(ledger.owner_of(0x8000));
    EXPECT_FALSE(ledger.grant_rest(address_limit, 1, hypervisor).ok());
    EXPECT_FALSE(ledger.grant_rest(1, top, hypervisor).ok());
}

TEST(FreeRuns, AreUsableAndNobodys) {
    Map map;
    const std::vector<Range> entries{{0x1000, 0xF000, Kind::usable},
                                     {0x10000, 0x1000, Kind::reserved},
                                     {0x11000, 0x7000, Kind::usable},
                                     {0x100000, 0x100000, Kind::usable}};
    ASSERT_TRUE(normalize(entries, map).ok());
    Ledger ledger;
    ASSERT_TRUE(ledger.grant(0x4000, 0x2000, hypervisor).ok());
    ASSERT_TRUE(ledger.grant(0xF000, 0x4000, hypervisor).ok()); // over the hole and both its sides
    EXPECT_EQ(find_free(map, ledger, 0x3000, 0x1000)->base, 0x1000u);
    EXPECT_EQ(find_free(map, ledger, 0x4000, 0x1000)->base, 0x6000u);
    EXPECT_EQ(find_free(map, ledger, 0x4000, 0x8000)->base, 0x8000u);
    EXPECT_EQ(find_free(map, ledger, 0x5000, 0x1000, 0x7000)->base, 0x7000u);
    EXPECT_EQ(find_free(map, ledger, 0x5000, 0x1000, 0xB000)->base, 0x13000u);
    EXPECT_EQ(find_free(map, ledger, 0x6000, 0x1000, 0xB000)->base, 0x100000u);
    EXPECT_FALSE(find_free(map, ledger, 0x200000, 0x1000));
    EXPECT_FALSE(find_free(map, ledger, 0x1000, 0x1000, top - 10));
    EXPECT_EQ(find_longest(map, ledger, 0x1000)->bytes, 0x100000u);
    EXPECT_EQ(find_longest(map, ledger, 0x100000)->base, 0x100000u);
    EXPECT_FALSE(find_longest(map, ledger, 0x200000));
    EXPECT_EQ(free_bytes(map, ledger), 0x3000u + 0x9000 + 0x5000 + 0x100000);
}

TEST(FramePool, HandsOutEachFrameOnce) {
    FramePool pool;
    EXPECT_TRUE(pool.add({0x11000, 0x3000}).ok());
    EXPECT_TRUE(pool.add({0x20000, 0x8000}).ok());
    EXPECT_EQ(pool.add({0x30000, 0x10}).error(), Error::misaligned);
    EXPECT_EQ(pool.total_frames(), 11u);
    EXPECT_EQ(pool.take(2, 0x2000).value(), base::PhysAddr{0x12000});
    EXPECT_EQ(pool.take(4, 0x4000).value(), base::PhysAddr{0x20000});
    EXPECT_EQ(pool.take().value(), base::PhysAddr{0x11000});
    EXPECT_EQ(pool.take(2, 0x1000).value(), base::PhysAddr{0x24000});
    EXPECT_EQ(pool.take(1, 0x1000).value(), base::PhysAddr{0x26000});
    EXPECT_EQ(pool.free_frames(), 1u);
    EXPECT_EQ(pool.take(2).error(), Error::out_of_frames);
    EXPECT_EQ(pool.take(0).error(), Error::out_of_frames);
    EXPECT_EQ(pool.take(top).error(), Error::out_of_frames);
    EXPECT_EQ(pool.take().value(), base::PhysAddr{0x27000});
    EXPECT_EQ(pool.take().error(), Error::out_of_frames);
    pool.seal();
    EXPECT_EQ(pool.add({0x40000, 0x1000}).error(), Error::sealed);
    EXPECT_EQ(pool.take().error(), Error::sealed);
}

TEST(FramePool, ManyAlignedRequestsLoseNothingTwice) {
    FramePool pool;
    ASSERT_TRUE(pool.add({0x1000, 0x100000}).ok());
    std::vector<bool> taken(0x200);
    for (std::uint64_t i = 0;; ++i) {
        const std::uint64_t count = i % 5 + 1;
        const auto got = pool.take(count, i % 3 == 0 ? 0x4000 : 0x1000);
        if (!got.ok())
            break;
        for (std::uint64_t frame = 0; frame < count; ++frame) {
            const std::uint64_t index = got->value() / 0x1000 + frame;
            ASSERT_GE(index, 1u);
            ASSERT_LT(index, 0x101u);
            EXPECT_FALSE(taken[index]);
            taken[index] = true;
        }
    }
}

} // namespace
