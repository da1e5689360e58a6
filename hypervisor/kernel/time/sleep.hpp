// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/sleep.hpp - a CPU that waits for somebody, and meanwhile does what time asks of it.
#pragma once

#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/time/alarm.hpp"

namespace hv {

// Sleeps until `condition()` holds. Somebody changes it and then calls request(); other requests stay pending except
// request_look, which only wakes.
template <typename Condition> void sleep_until(Cpu& cpu, Condition condition) {
    while (!condition()) {
        const std::uint32_t requests = cpu.requests.fetch_and(~request_look, std::memory_order_acq_rel);
        if ((requests & request_halt) != 0)
            halt_for_ever();
        if ((requests & request_look) != 0)
            alarm::look();
        // An NMI that was let in meanwhile (virt::breathe) wakes nobody any more.
        if (!condition() && (cpu.requests.load(std::memory_order_acquire) & request_look) == 0)
            virt::idle_until_kick(cpu.requests);
    }
}

// A CPU without work, until request_halt.
[[noreturn]] void park(Cpu& cpu);

} // namespace hv
