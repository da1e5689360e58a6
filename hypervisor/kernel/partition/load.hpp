// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/partition/load.hpp - filling a partition's memory from the verified bundle.
//
// Runs on the CPU of its vCPU 0, through windows.
// Invariants: nothing but bytes that are verified, zeros and the live fields of the boot page are
//             written; everything that a former generation or firmware left is gone first.
#pragma once

#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

// A section, seen through this CPU's source window: in the bundle, or where it was placed in a partition's memory. One at
// a time.
class SectionView {
public:
    explicit SectionView(std::uint32_t section, const Partition* placed = nullptr, std::uint64_t gpa = 0);
    [[nodiscard]] std::span<const std::byte> operator()(std::uint64_t offset, std::size_t length) const;
    [[nodiscard]] bytes::Source source() const { return {*this, size_}; }

private:
    const Partition* placed_; // or null: the bundle
    std::uint64_t start_, size_;
    mutable std::optional<Window> window_; // of the piece last asked for
};

// All of a partition's RAM becomes zero, past the caches.
void clear_memory(const Partition& partition);

// What the plan says it finds at its start, and in the boot page what only the running hypervisor knows.
void load_payload(const Partition& partition);

// A root image that bind() placed in frames of its own (called before it is hashed there).
void copy_root(const Partition& partition, std::uint64_t gpa);

} // namespace hv
