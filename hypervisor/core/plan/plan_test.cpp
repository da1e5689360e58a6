// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/plan.hpp"

#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/fixture_test.hpp"

namespace {

using namespace plan;
using namespace plan::test;

TEST(Plan, EveryByteMatters) {
    // A change of any bit is refused or read back as another valid value; it never goes unnoticed in reserved
    // space.
    Wish wish{2};
    wish.partitions[0].command_line = "abc";
    auto table = wish.table();
    const std::size_t loads = sizeof(Header) + 2 * sizeof(Partition);
    const auto parsed = Plan::parse(table);
    const std::size_t data = loads + parsed->header().load_count * sizeof(Load);
    std::vector<bool> own(table.size(), false); // bytes that are loaded: nobody's but the guest's
    for (std::uint32_t i = 0; i < parsed->header().load_count; ++i)
        if (const Load load = parsed->load(i); load.section == no_section)
            std::fill_n(own.begin() + static_cast<std::ptrdiff_t>(load.offset), load.bytes, true);
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < table.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            table[i] ^= static_cast<std::byte>(1u << bit);
            const auto read = Plan::parse(table);
            // Header: on_all_stopped, machine's CPUs and memory, name, audit key, on_panic. Record: all up to the CPU set, the root image's
            // place and size, the root's section, the entry, the times. Load: where to, and for sections how much and from where.
            const auto within = [](std::size_t at, std::size_t from, std::size_t to) {
                return at >= from && at < to;
            };
            const bool header = within(i, 20, 28) || within(i, 32, 108);
            const std::size_t at =
                i < sizeof(Header) || i >= loads ? ~std::size_t{0} : (i - sizeof(Header)) % sizeof(Partition);
            const bool field =
                within(at, 0, 64) || within(at, 96, 112) || within(at, 144, 152) || within(at, 176, 184);
            const bool load = within(i, loads, data) && (i - loads) % sizeof(Load) < 28;
            if (read.ok()) {
                ++accepted;
                EXPECT_TRUE(header || field || load || own[i]) << "byte " << i << " bit " << bit;
            }
            table[i] ^= static_cast<std::byte>(1u << bit);
        }
    EXPECT_GT(accepted, 0u);
    EXPECT_TRUE(Plan::parse(table).ok());
    for (std::size_t size = 0; size < table.size(); ++size)
        EXPECT_FALSE(Plan::parse(std::span{table}.first(size)).ok()) << size;
    table.resize(table.size() + 8);
    EXPECT_FALSE(Plan::parse(table).ok());
    // Not even when the table says so: no byte is unaccounted for.
    ASSERT_TRUE(bytes::store(std::span{table}, offsetof(Header, total_size),
                             static_cast<std::uint32_t>(table.size())));
    EXPECT_EQ(Plan::parse(table).error().error, Error::bad_size);
}

TEST(Plan, Refusals) {
    struct Case {
        const char* name;
        Error error;
        std::size_t offset; // in the table
        std::uint32_t value;
    };
    constexpr std::size_t first = sizeof(Header);
    constexpr std::size_t second = first + sizeof(Partition);
    constexpr std::size_t loads = second + sizeof(Partition);
    const std::vector<Case> cases{
        {"magic", Error::bad_magic, 0, 1},
        {"format", Error::unsupported_format, 4, 1},
        {"size", Error::bad_size, 8, 8},
        {"count 0", Error::no_partitions, 12, 0},
        {"count 65", Error::too_many_partitions, 12, 65},
        {"count 3", Error::too_short, 12, 64},
        {"entsize", Error::unsupported_format, 16, 280},
        {"end", Error::bad_value, 20, 3},
        {"more loads", Error::too_short, 28, 1000},
        {"fewer loads", Error::bad_load, 28, 4},
        {"name", Error::bad_name, 40, 0x41414141},
        {"reserved", Error::reserved_not_zero, 124, 1},
        {"duplicate", Error::duplicate_name, second, 0x3070},
        {"partition name", Error::bad_name, first, 0},
        {"payload", Error::bad_value, first + offsetof(Partition, payload), 2},
        {"flag", Error::bad_value, first + offsetof(Partition, flags), 8},
        {"cpus", Error::bad_value, first + offsetof(Partition, cpu_count), 0},
        {"many cpus", Error::too_many_cpus, first + offsetof(Partition, cpu_count), 64},
        {"set", Error::bad_value, first + offsetof(Partition, cpu_set), 3},
        {"restart", Error::bad_value, first + offsetof(Partition, restart), 3},
        {"restart max", Error::bad_value, first + offsetof(Partition, restart_max), 1},
        {"regions", Error::bad_regions, first + offsetof(Partition, region_count), 7},
        {"region", Error::bad_regions, first + offsetof(Partition, regions), 4096},
        {"region gap", Error::bad_regions, first + offsetof(Partition, regions) + 24, 0x1000},
        {"second root", Error::bad_regions, first + offsetof(Partition, regions) + 16, 2},
        {"region reserved", Error::bad_regions, first + offsetof(Partition, regions) + 20, 1},
        {"no bytes", Error::bad_regions, first + offsetof(Partition, regions) + 32, 0},
        {"unused region", Error::bad_regions, first + offsetof(Partition, regions) + 48, 1},
        {"wide", Error::bad_regions, first + offsetof(Partition, regions) + 28, 0x100},
        {"memory", Error::bad_regions, first + offsetof(Partition, memory_bytes), 128u << 20},
        {"no memory", Error::bad_regions, first + offsetof(Partition, memory_bytes), 0},
        {"root", Error::bad_regions, first + offsetof(Partition, root_section), no_section},
        {"first load", Error::bad_load, first + offsetof(Partition, first_load), 1},
        {"loads", Error::bad_load, first + offsetof(Partition, load_count), 25},
        {"loads of others", Error::bad_load, second + offsetof(Partition, load_count), 20},
        {"load left over", Error::bad_size, second + offsetof(Partition, load_count), 3},
        {"reserved0", Error::reserved_not_zero, first + offsetof(Partition, reserved0), 1},
        {"reserved", Error::reserved_not_zero, first + offsetof(Partition, reserved), 1},
        {"load bytes", Error::bad_load, loads + 8, 0},
        {"load too long", Error::bad_load, loads + 8, 64u << 20},
        {"load outside", Error::bad_load, loads + 4, 1},
        {"load reserved", Error::bad_load, loads + 28, 1},
        {"load in the table", Error::bad_load, loads + 24, no_section},
        {"load elsewhere", Error::bad_load, loads + sizeof(Load) + 16, 8},
        {"load past the table", Error::bad_load, loads + sizeof(Load) + 8, 0x8000},
        {"load that leaves a tail", Error::bad_load, loads + sizeof(Load) + 8, 16},
    };
    for (const Case& item : cases) {
        Wish wish{2};
        wish.partitions[0].command_line = "abc";
        auto table = wish.table();
        ASSERT_TRUE(bytes::store(std::span{table}, item.offset, item.value));
        const auto read = Plan::parse(table);
        ASSERT_FALSE(read.ok()) << item.name;
        EXPECT_EQ(read.error().error, item.error) << item.name << ": " << describe(read.error().error);
    }
}

} // namespace
