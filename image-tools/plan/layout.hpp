// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/layout.hpp - from what the manifest asks for to the plan's binary table.
//
// Pure.
// Trust:      numbers come from a manifest. Whatever layout() accepts, parse() accepts.
#pragma once

#include "hypervisor/core/plan/format.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/elf/pvh.hpp"
#include "image-tools/plan/request_issue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace plan {

struct PartitionRequest {
    std::string_view name;
    PayloadKind payload = PayloadKind::unikernel;
    std::uint32_t cpus = 1;    // a count; with cpu_set: 0 or the same number
    std::uint64_t cpu_set = 0; // ranks, or 0
    std::uint64_t memory_bytes = 0;
    std::uint64_t root_bytes = 0;   // size of the root section; 0: none
    std::uint64_t module_bytes = 0; // size of the module section; 0: none
    elf::PvhKernel kernel{};
    std::uint32_t kernel_section = no_section;
    std::uint32_t root_section = no_section;
    std::uint32_t module_section = no_section;
    std::string_view command_line;
    std::span<const std::byte> startup; // struct caisson_startup with its strings
    Behaviour behaviour{};
};

// Two partitions of the request, by their places in it.
struct WireRequest {
    std::uint32_t from = 0, to = 0;
    bool one_way = false; // from `from` to `to`
};
// A device of a partition, by its place in the request; as struct Device (core/plan/header.hpp).
struct DeviceRequest {
    std::uint32_t partition = 0;
    std::uint16_t vendor = 0, device = 0;
    std::uint32_t place = 0;
    bool by_address = false, firmware_memory = false, any_card = false;
};
inline constexpr std::uint64_t default_ring_bytes = 256 * 1024;

struct Request {
    std::string_view name;
    MachineBehaviour behaviour{};
    std::uint32_t machine_cpus = 0;   // 0: not said
    std::uint64_t machine_memory = 0; // bytes; 0: not said
    std::array<std::uint8_t, 32> audit_key{};
    std::span<const PartitionRequest> partitions;
    std::span<const WireRequest> wires;
    std::span<const DeviceRequest> devices;
};

// The table.
[[nodiscard]] base::Result<std::vector<std::byte>, RequestIssue> layout(const Request& request);

} // namespace plan
