// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/weak_run_test.hpp - the one override of the run loop: what caisson_weak.elf does at each exit that is not a
// quick one. No product build includes it.
#pragma once

#include "arch/x86_64/virt/virt.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/lifecycle.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {

// What is to be stopped stays where it is. Only the machine's end is heard.
inline void stay_for_ever(const Vcpu& vcpu) {
    while (vcpu::must_leave(vcpu.partition->state.load(std::memory_order_acquire)) &&
           (vcpu.cpu->requests.load(std::memory_order_acquire) & request_halt) == 0)
        virt::pause();
}

inline void weaken(Vcpu& vcpu, const vcpu::Exit& exit) {
    // Not for a kick itself: kicks that kick would leave no guest a turn.
    if (base::weak("noisy_exits") && exit.kind != vcpu::ExitKind::host_event)
        for (Cpu* cpu : machine().cpus)
            request(*cpu, request_look);
    if (base::weak("endless_notes")) {
        vcpu.audit_rate.used = 0;
        vcpu.partition->note_bytes.used = 0;
    }
    if (vcpu.partition->vcpus.size() > 1 && ((base::weak("deaf_primary") && vcpu.core.index == 0) ||
                                             (base::weak("deaf_sibling") && vcpu.core.index == 1)))
        stay_for_ever(vcpu);
}

} // namespace hv
