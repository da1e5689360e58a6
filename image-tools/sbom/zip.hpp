// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/zip.hpp - archives of Java: the entries of a ZIP file, and their bytes.
//
// Trust: hostile bytes; nothing is read beyond its limits.
// Spec:  APPNOTE.TXT 6.3.10 (central directory; stored and deflated entries; no ZIP64, no encryption).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sbom {

class Zip {
public:
    using Read = std::function<std::string(std::uint64_t offset, std::uint64_t bytes)>;
    struct Entry {
        std::string name;
        std::uint16_t method = 0;
        std::uint64_t packed = 0, size = 0, offset = 0;
    };
    // Throws Damaged.
    Zip(Read read, std::uint64_t size);
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    // Throws Damaged, also where it is larger than `limit`.
    [[nodiscard]] std::string read(const Entry& entry, std::uint64_t limit) const;

private:
    [[nodiscard]] std::string part(std::uint64_t offset, std::uint64_t bytes) const;
    Read read_;
    std::uint64_t size_;
    std::vector<Entry> entries_;
};

} // namespace sbom
