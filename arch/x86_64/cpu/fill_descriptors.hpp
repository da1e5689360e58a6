// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/fill_descriptors.hpp - what boot writes into GDT and IDT (descriptors.hpp).
// Spec: AMD APM vol. 2 "Segmented Virtual Memory", "Exceptions and Interrupts".
#pragma once

#include "arch/x86_64/cpu/descriptors.hpp"

namespace cpu {

inline constexpr unsigned ist_nmi = 1, ist_double_fault = 2, ist_machine_check = 3;
inline constexpr unsigned exception_count = 32;

constexpr void set_task(Gdt& gdt, std::uint64_t base) {
    gdt.task_low = (sizeof(TaskState) - 1) | (base & 0xffffff) << 16 | std::uint64_t{0x89} << 40 |
                   (base >> 24 & 0xff) << 56;
    gdt.task_high = base >> 32;
}

constexpr Gate interrupt_gate(std::uint64_t handler, unsigned ist) {
    return {(handler & 0xffff) | std::uint64_t{code_selector} << 16 | std::uint64_t{ist} << 32 |
                std::uint64_t{0x8e} << 40 | (handler >> 16 & 0xffff) << 48,
            handler >> 32};
}

} // namespace cpu
