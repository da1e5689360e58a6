// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/space_fixture.hpp - an address space over host_seam.hpp, for tests.
#pragma once

#include "partitions/unikernel/mm/host_seam.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace uk::mm::test {

using namespace uk;
using mm::AddressSpace;
using mm::Fault;
using mm::MapRequest;
inline constexpr std::uint64_t page = 4096, window = 0x10000000, window_pages = 48;
inline constexpr std::uint8_t none = 0, r = mm::protection::read, rw = r | mm::protection::write;

inline std::uint64_t at(std::uint64_t index) {
    return window + index * page;
}

struct SpaceTest : ::testing::Test {
    explicit SpaceTest(std::uint64_t frames = 4096) {
        mm::host::make_arena(frames);
        space = std::make_unique<AddressSpace>();
        EXPECT_TRUE(space->create().ok());
        space->mmap_top = 0x7fff00000000;
        space->activate();
    }
    Result<std::uint64_t> map(std::uint64_t index, std::uint64_t pages, std::uint8_t protection,
                              fs::Node* node = nullptr, bool shared = false, std::uint64_t file_page = 0) {
        MapRequest request;
        request.address = at(index);
        request.bytes = pages * page;
        request.protection = protection;
        request.fixed = true;
        request.node = node;
        request.shared = request.shared_writable = shared;
        request.offset = file_page * page;
        return space->map(request);
    }
    [[nodiscard]] int get(std::uint64_t address) const {
        std::uint8_t value = 0;
        const Fault fault = mm::host::read(*space, address, value);
        return fault == Fault::resolved ? value : -static_cast<int>(fault);
    }
    Fault put(std::uint64_t address, std::uint8_t value) const {
        return mm::host::write(*space, address, value);
    }
    std::unique_ptr<AddressSpace> space;
};

} // namespace uk::mm::test
