// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/sleep.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "hypervisor/kernel/cpu/machine_check.hpp"
#include "hypervisor/kernel/cpu/platform_nmi.hpp"

namespace hv {

void park(Cpu& cpu) {
    apic::write(apic::Register::local1, apic::pin_nmi); // no guest is here to take it for one of its own
    for (;;) {
        alarm::drain_line(cpu);
        sleep_until(cpu, [&cpu] { return cpu.requests.load(std::memory_order_acquire) != 0; });
        alarm::look();
        look_at_platform_nmis();
        const std::uint32_t requests = take_requests(cpu);
        if ((requests & request_halt) != 0)
            halt_for_ever();
        if ((requests & request_machine_check) != 0)
            look_at_machine_checks();
    }
}

} // namespace hv
