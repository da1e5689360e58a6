// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/card_fuzz_test.hpp - what the drivers' fuzz targets share: memory that says anything, at any time, and a kernel
// that calls the driver.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

namespace drivers::net::fuzz {

struct Input {
    const std::uint8_t* data;
    std::size_t size;
    std::uint64_t take(unsigned bytes) {
        std::uint64_t value = 0;
        for (; bytes > 0 && size > 0; --bytes, --size)
            value = value << 8 | *data++;
        return value;
    }
};

struct Memory {
    Input* input;
    std::vector<std::byte>* memory;
    [[nodiscard]] std::uint64_t address() const { return 0x1000; }
    [[nodiscard]] std::uint64_t load64(std::uint32_t at) const {
        if (std::uint64_t{at} + 8 > memory->size())
            std::abort();
        return input->take(8);
    }
    void store64(std::uint32_t at, std::uint64_t) const {
        if (std::uint64_t{at} + 8 > memory->size())
            std::abort();
    }
    [[nodiscard]] std::uint16_t load16(std::uint32_t at) const {
        if (std::uint64_t{at} + 2 > memory->size())
            std::abort();
        return static_cast<std::uint16_t>(input->take(2));
    }
    void store16(std::uint32_t at, std::uint16_t) const {
        if (std::uint64_t{at} + 2 > memory->size())
            std::abort();
    }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
        if (at > memory->size() || count > memory->size() - at)
            std::abort(); // I1
        return std::span{*memory}.subspan(at, count);
    }
};

// Registers of 32 bits that say mostly what lets a driver go on: `Usual` are bits that are set.
template <std::uint32_t Usual> struct Registers {
    Input* input;
    [[nodiscard]] std::uint32_t read32(std::uint32_t) const {
        const auto value = static_cast<std::uint32_t>(input->take(1));
        return value < 0xF0 ? Usual | value : static_cast<std::uint32_t>(input->take(4));
    }
    [[nodiscard]] std::uint64_t read64(std::uint32_t at) const { return read32(at); }
    void write32(std::uint32_t, std::uint32_t) const {}
    void write64(std::uint32_t, std::uint64_t) const {}
};

// A started driver until the input ends.
template <typename Driver> void drive(Driver& driver, Input& input) {
    std::array<std::byte, Driver::came_most> place{};
    while (input.size > 0) {
        const std::uint64_t what = input.take(1);
        if ((what & 3) == 0) {
            (void)driver.send(static_cast<std::uint32_t>(input.take(2)),
                              [](std::span<std::byte> to) { std::memset(to.data(), 1, to.size()); });
        } else if ((what & 3) == 1) {
            driver.tell_of_room(driver.has_room());
            (void)driver.listen(driver.has_link());
        } else {
            const auto most = static_cast<unsigned>(what >> 2);
            const unsigned looked = driver.receive(
                most,
                [&](std::uint32_t bytes) {
                    if (bytes < Driver::frame_least || bytes > place.size())
                        std::abort(); // I1
                    return std::span{place}.first(bytes);
                },
                [] {});
            if (looked > most)
                std::abort(); // I2
        }
    }
}

// A card that has those registers.
template <typename Driver> int drive_card(const std::uint8_t* data, std::size_t size) {
    static std::vector<std::byte> memory(Driver::memory_bytes);
    Input input{data, size};
    Driver driver{{&input}, {&input, &memory}};
    if (driver.start())
        drive(driver, input);
    return 0;
}

} // namespace drivers::net::fuzz
