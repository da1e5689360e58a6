// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/apic/start.hpp"

#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/instructions.hpp"

namespace apic {
namespace {

constexpr std::uint32_t masked = 1u << 16;
constinit bool left_alone = false;

} // namespace

void adopt() {
    const std::uint64_t base = cpu::rdmsr(cpu::msr::apic_base);
    page = base::VirtAddr{base & cpu::apic_base::address};
    x2 = (base & cpu::apic_base::x2apic) != 0;
    if ((base & cpu::apic_base::enabled) == 0)
        cpu::wrmsr(cpu::msr::apic_base, base | cpu::apic_base::enabled);
}

bool x2apic_offered() {
    return !left_alone && (cpu::cpuid(1).ecx >> 21 & 1) != 0;
}

void leave_x2apic_alone() {
    left_alone = !x2;
}

base::PhysAddr register_page() {
    return base::PhysAddr{cpu::rdmsr(cpu::msr::apic_base) & cpu::apic_base::address};
}

void enable() {
    const std::uint64_t base = cpu::rdmsr(cpu::msr::apic_base) | cpu::apic_base::enabled;
    cpu::wrmsr(cpu::msr::apic_base, base);
    if (x2apic_offered()) {
        cpu::wrmsr(cpu::msr::apic_base, base | cpu::apic_base::x2apic);
        x2 = true;
    }
    reset();
}

void tick(std::uint32_t counts) {
    constexpr std::uint32_t periodic = 1u << 17, divide_by_1 = 0xb;
    write(Register::divide, divide_by_1);
    write(Register::timer, periodic | spurious_vector);
    write(Register::initial_count, counts);
}

void start_timer() {
    constexpr std::uint32_t divide_by_1 = 0xb;
    write(Register::divide, divide_by_1);
    write(Register::timer, masked);
    write(Register::initial_count, UINT32_MAX);
}

std::uint32_t timer_counts() {
    const std::uint32_t left = read(Register::current_count);
    write(Register::initial_count, 0);
    return UINT32_MAX - left;
}

} // namespace apic
