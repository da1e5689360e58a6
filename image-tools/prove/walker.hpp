// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/walker.hpp - x86 tables of four levels as the CPU walks them, and VT-d's as a device does, out of a machine's physical
// memory.
//
// Knows nothing of how the hypervisor makes tables. Rights are those of all levels together.
// Spec: AMD APM vol. 2 sections 5.3, 5.6, 15.25; Intel VT-d 4.1 section 9.8 "Second-Level Paging Entries".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace prove {

class PhysicalMemory {
public:
    virtual ~PhysicalMemory() = default;
    // False where there is no memory.
    [[nodiscard]] virtual bool read(std::uint64_t address, std::span<std::byte> to) = 0;
};

struct Mapping {
    std::uint64_t address = 0, frame = 0, bytes = 0;
    bool write = false, execute = false, user = false, cached = true, global = false;
    [[nodiscard]] bool same_rights(const Mapping& other) const {
        return write == other.write && execute == other.execute && user == other.user &&
               cached == other.cached && global == other.global;
    }
};

struct Walk {
    std::vector<Mapping> mappings;     // ascending; neighbours with equal rights and frames in a row are one
    std::vector<std::uint64_t> tables; // frames of all tables, the root first
    std::string problem;               // a table that cannot be read
};

[[nodiscard]] Walk walk(PhysicalMemory& memory, std::uint64_t root);
// What a device may do: `user` is reading, nothing is executable, all is cached.
[[nodiscard]] Walk walk_dma(PhysicalMemory& memory, std::uint64_t root, unsigned levels);

} // namespace prove
