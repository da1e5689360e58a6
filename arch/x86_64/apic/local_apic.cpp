// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/apic/local_apic.hpp"

#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/base/constant.hpp"

namespace apic {

CAISSON_CONSTANT_AFTER_BOOT constinit base::VirtAddr page{};
CAISSON_CONSTANT_AFTER_BOOT constinit bool x2 = false;

namespace {

constexpr std::uint32_t masked = 1u << 16;
constexpr std::uint32_t software_enable = 1u << 8;
constexpr std::uint32_t delivery_pending = 1u << 12;
// An IPI that is not accepted within so many ticks of the TSC (a fifth of a second at 5 GHz) never will be.
constexpr std::uint64_t delivery_ticks = std::uint64_t{1} << 30;

std::uint32_t number(Register reg) {
    return static_cast<std::uint32_t>(reg);
}

// What this APIC has of them.
void mask_all() {
    for (const Register entry : {Register::timer, Register::performance, Register::local0, Register::local1,
                                 Register::error, Register::thermal, Register::corrected_machine_check})
        (void)try_write(entry, masked);
}

} // namespace

void reset(std::uint32_t spurious) {
    mask_all();
    write(Register::initial_count, 0);
    write(Register::divide, 0);
    write(Register::error_status, 0);
    write(Register::task_priority, 0);
    write(Register::spurious, software_enable | spurious);
}

std::uint32_t id() {
    return x2 ? read(Register::id) : read(Register::id) >> 24;
}

std::uint32_t read(Register reg) {
    if (x2)
        return static_cast<std::uint32_t>(cpu::rdmsr(cpu::msr::x2apic_first + number(reg)));
    return cpu::mmio_read<std::uint32_t>(base::VirtAddr{page.value() + (number(reg) << 4)});
}

void write(Register reg, std::uint32_t value) {
    if (x2)
        cpu::wrmsr(cpu::msr::x2apic_first + number(reg), value);
    else
        cpu::mmio_write<std::uint32_t>(base::VirtAddr{page.value() + (number(reg) << 4)}, value);
}

bool try_read(Register reg, std::uint64_t& value) {
    if (x2)
        return cpu::try_rdmsr(cpu::msr::x2apic_first + number(reg), value);
    value = read(reg);
    return true;
}

bool try_write(Register reg, std::uint32_t value) {
    if (x2)
        return cpu::try_wrmsr(cpu::msr::x2apic_first + number(reg), value);
    write(reg, value);
    return true;
}

void send(std::uint32_t apic_id, std::uint32_t command) {
    if (x2) {
        cpu::wrmsr(cpu::msr::x2apic_first + number(Register::command),
                   std::uint64_t{apic_id} << 32 | command);
        return;
    }
    const std::uint64_t since = cpu::rdtsc();
    while ((read(Register::command) & delivery_pending) != 0 && cpu::rdtsc() - since < delivery_ticks)
        cpu::pause();
    write(Register::command_high, apic_id << 24);
    write(Register::command, command);
}

} // namespace apic
