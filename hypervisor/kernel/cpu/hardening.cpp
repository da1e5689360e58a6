// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/cpu/hardening.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {
namespace {

using vcpu::Measure;

bool uses(Measure measure) {
    return machine().hardening.uses(measure);
}

} // namespace

void separate_lives(bool no_store_bypass) {
    constexpr std::uint64_t ibrs = 1, ssbd = 4, bhi_dis_s = 1u << 10, ibpb = 1;
    if (uses(Measure::barrier))
        cpu::wrmsr(cpu::msr::pred_cmd, ibpb);
    if (uses(Measure::always_restricted) || uses(Measure::store_bypass_control) || uses(Measure::history))
        cpu::wrmsr(cpu::msr::spec_ctrl,
                   (uses(Measure::always_restricted) ? ibrs : 0) | (uses(Measure::history) ? bhi_dis_s : 0) |
                       (no_store_bypass && uses(Measure::store_bypass_control) ? ssbd : 0));
}

void before_entry() {
    if (uses(Measure::flush_l1))
        cpu::wrmsr(cpu::msr::flush_cmd, 1);
    if (uses(Measure::clear_buffers))
        cpu::verw();
}

} // namespace hv
