// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/run/leave_boot.hpp"

#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/own_tables.hpp"
#include "hypervisor/kernel/run/life.hpp"
#include "hypervisor/kernel/time/sleep.hpp"

namespace hv {

constinit std::atomic<std::uint32_t> left_boot{0};

namespace {

constinit std::atomic<bool> forgotten{false};

void tell_all_others(const Cpu& cpu) {
    for (Cpu* other : machine().cpus)
        if (other != &cpu)
            request(*other, request_look);
}

} // namespace

void leave_boot(Cpu& cpu) {
    if (cpu.index == 0) {
        forget_boot();
        forgotten.store(true, std::memory_order_release);
        tell_all_others(cpu);
    } else {
        left_boot.fetch_add(1, std::memory_order_acq_rel);
        sleep_until(cpu, [] { return forgotten.load(std::memory_order_acquire); });
    }
    flush_own();
    if (cpu.vcpu == nullptr)
        park(cpu);
    live(*cpu.vcpu);
}

} // namespace hv
