// SPDX-License-Identifier: Apache-2.0
// loader/handover/fake_memory_test.hpp - physical memory in a buffer, for tests and fuzzing.
#pragma once

#include "loader/handover/boot_record.hpp"

#include <cstring>
#include <vector>

namespace loader {

class FakeMemory final : public PhysicalMemory {
public:
    static constexpr std::uint64_t start = 0x1000;

    explicit FakeMemory(std::size_t bytes) : bytes_(bytes) {}
    explicit FakeMemory(std::span<const std::uint8_t> content) : bytes_(content.size()) {
        if (!content.empty())
            std::memcpy(bytes_.data(), content.data(), content.size());
    }

    [[nodiscard]] std::optional<std::span<const std::byte>> view(std::uint64_t address,
                                                                 std::uint64_t count) const override {
        if (address < start || address - start > bytes_.size() || count > bytes_.size() - (address - start))
            return std::nullopt;
        return std::span{bytes_}.subspan(address - start, count);
    }
    template <typename T> void put(std::uint64_t address, const T& value) {
        std::memcpy(bytes_.data() + (address - start), &value, sizeof(T));
    }

private:
    std::vector<std::byte> bytes_;
};

} // namespace loader
