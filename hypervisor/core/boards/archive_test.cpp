// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/boards/boards_test.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Boards, ReadsADump) {
    const boards::Processor read = boards::read_processor(
        {"x", "cpu 0 package 0 core 0 thread 0\n00000004 01 1 2 3 4\ncpu 1\n00000001 00 a b c ffffffff\n"});
    ASSERT_EQ(read.cpus.size(), 2u);
    EXPECT_EQ(read.cpus[0].place, (boards::LogicalCpu::Place{0, 0, 0}));
    EXPECT_EQ(read.cpus[0].leaf(4, 1).ecx, 3u);
    EXPECT_EQ(read.cpus[0].leaf(4, 0).ecx, 0u);
    EXPECT_FALSE(read.cpus[1].place);
    EXPECT_EQ(read.cpus[1].leaf(1, 7).edx, 0xffffffffu); // a leaf that has no subleaves
    EXPECT_THROW((void)boards::read_processor({"x", "cpu 0\n1 2 3\n"}), std::runtime_error);
}

TEST(Boards, EveryProcessorIsRead) {
    CAISSON_SKIP_WITHOUT_BOARDS("cpuid.tar.xz");
    const auto all = boards::processors();
    EXPECT_EQ(all.size(), 337u);
    std::size_t most = 0;
    for (const boards::Processor& one : all) {
        ASSERT_FALSE(one.cpus.empty()) << one.name;
        for (const boards::LogicalCpu& cpu : one.cpus)
            EXPECT_NE(cpu.leaf(0).ebx, 0u) << one.name;
        most = std::max(most, one.cpus.size());
    }
    EXPECT_EQ(most, 384u);
}

} // namespace
