// SPDX-License-Identifier: Apache-2.0
#include "loader/handover/fake_memory_test.hpp"

#include <gtest/gtest.h>

namespace {

using loader::BootError;
using loader::BootRecord;
using loader::FakeMemory;

// A record as QEMU writes it: start info at 1000, module list at 1100, memory map at 1200, command line at
// 1300.
FakeMemory good() {
    FakeMemory memory{0x3000};
    memory.put<std::uint32_t>(0x1000, 0x336ec578);
    memory.put<std::uint32_t>(0x1004, 1);
    memory.put<std::uint32_t>(0x100c, 1);
    memory.put<std::uint64_t>(0x1010, 0x1100);
    memory.put<std::uint64_t>(0x1018, 0x1300);
    memory.put<std::uint64_t>(0x1020, 0xf5a90);
    memory.put<std::uint64_t>(0x1028, 0x1200);
    memory.put<std::uint32_t>(0x1030, 2);
    memory.put<std::uint64_t>(0x1100, 0x2000);
    memory.put<std::uint64_t>(0x1108, 0x800);
    memory.put<std::uint64_t>(0x1208, 0x9fc00);
    memory.put<std::uint32_t>(0x1210, 1);
    memory.put<std::uint64_t>(0x1218, 0x100000);
    memory.put<std::uint64_t>(0x1220, 0xff00000);
    memory.put<std::uint32_t>(0x1228, 1);
    memory.put(0x1300, "quiet");
    return memory;
}

BootError failure(const FakeMemory& memory) {
    BootRecord record;
    const auto status = loader::read_pvh(memory.all(), 0x1000, record);
    return status.ok() ? BootError::unknown_protocol : status.error();
}

TEST(Pvh, ReadsARecord) {
    BootRecord record;
    const FakeMemory memory = good();
    ASSERT_TRUE(loader::read_pvh(memory.all(), 0x1000, record).ok());
    ASSERT_EQ(record.memory.size(), 2u);
    EXPECT_EQ(record.memory[1].base, 0x100000u);
    EXPECT_EQ(record.memory[1].kind, memory::Kind::usable);
    EXPECT_EQ(record.module.base, 0x2000u);
    EXPECT_EQ(record.module.bytes, 0x800u);
    EXPECT_EQ(record.rsdp, 0xf5a90u);
}

TEST(Pvh, RefusesWhatIsDamaged) {
    auto memory = good();
    memory.put<std::uint32_t>(0x1000, 0);
    EXPECT_EQ(failure(memory), BootError::bad_structure);
    memory = good();
    memory.put<std::uint32_t>(0x1030, 0xffffffff);
    EXPECT_EQ(failure(memory), BootError::too_many_entries);
    memory = good();
    memory.put<std::uint32_t>(0x100c, 0);
    EXPECT_EQ(failure(memory), BootError::no_module);
    memory = good();
    memory.put<std::uint32_t>(0x100c, 2);
    EXPECT_EQ(failure(memory), BootError::too_many_modules);
    memory = good();
    memory.put<std::uint64_t>(0x1108, ~std::uint64_t{0});
    EXPECT_EQ(failure(memory), BootError::bad_module);
    memory = good();
    memory.put<std::uint64_t>(0x1028, 0x3fff);
    EXPECT_EQ(failure(memory), BootError::bad_structure);
}

} // namespace
