// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/forward_apic.hpp - x2APIC registers of a guest on a machine that only has xAPIC.
//
// The guest sees x2APIC all the same; what the MSR bitmap would let through is done for it on the register page.
#pragma once

#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

// True: the exit was such an access and is done.
[[nodiscard]] bool forward_apic(Vcpu& vcpu, const vcpu::Exit& exit);

// WRMSR of a register that core allowed: by MSR, or for the local APIC on its register page.
void write_guest_msr(std::uint32_t index, std::uint64_t value);

} // namespace hv
