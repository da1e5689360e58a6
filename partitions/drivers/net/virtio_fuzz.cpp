// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/virtio_fuzz.cpp - a device whose registers and rings say anything, at any time.
#include "partitions/drivers/net/card_fuzz_test.hpp"
#include "partitions/drivers/net/virtio.hpp"

namespace {

using namespace drivers::net::fuzz;

struct Registers {
    Input* input;
    std::uint32_t bytes; // of the structure
    void inside(std::uint32_t at, std::uint32_t size) const {
        if (std::uint64_t{at} + size > bytes)
            std::abort(); // I1
    }
    // Mostly what lets it go on: features and status as they should be, no number that is too large.
    [[nodiscard]] std::uint8_t read8(std::uint32_t at) const {
        inside(at, 1);
        const auto value = static_cast<std::uint8_t>(input->take(1));
        return value < 0xF0 ? 0xF : value;
    }
    [[nodiscard]] std::uint16_t read16(std::uint32_t at) const {
        inside(at, 2);
        const auto value = static_cast<std::uint16_t>(input->take(1));
        if (value >= 0xF0)
            return static_cast<std::uint16_t>(input->take(2));
        return at == 0x18 ? 256 : at == 0x1A ? 0 : value;
    }
    [[nodiscard]] std::uint32_t read32(std::uint32_t at) const {
        inside(at, 4);
        const auto value = static_cast<std::uint32_t>(input->take(1));
        return value < 0xF0 ? 1u << 16 | 0x23 : value;
    }
    void write8(std::uint32_t at, std::uint8_t) const { inside(at, 1); }
    void write16(std::uint32_t at, std::uint16_t) const { inside(at, 2); }
    void write32(std::uint32_t at, std::uint32_t) const { inside(at, 4); }
};
using Driver = drivers::net::VirtioNet<Registers, Memory>;

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static std::vector<std::byte> memory(Driver::memory_bytes);
    Input input{data, size};
    const auto multiplier = static_cast<std::uint32_t>(input.take(4));
    Driver driver{{{&input, 56}, {&input, 0x1000}, {&input, 8}, 0x1000, multiplier}, {&input, &memory}};
    if (driver.start())
        drive(driver, input);
    return 0;
}
