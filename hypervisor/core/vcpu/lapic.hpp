// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/lapic.hpp - a vCPU's local APIC: what its guest sees, whatever the machine has.
//
// Pure. The guest always sees x2APIC. Its registers live in the CPU's own APIC, which the vCPU owns; this decides who reaches
// them how. Two backends, one set of rules: physical (x2APIC host: `direct` registers pass through the MSR bitmap and never
// exit) and forwarded (xAPIC host: every access exits and is done on the register page). IDs and the ICR are the vCPU's own.
// Trust:      index and value are the guest's.
// Invariants: I1  nothing that delivers SMI, NMI, INIT or ExtINT is ever written (docs/hypervisor.md rule 8)
//             I2  a value that exits is written only if it sets no bit reserved in the register
//             I3  an access that exits is answered the same with either backend
//             I4  the targets of an IPI are vCPUs of the partition; a vCPU's x2APIC ID is its index there, the physical ID
//                 never leaves the hypervisor
// Spec:       Intel SDM vol. 3 "Extended xAPIC (x2APIC)", 10.12.9 (ICR), 10.12.10 (logical IDs); AMD APM vol. 2 "x2APIC
//             Mode", 16.13.
#pragma once

#include <cstdint>

namespace vcpu {

struct Action;
struct Vcpu;

inline constexpr std::uint32_t max_vcpus = 64;

enum class IpiKind : std::uint8_t {
    nothing, // valid but without effect: no such destination, INIT de-assert
    fixed,   // physical Fixed IPI with `vector` to each target
    init,    // each target goes to wait-for-SIPI
    startup, // each target in wait-for-SIPI starts at vector << 12
    refused,
};

struct Ipi {
    IpiKind kind = IpiKind::nothing;
    std::uint8_t vector = 0;
    std::uint64_t targets = 0; // bit n: vCPU n of the partition
};

// A write of `value` to ICR (MSR 0x830) by vCPU `self` of `count`.
[[nodiscard]] Ipi resolve_icr(std::uint64_t value, std::uint32_t self, std::uint32_t count);

enum class LapicBackend : std::uint8_t { physical, forwarded };

// The MSRs of x2APIC mode.
constexpr std::uint32_t lapic_first = 0x800, lapic_last = 0x8FF;
constexpr bool is_lapic(std::uint32_t index) {
    return index >= lapic_first && index <= lapic_last;
}

// Whether the MSR bitmap lets the access through.
[[nodiscard]] bool lapic_passes(LapicBackend backend, std::uint32_t index, bool write);

// RDMSR and WRMSR of one of these that exited.
[[nodiscard]] Action lapic_read(Vcpu& vcpu, std::uint32_t index);
[[nodiscard]] Action lapic_write(Vcpu& vcpu, std::uint32_t index, std::uint64_t value);

} // namespace vcpu
