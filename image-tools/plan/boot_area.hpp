// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/boot_area.hpp - what a partition finds below 1 MiB when it starts (partitions/abi/boot_page.h).
//
// ACPI tables, start info with command line, boot page, startup record. What only the running hypervisor knows (clocks, wall
// time, generation, entropy, the vendor's hypercall instruction) is zero here and filled in by it.
#pragma once

#include "image-tools/plan/layout.hpp"
#include "partitions/abi/boot_page.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace plan {

struct BootPiece {
    std::uint64_t gpa;
    std::vector<std::byte> bytes; // without zeros at the end; memory is zero where nothing is loaded
};

// What a partition's boot page says of its ends of these wires.
[[nodiscard]] std::vector<caisson_link> links_of(const Request& request, std::span<const Wire> wires,
                                                 std::uint32_t index);

// For a request that layout() has checked; `index` is the partition's place in the plan.
[[nodiscard]] std::vector<BootPiece> boot_area(const PartitionRequest& request, std::uint32_t index,
                                               std::span<const caisson_link> links = {});

// The command line that a partition of the plan is started with.
[[nodiscard]] std::string command_line_of(const Plan& plan, std::uint32_t index);

} // namespace plan
