// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/msr.hpp - which MSRs a partition reaches, and how.
//
// Pure. Three classes: passed through (the bitmap lets the guest at the register), mediated (an
// exit, decided here), everything else refused with #GP and counted.
// Trust:      index and value are the guest's.
// Invariants: I1  no register that delivers SMI, NMI or INIT, writes memory by physical address, or
//                 reaches another CPU is passed through (docs/hypervisor.md rules 8, 17, 20)
//             I2  EFER.SVME is never visible and never cleared by a guest
// Spec:       AMD APM vol. 2 15.11 (MSRPM), 16.11 (x2APIC); Intel SDM vol. 3 24.6.9 (MSR bitmaps),
//             10.12 (x2APIC).
#pragma once

#include "hypervisor/core/vcpu/cpuid.hpp"

#include <cstdint>

namespace vcpu {

namespace msr {
inline constexpr std::uint32_t tsc = 0x10, apic_base = 0x1B, microcode = 0x8B, misc_enable = 0x1A0,
                               pat = 0x277, tsc_deadline = 0x6E0, x2apic_id = 0x802, x2apic_ldr = 0x80D,
                               x2apic_icr = 0x830, efer = 0xC0000080, tsc_aux = 0xC0000103, hwcr = 0xC0010015;
}

inline constexpr std::uint64_t pat_reset = 0x0007040600070406, pat_linux = 0x0407050600070106;
inline constexpr std::uint64_t efer_lme = 1u << 8, efer_lma = 1u << 10, efer_svme = 1u << 12;

} // namespace vcpu
