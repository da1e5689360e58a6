// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/apic/local_apic.hpp - this CPU's local APIC: x2APIC by MSR, or xAPIC by its register page.
//
// Thin: which IPIs a guest may cause is decided in core/vcpu. The register page of xAPIC mode is mapped one to one; x2APIC
// mode needs none.
// Invariants: interrupts are never enabled in the hypervisor, so one CPU's register sequences are never interrupted by
//             another user of the APIC (an NMI handler does not touch it).
// Spec: AMD APM vol. 2 "Advanced Programmable Interrupt Controller", "x2APIC Mode".
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstdint>

namespace apic {

// Register numbers as x2APIC MSR offsets; the xAPIC offset is the number << 4.
enum class Register : std::uint32_t {
    id = 0x02,
    version = 0x03,
    task_priority = 0x08,
    end_of_interrupt = 0x0b,
    spurious = 0x0f,
    in_service = 0x10, // eight registers
    request = 0x20,    // eight registers
    error_status = 0x28,
    corrected_machine_check = 0x2f,
    command = 0x30,
    command_high = 0x31, // xAPIC only
    timer = 0x32,
    thermal = 0x33,
    performance = 0x34,
    local0 = 0x35,
    local1 = 0x36,
    error = 0x37,
    initial_count = 0x38,
    current_count = 0x39,
    divide = 0x3e,
};

// How this machine's registers are reached, found by start.cpp: by MSR, or on a page.
extern bool x2;
extern base::VirtAddr page;

inline constexpr std::uint32_t spurious_vector = 0xff;
// As for a guest's (next) start: every LVT entry masked, priority 0, the timer stopped, software-enabled. What is requested
// or in service already stays so.
void reset(std::uint32_t spurious = spurious_vector);

[[nodiscard]] std::uint32_t id();
[[nodiscard]] std::uint32_t read(Register reg);
void write(Register reg, std::uint32_t value);
// Where a guest chose the register or the value, or this APIC may lack the register. False: #GP, nothing has changed.
[[nodiscard]] bool try_read(Register reg, std::uint64_t& value);
[[nodiscard]] bool try_write(Register reg, std::uint32_t value);

// What a pin's LVT entry (local1) is for: NMIs.
inline constexpr std::uint32_t pin_nmi = 0x400;
// Interrupt commands; `fixed` takes a vector, `startup` a page number below 1 MiB.
inline constexpr std::uint32_t fixed = 0x4000, nmi = 0x4400, init = 0x4500, startup = 0x4600;
void send(std::uint32_t apic_id, std::uint32_t command);

} // namespace apic
