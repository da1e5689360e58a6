// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bind.hpp - the one function that chooses frames and CPUs, and the one that
// checks the choice.
//
// Pure and deterministic: the same inputs give the same plan in the hypervisor, in `caisson plan`
// and in tests.
// Trust:      the plan is verified; map and CPU list come from firmware and are only believed as
//             far as they go.
// Invariants: I1  no frame has two owners; those of a wire belong to its two partitions alone
//             I2  memory that is not usable is never used
//             I3  nothing below 1 MiB, of the reserved ranges or of the bundle becomes RAM of a
//                 partition
//             I4  two SMT siblings never belong to different partitions, but where both are marked
//                 smt: shared
//             I5  a plan that does not fit is refused, naming what is missing; nothing is half
//                 bound
//             I6  the pool is one piece below Machine::pool_end; no device's registers lie in
//                 memory or over another's
//             I7  a device has one owner, reaches no other owner's but through the IOMMU, and its
//                 BARs' pages are nobody else's
// Rules: docs/architecture.md "Plan and binding".
#pragma once

#include "hypervisor/core/pci/isolation.hpp"
#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"

namespace plan {

inline constexpr std::uint64_t low_memory_end = std::uint64_t{1} << 20;

// A CPU as firmware describes it.
struct Cpu {
    std::uint32_t apic_id;
    std::uint32_t package;
    std::uint32_t core; // in the package
    std::uint32_t thread;
    bool boot;
};

// What bind needs to know of a section of the bundle (bundle::Section).
struct SectionExtent {
    std::uint32_t type;
    std::uint32_t partition;
    std::uint64_t offset; // in the bundle
    std::uint64_t size;
};

// What the machine's remapping units can do for devices that partitions own.
enum class Remapping : std::uint8_t {
    none,     // nothing, or not all of it
    complete, // DMA and interrupts of every function, by requester ID alone
};

inline constexpr std::size_t max_functions = 512; // of PCI that are looked at

// The PCI functions of a machine, all of them.
struct PciMachine {
    pci::Functions functions; // by requester ID
    Remapping remapping = Remapping::none;
    std::span<const pci::Requester> firmware_memory; // functions for which firmware reserves memory (RMRR)
};

struct Machine {
    const memory::Runs* map = nullptr;                 // usable memory
    std::uint64_t pool_end = std::uint64_t{512} << 30; // the pool lies below: what boot can reach
    std::span<const Cpu> cpus;                         // exactly one with `boot`; order does not matter
    std::span<const memory::Run> reserved; // the loader's image, start record, module list: kept (I3)
    std::uint64_t bundle_base = 0;         // host-physical
    std::uint64_t bundle_bytes = 0;
    std::span<const SectionExtent> sections; // of the bundle, in its order
    std::span<const memory::Run> devices; // registers that the hypervisor uses, where firmware says they are
    const PciMachine* pci = nullptr;      // none: not known yet, the plan's devices stay unbound
};

struct Options {
    bool large_pages = true; // false: every leaf is 4 KiB (all are executable, IF_PSCHANGE_MC_NO = 0)
    bool huge_pages = false; // 1 GiB leaves besides those of 2 MiB
    // The hypervisor's frames besides second-stage tables.
    std::uint64_t frames_fixed = 0;
    std::uint64_t frames_per_cpu = 0; // of every CPU it starts: machine's CPUs, at most max_cpus
    std::uint64_t frames_per_partition = 0;
    std::uint64_t frames_per_vcpu = 0;
};

// On an error `bound` is empty.
[[nodiscard]] Status bind(const Plan& plan, const Machine& machine, const Options& options, BoundPlan& bound);

// Everything bind promises, looked at again from the result alone.
[[nodiscard]] Status check(const Plan& plan, const Machine& machine, const Options& options,
                           const BoundPlan& bound);

// Whether the devices' registers lie in no usable memory, no reserved range, not in the bundle and not over each other. To be
// asked before any of them is touched; check() asks again.
[[nodiscard]] Status check_devices(const Machine& machine);

// The part of bind() that finds the plan's devices among the machine's functions, and the part of check() that looks again.
[[nodiscard]] Status bind_devices(const Plan& plan, const Machine& machine, BoundPlan& bound);
[[nodiscard]] Status check_bound_devices(const Plan& plan, const Machine& machine, const BoundPlan& bound);

// Frames that the pool must have: `table_frames` and what Options asks for.
[[nodiscard]] std::uint64_t pool_frames(const Plan& plan, const Options& options, const BoundPlan& bound);
// Frames of 4-level second-stage tables for these pieces and wires, with the largest leaves that fit, at most.
[[nodiscard]] std::uint64_t table_frames(const Plan& plan, const Options& options, const BoundPlan& bound);

} // namespace plan
