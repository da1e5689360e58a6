// SPDX-License-Identifier: Apache-2.0
// loader/handover/fake_memory_test.hpp - physical memory in a buffer, for tests and fuzzing.
#pragma once

#include "loader/handover/boot_record.hpp"

#include <cstring>
#include <vector>

namespace loader {

class FakeMemory {
public:
    static constexpr std::uint64_t start = 0x1000;

    explicit FakeMemory(std::size_t bytes) : bytes_(bytes) {}
    explicit FakeMemory(std::span<const std::uint8_t> content) : bytes_(content.size()) {
        if (!content.empty())
            std::memcpy(bytes_.data(), content.data(), content.size());
    }

    [[nodiscard]] bytes::Source all() const { return {*this, UINT64_MAX}; }
    [[nodiscard]] std::span<const std::byte> operator()(std::uint64_t address, std::size_t count) const {
        if (address < start || address - start > bytes_.size() || count > bytes_.size() - (address - start))
            return {};
        return std::span<const std::byte>{bytes_}.subspan(address - start, count);
    }
    template <typename T> void put(std::uint64_t address, const T& value) {
        std::memcpy(bytes_.data() + (address - start), &value, sizeof(T));
    }

private:
    std::vector<std::byte> bytes_;
};

} // namespace loader
