// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/cpu/platform_nmi.hpp"

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/pci/system_errors.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"

namespace hv {

void look_at_platform_nmis() {
    Cpu& cpu = this_cpu();
    const std::uint32_t taken = cpu.nmis.load(std::memory_order_acquire) - cpu.foreign_nmis;
    const auto foreign = static_cast<std::int32_t>(taken - cpu.kicks.load(std::memory_order_acquire));
    const drivers::SystemErrors errors = drivers::take_system_errors(cpu::Ports{});
    if (foreign > 0)
        cpu.foreign_nmis += static_cast<std::uint32_t>(foreign);
    else if (!errors.serr && !errors.iochk)
        return;
    console::audit_event("platform_nmi", [&](audit::Record& record) {
        record.add("cpu", cpu.index).add("cause", errors.serr ? "serr" : errors.iochk ? "iochk" : "unknown");
    });
}

} // namespace hv
