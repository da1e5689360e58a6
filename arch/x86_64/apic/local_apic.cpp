// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/apic/local_apic.hpp"

#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/cpu/registers.hpp"

namespace apic {
namespace {

constexpr std::uint32_t masked = 1u << 16;
constexpr std::uint32_t software_enable = 1u << 8;
constexpr std::uint32_t delivery_pending = 1u << 12;
// An IPI that is not accepted within so many reads of the command register never will be.
constexpr unsigned delivery_reads = 1'000'000;

constinit base::VirtAddr page{0xfee00000};
constinit bool x2 = false;
constinit bool left_alone = false;

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

void reset(std::uint32_t spurious) {
    mask_all();
    write(Register::initial_count, 0);
    write(Register::divide, 0);
    write(Register::error_status, 0);
    write(Register::task_priority, 0);
    write(Register::spurious, software_enable | spurious);
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
    for (unsigned i = 0; i < delivery_reads && (read(Register::command) & delivery_pending) != 0; ++i)
        cpu::pause();
    write(Register::command_high, apic_id << 24);
    write(Register::command, command);
}

} // namespace apic
