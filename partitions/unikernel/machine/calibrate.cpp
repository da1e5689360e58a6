// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/calibrate.cpp - see calibrate.hpp.
// Spec: Intel 8254 and 8259A data sheets; Motorola MC146818 data sheet; AMD APM vol. 2 "x2APIC Support".
#include "partitions/unikernel/machine/calibrate.hpp"

#include "arch/x86_64/cpu/ports.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/calendar.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/cpu.hpp"

namespace uk::machine {

namespace {

constexpr std::uint32_t frequency_leaf = 0x15;
constexpr std::uint64_t pit_hz = 1'193'182, pit_ticks = 2386; // 2 ms
constexpr std::uint16_t pit_channel2 = 0x42, pit_command = 0x43, speaker = 0x61;
constexpr std::uint16_t pic_master_mask = 0x21, pic_slave_mask = 0xA1;
constexpr std::uint16_t cmos_index = 0x70, cmos_data = 0x71;

std::uint8_t cmos(std::uint8_t index) {
    cpu::Ports::out8(cmos_index, index);
    return cpu::Ports::in8(cmos_data);
}

} // namespace

std::uint64_t measure_tsc_hz() {
    if (cpu::cpuid(0).eax >= frequency_leaf) {
        const cpu::CpuidResult leaf = cpu::cpuid(frequency_leaf);
        if (leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0)
            return std::uint64_t{leaf.ecx} * leaf.ebx / leaf.eax;
    }
    if (!is_direct())
        base::fail("the boot page tells no TSC frequency", "", 0);
    // Channel 2 counts down once, gate on, speaker off; bit 5 of port 61h shows its output.
    constexpr std::uint8_t gate = 1, speaker_on = 2, output = 0x20, one_shot = 0xB0;
    const auto control = static_cast<std::uint8_t>((cpu::Ports::in8(speaker) & ~speaker_on) | gate);
    cpu::Ports::out8(speaker, static_cast<std::uint8_t>(control & ~gate));
    cpu::Ports::out8(pit_command, one_shot);
    cpu::Ports::out8(pit_channel2, pit_ticks & 0xFF);
    cpu::Ports::out8(pit_channel2, pit_ticks >> 8);
    cpu::Ports::out8(speaker, control);
    const std::uint64_t before = cpu::rdtsc();
    while ((cpu::Ports::in8(speaker) & output) == 0)
        cpu::pause();
    return (cpu::rdtsc() - before) * pit_hz / pit_ticks;
}

std::uint64_t read_wall_clock() {
    constexpr std::uint8_t seconds = 0, minutes = 2, hours = 4, day = 7, month = 8, year = 9, status_a = 10,
                           status_b = 11;
    constexpr std::uint8_t updating = 0x80, binary = 4;
    while ((cmos(status_a) & updating) != 0)
        cpu::pause();
    const bool is_binary = (cmos(status_b) & binary) != 0;
    const auto read = [&](std::uint8_t index) -> unsigned {
        const std::uint8_t raw = cmos(index);
        return is_binary ? raw : (raw >> 4) * 10u + (raw & 15u);
    };
    const std::int64_t days = days_from_civil(2000 + static_cast<int>(read(year)), read(month), read(day));
    const std::uint64_t time = (read(hours) * 60u + read(minutes)) * 60u + read(seconds);
    return (static_cast<std::uint64_t>(days) * 86'400 + time) * 1'000'000'000;
}

void enable_bare_apic() {
    constexpr std::uint8_t all = 0xFF;
    constexpr std::uint64_t global_enable = 1 << 11, x2apic_enable = 1 << 10;
    constexpr std::uint32_t x2apic_feature = 1u << 21;
    if ((cpu::cpuid(1).ecx & x2apic_feature) == 0)
        base::fail("the CPU has no x2APIC (QEMU: -cpu max)", "", 0);
    cpu::Ports::out8(pic_master_mask, all);
    cpu::Ports::out8(pic_slave_mask, all);
    cpu::wrmsr(msr::apic_base, cpu::rdmsr(msr::apic_base) | global_enable | x2apic_enable);
}

} // namespace uk::machine
