// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/descriptors.hpp - GDT, TSS and IDT of one CPU.
//
// Flat 64-bit code and data, one TSS with three IST stacks: NMI, #DF and #MC never run on an interrupted stack.
// Spec: AMD APM vol. 2 "Segmented Virtual Memory", "Exceptions and Interrupts".
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"

#include <array>
#include <cstdint>

namespace cpu {

struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0 = 0;
    std::array<std::uint64_t, 3> rsp{};
    std::uint64_t reserved1 = 0;
    std::array<std::uint64_t, 7> ist{};
    std::uint64_t reserved2 = 0;
    std::uint16_t reserved3 = 0;
    std::uint16_t io_map = 104; // past the limit: no port allowed outside CPL 0
};
static_assert(sizeof(TaskState) == 104);

struct Gdt {
    std::uint64_t null = 0;
    std::uint64_t code = 0x00af9b000000ffff;
    std::uint64_t data = 0x00cf93000000ffff;
    std::uint64_t task_low = 0, task_high = 0;

    constexpr void set_task(std::uint64_t base) {
        task_low = (sizeof(TaskState) - 1) | (base & 0xffffff) << 16 | std::uint64_t{0x89} << 40 |
                   (base >> 24 & 0xff) << 56;
        task_high = base >> 32;
    }
    [[nodiscard]] constexpr std::uint64_t task_base() const {
        return (task_low >> 16 & 0xffffff) | (task_low >> 56) << 24 | task_high << 32;
    }
};

inline constexpr unsigned ist_nmi = 1, ist_double_fault = 2, ist_machine_check = 3;
inline constexpr unsigned exception_count = 32, vector_count = 256;

struct Gate {
    std::uint64_t low = 0, high = 0;

    static constexpr Gate interrupt(std::uint64_t handler, unsigned ist) {
        return {(handler & 0xffff) | std::uint64_t{code_selector} << 16 | std::uint64_t{ist} << 32 |
                    std::uint64_t{0x8e} << 40 | (handler >> 16 & 0xffff) << 48,
                handler >> 32};
    }
};
using Idt = std::array<Gate, vector_count>;

} // namespace cpu
