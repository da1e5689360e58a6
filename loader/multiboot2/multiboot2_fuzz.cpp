// SPDX-License-Identifier: Apache-2.0
// Any boot information: an error or a record, never a read outside it.
#include "loader/handover/fake_memory_test.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const loader::FakeMemory memory{std::span{data, size}};
    loader::BootRecord first, second;
    (void)loader::read_multiboot2(memory.all(), loader::FakeMemory::start, first).ok();
    if (first.screen.base != 0 && !first.screen.makes_sense())
        __builtin_trap();
    (void)loader::read_pvh(memory.all(), loader::FakeMemory::start, second).ok();
    return 0;
}
