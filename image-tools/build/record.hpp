// SPDX-License-Identifier: Apache-2.0
// image-tools/build/record.hpp - the bytes of a record that a kernel of ours starts with: a head, and behind it strings and arrays
// that the head names by their offsets (partitions/abi/startup.h, uplink.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace build {

template <typename Head> class Record {
public:
    Record() : bytes_(sizeof(Head), 0) {}
    std::uint32_t string(const std::string& text) {
        const std::size_t at = bytes_.size();
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        bytes_.push_back(0);
        return static_cast<std::uint32_t>(at);
    }
    // Appended at a multiple of an item's alignment.
    template <typename T> std::uint32_t array(const std::vector<T>& items) {
        bytes_.resize((bytes_.size() + alignof(T) - 1) / alignof(T) * alignof(T));
        const std::size_t at = bytes_.size();
        bytes_.resize(at + items.size() * sizeof(T));
        if (!items.empty())
            std::memcpy(bytes_.data() + at, items.data(), items.size() * sizeof(T));
        return static_cast<std::uint32_t>(at);
    }
    std::uint32_t strings(const std::vector<std::string>& texts) {
        std::vector<std::uint32_t> offsets;
        for (const std::string& text : texts)
            offsets.push_back(string(text));
        return array(offsets);
    }
    std::vector<std::uint8_t> finish(Head head) {
        head.total_bytes = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &head, sizeof head);
        return std::move(bytes_);
    }

private:
    std::vector<std::uint8_t> bytes_;
};

} // namespace build
