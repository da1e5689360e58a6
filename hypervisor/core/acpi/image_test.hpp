// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/image_test.hpp - sparse physical memory from a dump, for tests and fuzzing only.
//
// Dump: u64 RSDP address, u32 block count, then blocks of u64 address, u32 length, bytes. The seeds in
// corpus/acpi_tables_fuzz were dumped from QEMU's q35, pc and microvm machines.
#pragma once

#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/bytes/cursor_test.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace acpi::testing {

class Image {
public:
    explicit Image(std::span<const std::byte> dump) {
        bytes::Reader reader{dump};
        rsdp = reader.read<std::uint64_t>().value_or(0);
        const std::uint32_t count = reader.read<std::uint32_t>().value_or(0);
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto address = reader.read<std::uint64_t>();
            const auto length = reader.read<std::uint32_t>();
            if (!address || !length || *length > reader.remaining())
                return;
            std::vector<std::byte> block(*length);
            for (std::byte& byte : block)
                byte = reader.read<std::byte>().value_or(std::byte{0});
            blocks[*address] = std::move(block);
        }
    }

    // Memory exists only where a block lies.
    std::span<const std::byte> operator()(std::uint64_t address, std::size_t length) const {
        ++reads;
        auto after = blocks.upper_bound(address);
        if (after == blocks.begin())
            return {};
        const auto& [start, block] = *--after;
        if (!bytes::lies_within(address - start, length, block.size()))
            return {};
        return std::span<const std::byte>{block}.subspan(address - start, length);
    }

    [[nodiscard]] bytes::Source memory() const { return {*this, UINT64_MAX}; }

    // Makes every checksum good again, as firmware that lies consistently would.
    void repair() {
        for (auto& [address, block] : blocks) {
            if (address == rsdp && block.size() >= 20) {
                set(block, 0, 20, 8);
                if (block.size() >= 36)
                    set(block, 0, block.size(), 32);
            } else if (block.size() >= 36) {
                std::uint32_t length = bytes::load<std::uint32_t>(block, 4).value_or(0);
                if (length >= 36 && length <= block.size())
                    set(block, 0, length, 9);
            }
        }
    }

    std::uint64_t rsdp = 0;
    std::map<std::uint64_t, std::vector<std::byte>> blocks;
    mutable std::uint64_t reads = 0;

private:
    static void set(std::vector<std::byte>& block, std::size_t from, std::size_t length, std::size_t at) {
        block[at] = std::byte{0};
        unsigned sum = 0;
        for (std::size_t i = from; i < from + length; ++i)
            sum += std::to_integer<unsigned>(block[i]);
        block[at] = static_cast<std::byte>(0u - sum);
    }
};

} // namespace acpi::testing
