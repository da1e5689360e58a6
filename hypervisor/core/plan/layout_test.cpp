// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/fixture_test.hpp"
#include "hypervisor/core/plan/guest_layout.hpp"
#include "hypervisor/core/plan/plan.hpp"

#include <functional>

namespace {

using namespace plan;
using namespace plan::test;

TEST(GuestLayout, RamAndRoot) {
    const auto small = guest_regions(16 * mebibyte, 4096);
    ASSERT_EQ(small.size(), 2u);
    EXPECT_EQ(small[0].gpa, 0u);
    EXPECT_EQ(small[0].bytes, 16 * mebibyte);
    EXPECT_EQ(small[1].gpa, 3 * gibibyte);
    const auto large = guest_regions(8 * gibibyte, gibibyte);
    ASSERT_EQ(large.size(), 3u);
    EXPECT_EQ(large[0].bytes, 3 * gibibyte);
    EXPECT_EQ(large[1].gpa, 4 * gibibyte);
    EXPECT_EQ(large[1].bytes, 5 * gibibyte);
    EXPECT_EQ(large[2].gpa, 256 * gibibyte);
    EXPECT_EQ(guest_regions(mebibyte, 0).size(), 1u);
    EXPECT_EQ(module_gpa(16 * mebibyte, 5000), 16 * mebibyte - 8192);
    EXPECT_EQ(module_gpa(8 * gibibyte, 1), 3 * gibibyte - 4096);
}

TEST(Layout, RoundTrip) {
    Wish wish{3};
    const std::vector<std::byte> startup(21, std::byte{7});
    wish.partitions[1].command_line = "quiet";
    wish.partitions[1].startup = startup;
    wish.partitions[1].restart = Restart::on_failure;
    wish.partitions[1].restart_max = 5;
    wish.partitions[2].cpu_set = 0b1010;
    wish.partitions[2].cpus = 0;
    wish.partitions[2].console_serial = false;
    wish.request.machine_cpus = 8;
    wish.request.on_all_stopped = AllStopped::halt;
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    ASSERT_TRUE(read.ok()) << describe(read.error().error);
    EXPECT_EQ(read->name(), "test");
    EXPECT_EQ(read->partition_count(), 3u);
    EXPECT_EQ(read->on_all_stopped(), AllStopped::halt);
    EXPECT_EQ(read->partition_name(1), "p1");
    EXPECT_EQ(read->command_line(0), "");
    EXPECT_EQ(read->command_line(1), "quiet");
    EXPECT_EQ(read->startup(1).size(), 21u);
    EXPECT_EQ(read->startup(1)[20], std::byte{7});
    EXPECT_EQ(read->partition(1).restart_max, 5u);
    EXPECT_EQ(read->partition(2).cpu_count, 2u);
    EXPECT_EQ(read->partition(2).flags, 0u);
    EXPECT_EQ(read->partition(0).flags, flag_console_serial);
    EXPECT_EQ(read->cpus_needed(), 4u);
    EXPECT_EQ(read->root_bytes(0), 3 * mebibyte);
}

TEST(Layout, SaysWhatIsWrong) {
    struct Case {
        const char* name;
        Error error;
        std::uint32_t partition;
        std::function<void(Wish&)> change;
    };
    static const std::string long_text(1025, 'x');
    static const std::vector<std::byte> long_startup(49'153);
    const std::vector<Case> cases{
        {"none", Error::no_partitions, no_index, [](Wish& w) { w.partitions.clear(); }},
        {"many", Error::too_many_partitions, no_index,
         [](Wish& w) { w.partitions.resize(65, w.partitions[0]); }},
        {"appliance", Error::bad_name, no_index, [](Wish& w) { w.request.name = "Test"; }},
        {"hv", Error::bad_name, 1, [](Wish& w) { w.partitions[1].name = "hv"; }},
        {"long name", Error::bad_name, 1,
         [](Wish& w) { w.partitions[1].name = std::string_view{long_text}.substr(0, 32); }},
        {"empty name", Error::bad_name, 1, [](Wish& w) { w.partitions[1].name = ""; }},
        {"same", Error::duplicate_name, 1, [](Wish& w) { w.partitions[1].name = "p0"; }},
        {"no cpu", Error::no_cpus, 2, [](Wish& w) { w.partitions[2].cpus = 0; }},
        {"differs", Error::cpu_count_differs, 2, [](Wish& w) { w.partitions[2].cpu_set = 6; }},
        {"rank", Error::cpu_not_there, 0,
         [](Wish& w) { w.request.machine_cpus = 4, w.partitions[0].cpu_set = 16; }},
        {"many cpus", Error::too_many_cpus, no_index, [](Wish& w) { w.request.machine_cpus = 2; }},
        {"all cpus", Error::too_many_cpus, no_index, [](Wish& w) { w.partitions[1].cpus = 63; }},
        {"odd memory", Error::memory_misaligned, 0, [](Wish& w) { w.partitions[0].memory_bytes += 100; }},
        {"small", Error::memory_too_small, 0, [](Wish& w) { w.partitions[0].memory_bytes = mebibyte; }},
        {"zero", Error::memory_too_small, 0, [](Wish& w) { w.partitions[0].memory_bytes = 0; }},
        {"huge", Error::memory_too_large, 0, [](Wish& w) { w.partitions[0].memory_bytes = 129 * gibibyte; }},
        {"machine", Error::machine_memory_too_small, no_index,
         [](Wish& w) { w.request.machine_memory = 191 * mebibyte; }},
        {"boot area", Error::kernel_in_boot_area, 0,
         [](Wish& w) { w.partitions[0].kernel_lowest = 0xFFFFF; }},
        {"high kernel", Error::kernel_too_high, 0,
         [](Wish& w) { w.partitions[0].kernel_end = 3 * gibibyte + 1; }},
        {"no kernel", Error::bad_value, 0, [](Wish& w) { w.partitions[0].kernel_section = no_section; }},
        {"no root", Error::root_missing, 0,
         [](Wish& w) { w.partitions[0].root_section = no_section, w.partitions[0].root_bytes = 0; }},
        {"root size", Error::root_misaligned, 0, [](Wish& w) { w.partitions[0].root_bytes = 100; }},
        {"root large", Error::root_too_large, 0, [](Wish& w) { w.partitions[0].root_bytes = 4 * gibibyte; }},
        {"module", Error::bad_value, 0, [](Wish& w) { w.partitions[0].module_bytes = 5; }},
        {"command line", Error::command_line_too_long, 0,
         [](Wish& w) { w.partitions[0].command_line = long_text; }},
        {"nul", Error::bad_text, 0,
         [](Wish& w) {
             w.partitions[0].command_line = std::string_view{"a\0b", 3};
         }},
        {"startup", Error::startup_too_long, 0, [](Wish& w) { w.partitions[0].startup = long_startup; }},
    };
    for (const Case& item : cases) {
        Wish wish{3};
        item.change(wish);
        std::vector<std::byte> table;
        const auto size = wish.layout_into(table);
        ASSERT_FALSE(size.ok()) << item.name;
        EXPECT_EQ(size.error().error, item.error) << item.name << ": " << describe(size.error().error);
        EXPECT_EQ(size.error().partition, item.partition) << item.name;
    }
}

TEST(Layout, NumbersForPeople) {
    Wish wish{3};
    wish.partitions[0].cpus = wish.partitions[2].cpus = 0;
    wish.partitions[0].cpu_set = 0b1100;
    wish.partitions[2].cpu_set = 0b1000;
    std::vector<std::byte> table;
    const auto overlap = wish.layout_into(table);
    ASSERT_FALSE(overlap.ok());
    EXPECT_EQ(overlap.error().error, Error::cpus_overlap);
    EXPECT_EQ(overlap.error().partition, 2u);
    EXPECT_EQ(overlap.error().other, 0u);
    EXPECT_EQ(overlap.error().needed, 3u);

    Wish small{1, mebibyte};
    const auto memory = small.layout_into(table);
    ASSERT_FALSE(memory.ok());
    EXPECT_EQ(memory.error().needed, smallest_memory(PayloadKind::unikernel, mebibyte + 300 * 1024, 0));
    EXPECT_EQ(memory.error().available, mebibyte);
    small.partitions[0].memory_bytes = memory.error().needed;
    EXPECT_TRUE(small.layout_into(table).ok());

    small.request.partitions = small.partitions;
    std::vector<std::byte> tight(table_size(small.request) - 1);
    EXPECT_EQ(layout(small.request, tight).error().error, Error::table_full);
}

TEST(Plan, EveryByteMatters) {
    // A change of any bit is refused or read back as another valid value; it never goes unnoticed in reserved
    // space.
    Wish wish{2};
    wish.partitions[0].command_line = "abc";
    auto table = wish.table();
    const std::size_t texts = sizeof(Header) + 2 * sizeof(Partition);
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < table.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            table[i] ^= static_cast<std::byte>(1u << bit);
            const auto read = Plan::parse(table);
            // Header: on_all_stopped, machine's CPUs and memory, name. Record: all up to the CPU set, the
            // root image's size, the section indices. Else only the command line's own text.
            const auto within = [](std::size_t at, std::size_t from, std::size_t to) {
                return at >= from && at < to;
            };
            const bool header = within(i, 20, 28) || within(i, 32, 72);
            const std::size_t at =
                i < sizeof(Header) || i >= texts ? ~std::size_t{0} : (i - sizeof(Header)) % sizeof(Partition);
            const bool field = within(at, 0, 64) || within(at, 104, 112) || within(at, 216, 228);
            const bool text = within(i, texts, texts + 3);
            if (read.ok()) {
                ++accepted;
                EXPECT_TRUE(header || field || text) << "byte " << i << " bit " << bit;
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
    const std::vector<Case> cases{
        {"magic", Error::bad_magic, 0, 1},
        {"format", Error::unsupported_format, 4, 2},
        {"size", Error::bad_size, 8, 8},
        {"count 0", Error::no_partitions, 12, 0},
        {"count 65", Error::too_many_partitions, 12, 65},
        {"count 3", Error::too_short, 12, 64},
        {"entsize", Error::unsupported_format, 16, 280},
        {"end", Error::bad_value, 20, 3},
        {"flags", Error::reserved_not_zero, 28, 1},
        {"name", Error::bad_name, 40, 0x41414141},
        {"reserved", Error::reserved_not_zero, 124, 1},
        {"duplicate", Error::duplicate_name, second, 0x3070},
        {"partition name", Error::bad_name, first, 0},
        {"payload", Error::bad_value, first + offsetof(Partition, payload), 2},
        {"flag", Error::bad_value, first + offsetof(Partition, flags), 2},
        {"cpus", Error::bad_value, first + offsetof(Partition, cpu_count), 0},
        {"many cpus", Error::too_many_cpus, first + offsetof(Partition, cpu_count), 64},
        {"set", Error::bad_value, first + offsetof(Partition, cpu_set), 3},
        {"restart", Error::bad_value, first + offsetof(Partition, restart), 3},
        {"restart max", Error::bad_value, first + offsetof(Partition, restart_max), 1},
        {"regions", Error::bad_regions, first + offsetof(Partition, region_count), 7},
        {"region", Error::bad_regions, first + offsetof(Partition, regions), 4096},
        {"region kind", Error::bad_regions, first + offsetof(Partition, regions) + 16, 2},
        {"memory", Error::bad_regions, first + offsetof(Partition, memory_bytes), 128u << 20},
        {"no memory", Error::bad_value, first + offsetof(Partition, memory_bytes), 0},
        {"kernel", Error::bad_value, first + offsetof(Partition, kernel_section), no_section},
        {"root", Error::bad_value, first + offsetof(Partition, root_section), no_section},
        {"text offset", Error::bad_text, first + offsetof(Partition, command_line_offset), 8},
        {"text bytes", Error::bad_text, first + offsetof(Partition, command_line_bytes), 9},
        {"long text", Error::bad_text, first + offsetof(Partition, command_line_bytes), 0xFFFFFFFF},
        {"text away", Error::bad_text, first + offsetof(Partition, command_line_bytes), 0},
        {"startup", Error::bad_text, first + offsetof(Partition, startup_bytes), 1},
        {"reserved0", Error::reserved_not_zero, first + offsetof(Partition, reserved0), 1},
        {"tail", Error::bad_text, second + sizeof(Partition) + 4, 1},
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
