// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/ipi.hpp - interprocessor interrupts of a partition: its own CPUs, Fixed, INIT and
// start-up only.
//
// Pure. A vCPU's virtual x2APIC ID is its index in the partition; the physical ID never leaves the
// hypervisor. Trust:      the ICR value is the guest's. Invariants: I1  the set names only vCPUs of the
// partition
//             I2  SMI, NMI, ExtINT, lowest priority and vectors below 16 never leave (docs/hypervisor.md rule
//             8)
// Spec:       Intel SDM vol. 3 10.12.9 (x2APIC ICR), 10.12.10 (logical IDs); AMD APM vol. 2 16.13.
#pragma once

#include <cstdint>

namespace vcpu {

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

// The logical ID that x2APIC derives from an ID (MSR 0x80D).
constexpr std::uint32_t x2apic_logical_id(std::uint32_t id) {
    return (id >> 4) << 16 | 1u << (id & 15);
}

// What the hypervisor writes to the physical ICR for one Fixed target; and the NMI it reaches a CPU with.
constexpr std::uint64_t physical_fixed_icr(std::uint32_t physical_id, std::uint8_t vector) {
    return std::uint64_t{physical_id} << 32 | 1u << 14 | vector;
}
constexpr std::uint64_t physical_nmi_icr(std::uint32_t physical_id) {
    return std::uint64_t{physical_id} << 32 | 1u << 14 | 4u << 8;
}

} // namespace vcpu
