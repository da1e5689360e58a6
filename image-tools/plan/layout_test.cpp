// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/fixture_test.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/plan/boot_area.hpp"
#include "image-tools/plan/guest_layout.hpp"
#include "partitions/abi/boot_page.h"

#include <cstring>
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
    wish.partitions[1].behaviour.restart = Restart::on_failure;
    wish.partitions[1].behaviour.restart_max = 5;
    wish.partitions[2].cpu_set = 0b1010;
    wish.partitions[2].cpus = 0;
    wish.partitions[2].behaviour.set(flag_console_serial, false);
    wish.request.machine_cpus = 8;
    wish.request.behaviour.on_all_stopped = AllStopped::halt;
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    ASSERT_TRUE(read.ok()) << describe(read.error().error);
    EXPECT_EQ(read->partition_count(), 3u);
    EXPECT_EQ(read->header().behaviour.on_all_stopped, AllStopped::halt);
    EXPECT_EQ(read->partition_name(1), "p1");
    // Kernel segment, ACPI tables, start info, boot page; and for the second its command line and startup record.
    EXPECT_EQ(read->partition(0).load_count, 4u);
    const Partition second = read->partition(1);
    ASSERT_EQ(second.load_count, 6u);
    EXPECT_EQ(second.entry, mebibyte + 16);
    const Load kernel = read->load(second.first_load);
    EXPECT_EQ(kernel.gpa, mebibyte);
    EXPECT_EQ(kernel.bytes, 200u * 1024);
    EXPECT_EQ(kernel.offset, 4096u);
    EXPECT_EQ(kernel.section, 2u);
    const Load text = read->load(second.first_load + 3);
    EXPECT_EQ(text.gpa, CAISSON_GPA_START_INFO + 4096);
    EXPECT_EQ(std::memcmp(table.data() + text.offset, "quiet", 5), 0);
    EXPECT_EQ(command_line_of(*read, 0), "");
    EXPECT_EQ(command_line_of(*read, 1), "quiet");
    const Load record = read->load(second.first_load + 5);
    EXPECT_EQ(record.gpa, CAISSON_GPA_STARTUP);
    EXPECT_EQ(record.bytes, 21u);
    EXPECT_EQ(table[record.offset + 20], std::byte{7});
    EXPECT_EQ(read->partition(1).behaviour.restart_max, 5u);
    EXPECT_EQ(read->partition(2).cpu_count, 2u);
    EXPECT_EQ(read->partition(2).behaviour.flags, 0u);
    EXPECT_EQ(read->partition(0).behaviour.flags, flag_console_serial);
    EXPECT_EQ(read->cpus_needed(), 4u);
    EXPECT_EQ(read->partition(0).regions[1].bytes, 3 * mebibyte);
}

TEST(Layout, SaysWhatIsWrong) {
    struct Case {
        const char* name;
        RequestError error;
        std::uint32_t partition;
        std::function<void(Wish&)> change;
    };
    static const std::string long_text(1025, 'x');
    static const std::vector<std::byte> long_startup(49'153);
    const std::vector<Case> cases{
        {"none", RequestError::no_partitions, no_index, [](Wish& w) { w.partitions.clear(); }},
        {"services alone", RequestError::no_partitions, no_index,
         [](Wish& w) {
             for (PartitionRequest& one : w.partitions)
                 one.behaviour.set(flag_service, true);
         }},
        {"many", RequestError::too_many_partitions, no_index,
         [](Wish& w) { w.partitions.resize(65, w.partitions[0]); }},
        {"appliance", RequestError::bad_name, no_index, [](Wish& w) { w.request.name = "Test"; }},
        {"hv", RequestError::bad_name, 1, [](Wish& w) { w.partitions[1].name = "hv"; }},
        {"long name", RequestError::bad_name, 1,
         [](Wish& w) { w.partitions[1].name = std::string_view{long_text}.substr(0, 32); }},
        {"empty name", RequestError::bad_name, 1, [](Wish& w) { w.partitions[1].name = ""; }},
        {"same", RequestError::duplicate_name, 1, [](Wish& w) { w.partitions[1].name = "p0"; }},
        {"no cpu", RequestError::no_cpus, 2, [](Wish& w) { w.partitions[2].cpus = 0; }},
        {"differs", RequestError::cpu_count_differs, 2, [](Wish& w) { w.partitions[2].cpu_set = 6; }},
        {"rank", RequestError::cpu_not_there, 0,
         [](Wish& w) { w.request.machine_cpus = 4, w.partitions[0].cpu_set = 16; }},
        {"many cpus", RequestError::too_many_cpus, no_index, [](Wish& w) { w.request.machine_cpus = 2; }},
        {"all cpus", RequestError::too_many_cpus, no_index, [](Wish& w) { w.partitions[1].cpus = 63; }},
        {"odd memory", RequestError::memory_misaligned, 0,
         [](Wish& w) { w.partitions[0].memory_bytes += 100; }},
        {"small", RequestError::memory_too_small, 0,
         [](Wish& w) { w.partitions[0].memory_bytes = mebibyte; }},
        {"zero", RequestError::memory_too_small, 0, [](Wish& w) { w.partitions[0].memory_bytes = 0; }},
        {"huge", RequestError::memory_too_large, 0,
         [](Wish& w) { w.partitions[0].memory_bytes = 129 * gibibyte; }},
        {"machine", RequestError::machine_memory_too_small, no_index,
         [](Wish& w) { w.request.machine_memory = 191 * mebibyte; }},
        {"boot area", RequestError::kernel_in_boot_area, 0,
         [](Wish& w) { w.partitions[0].kernel.lowest = 0xFFFFF; }},
        {"high kernel", RequestError::kernel_too_high, 0,
         [](Wish& w) { w.partitions[0].kernel.end = 3 * gibibyte + 1; }},
        {"no kernel", RequestError::bad_value, 0,
         [](Wish& w) { w.partitions[0].kernel_section = no_section; }},
        {"no root", RequestError::root_missing, 0,
         [](Wish& w) { w.partitions[0].root_section = no_section, w.partitions[0].root_bytes = 0; }},
        {"root size", RequestError::root_misaligned, 0, [](Wish& w) { w.partitions[0].root_bytes = 100; }},
        {"root large", RequestError::root_too_large, 0,
         [](Wish& w) { w.partitions[0].root_bytes = 4 * gibibyte; }},
        {"module", RequestError::bad_value, 0, [](Wish& w) { w.partitions[0].module_bytes = 5; }},
        {"command line", RequestError::command_line_too_long, 0,
         [](Wish& w) { w.partitions[0].command_line = long_text; }},
        {"nul", RequestError::bad_text, 0,
         [](Wish& w) {
             w.partitions[0].command_line = std::string_view{"a\0b", 3};
         }},
        {"startup", RequestError::startup_too_long, 0,
         [](Wish& w) { w.partitions[0].startup = long_startup; }},
    };
    for (const Case& item : cases) {
        Wish wish{3};
        item.change(wish);
        const auto table = wish.laid_out();
        ASSERT_FALSE(table.ok()) << item.name;
        EXPECT_EQ(table.error().error, item.error) << item.name << ": " << describe(table.error().error);
        EXPECT_EQ(table.error().partition, item.partition) << item.name;
    }
}

TEST(Layout, NumbersForPeople) {
    Wish wish{3};
    wish.partitions[0].cpus = wish.partitions[2].cpus = 0;
    wish.partitions[0].cpu_set = 0b1100;
    wish.partitions[2].cpu_set = 0b1000;
    const auto overlap = wish.laid_out();
    ASSERT_FALSE(overlap.ok());
    EXPECT_EQ(overlap.error().error, RequestError::cpus_overlap);
    EXPECT_EQ(overlap.error().partition, 2u);
    EXPECT_EQ(overlap.error().other, 0u);
    EXPECT_EQ(overlap.error().needed, 3u);

    Wish small{1, mebibyte};
    const auto memory = small.laid_out();
    ASSERT_FALSE(memory.ok());
    EXPECT_EQ(memory.error().needed, smallest_memory(PayloadKind::unikernel, mebibyte + 300 * 1024, 0));
    EXPECT_EQ(memory.error().available, mebibyte);
    small.partitions[0].memory_bytes = memory.error().needed;
    EXPECT_TRUE(small.laid_out().ok());

    Wish many{1};
    for (unsigned i = 1; i < elf::max_segments; ++i)
        (void)many.partitions[0].kernel.segments.push_back({i * 4096u, 100, mebibyte * (1 + i), 100});
    many.partitions[0].kernel.end = 17 * mebibyte;
    const auto sixteen = many.laid_out();
    ASSERT_TRUE(sixteen.ok());
    EXPECT_EQ(Plan::parse(*sixteen)->partition(0).load_count, 19u);
}

} // namespace
