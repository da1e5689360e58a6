// SPDX-License-Identifier: Apache-2.0
// image-tools/board/bind.hpp - a plan on a described board: what its boot would do with it, step by step in the boot's order, with
// the boot's own bind() and check().
//
// Trust: neither plan nor description is believed further than the boot believes firmware.
#pragma once

#include "hypervisor/core/board/facts.hpp"
#include "hypervisor/core/plan/bind.hpp"

#include <memory>
#include <string>
#include <vector>

namespace board {

// What bind() is told of a board; the spans point into it.
struct Described {
    explicit Described(const Facts& facts);
    Described(const Described&) = delete;
    Described& operator=(const Described&) = delete;

    memory::Runs map;
    std::string map_problem; // why there is none, in the hypervisor's words
    base::FixedVector<plan::Cpu, acpi::max_cpus> cpus;
    std::vector<pci::Function> functions;
    plan::Remapping remapping = plan::Remapping::none;
    std::size_t interrupt_units = 0; // VT-d units that remap interrupts
    bool huge_pages = false, large_pages = true;
    std::uint64_t reach = 0; // what boot maps, from 0 on
};

// Why the processor cannot run partitions, in the hypervisor's words; empty: it can, as far as is known.
std::string missing_of(const Processor& processor);

// The loader's image, where it lies when a loader does not choose another place, and with room to grow.
inline constexpr memory::Run usual_image{0x200000, 0x200000};

struct Outcome {
    std::unique_ptr<plan::BoundPlan> bound; // or nothing, and
    std::string refusal;                    // the line with which the boot would end
};

// `sections`, `bundle_bytes`: of the bundle that the plan lies in; it is taken to lie as high below 4 GiB as it can. `image`: where
// the loader's image lies.
Outcome bind_on(const Facts& facts, const plan::Plan& plan, std::span<const plan::SectionExtent> sections,
                std::uint64_t bundle_bytes, const memory::Run& image = usual_image);

} // namespace board
