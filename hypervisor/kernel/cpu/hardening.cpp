// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/cpu/hardening.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {

void separate_lives(bool no_store_bypass) {
    constexpr std::uint64_t ibrs = 1, ssbd = 4, ibpb = 1;
    const vcpu::Hardening& h = machine().hardening;
    if (h.barrier)
        cpu::wrmsr(cpu::msr::pred_cmd, ibpb);
    if (h.always_restricted || h.store_bypass_control)
        cpu::wrmsr(cpu::msr::spec_ctrl,
                   (h.always_restricted ? ibrs : 0) | (no_store_bypass && h.store_bypass_control ? ssbd : 0));
}

void before_entry() {
    if (machine().hardening.flush_l1)
        cpu::wrmsr(cpu::msr::flush_cmd, 1);
    if (machine().hardening.clear_buffers)
        cpu::verw();
}

} // namespace hv
