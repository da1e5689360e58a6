// SPDX-License-Identifier: Apache-2.0
// image-tools/build/planning.hpp - from a manifest and what its partitions turned out to hold to the plan
// table.
//
// The decisions are core/plan's; this file asks it and turns its refusals into diagnostics that point into
// the manifest.
#pragma once

#include "hypervisor/core/board/facts.hpp"
#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/format.hpp"
#include "hypervisor/core/plan/issue.hpp"
#include "image-tools/bundle/sections.hpp"
#include "image-tools/elf/pvh.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/plan/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace build {

// What a partition holds, as far as the plan cares.
struct PartitionContent {
    const manifest::Partition* partition = nullptr;
    elf::PvhKernel kernel{};
    std::uint64_t root_bytes = 0;
    std::uint64_t module_bytes = 0;
    std::uint32_t kernel_section = plan::no_section;
    std::uint32_t root_section = plan::no_section;
    std::uint32_t module_section = plan::no_section;
    std::vector<std::uint8_t> startup;
    std::uint32_t stop_signal = 15; // SIGTERM
};

// The plan's table. Throws E0311-E0319 (exit 3) with the place in the manifest.
std::vector<std::byte> make_table(const manifest::Manifest& manifest,
                                  const std::vector<PartitionContent>& contents,
                                  const std::array<std::uint8_t, 32>& audit_key);

diagnostic::Diagnostic diagnose(const manifest::Manifest& manifest, const plan::Issue& issue);

// Reads the entry points and extent of a PVH kernel. Throws E0415 (exit 4).
void read_kernel(const std::string& elf, const std::string& name, PartitionContent& content);

// The machine a plan is shown and run on: the manifest's, or the smallest that carries it.
struct AssumedMachine {
    std::uint32_t cpus = 0;
    std::uint64_t memory = 0;
    std::unique_ptr<plan::BoundPlan> bound; // nothing: it does not fit, and
    plan::Issue issue{};                    // this is why
    bool described = false;                 // a described board, and
    std::string refusal;                    // why, in the words of its boot
};

// Binds the table on the board, with the machine's memory and CPUs that the table names, or the least that carry it.
AssumedMachine assume_machine(const std::vector<std::byte>& table,
                              const std::vector<bundle::SectionShape>& sections, std::uint64_t bundle_bytes);

// The same on a described board, as the boot of that loader would; without one, assume_machine().
AssumedMachine machine_for(const board::Facts* board, const std::string& loader,
                           const std::vector<std::byte>& table,
                           const std::vector<bundle::SectionShape>& sections, std::uint64_t bundle_bytes);

// What did not fit. A described board's refusal is E0902, with the line that its boot would end with.
diagnostic::Diagnostic diagnose(const manifest::Manifest& manifest, const AssumedMachine& machine);

// For people, with the numbers: "there is not enough memory (needed 64 MiB, there are 32 MiB)".
std::string describe(const plan::Issue& issue);

} // namespace build
