// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/plan.hpp - the plan, read from its table.
//
// Pure.
// Trust:      the table is verified before it means anything, and checked here as if it were not.
// Invariants: everything in a Plan is in range: names, counts, regions (ascending, RAM from 0 on
//             over the boot area), CPU sets disjoint, loads inside one RAM region each, wires between two
//             different partitions, no pair twice, where nothing else of the two lies, devices
//             of partitions that are there, reserved
//             fields zero, no byte of the table unaccounted for.
#pragma once

#include "hypervisor/core/plan/header.hpp"
#include "hypervisor/core/plan/issue.hpp"

#include <span>
#include <string_view>

namespace plan {

class Plan {
public:
    // `table` must stay as long as the plan is used (private memory: it is read again).
    [[nodiscard]] static Result<Plan> parse(std::span<const std::byte> table);

    [[nodiscard]] const Header& header() const { return header_; }
    [[nodiscard]] std::span<const std::byte> table() const { return table_; }
    [[nodiscard]] std::uint32_t partition_count() const { return header_.partition_count; }
    // index < partition_count()
    [[nodiscard]] Partition partition(std::uint32_t index) const;
    // Into the table.
    [[nodiscard]] std::string_view partition_name(std::uint32_t index) const;
    // index < header().load_count; those of a partition are load_count from first_load on
    [[nodiscard]] Load load(std::uint32_t index) const;
    [[nodiscard]] std::uint32_t wire_count() const { return header_.wire_count; }
    // index < wire_count()
    [[nodiscard]] Wire wire(std::uint32_t index) const;
    [[nodiscard]] std::uint32_t device_count() const { return header_.device_count; }
    // index < device_count()
    [[nodiscard]] Device device(std::uint32_t index) const;

    [[nodiscard]] std::uint32_t cpus_needed() const;
    // Whether SMT siblings may belong to these two: they are one, or both are marked smt: shared.
    [[nodiscard]] bool may_share_core(std::uint32_t one, std::uint32_t other) const;
    // Whether anything waits for time to pass: a watchdog, a delay before a restart, a stop request.
    [[nodiscard]] bool needs_time() const;

private:
    Plan(std::span<const std::byte> table, const Header& header) : table_(table), header_(header) {}

    std::span<const std::byte> table_;
    Header header_;
};

// [a-z0-9-]{1,31}, as names of appliances and partitions must be; "hv" is taken.
[[nodiscard]] bool is_name(std::string_view name);

} // namespace plan
