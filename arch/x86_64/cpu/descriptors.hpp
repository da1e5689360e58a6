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

    [[nodiscard]] constexpr std::uint64_t task_base() const {
        return (task_low >> 16 & 0xffffff) | (task_low >> 56) << 24 | task_high << 32;
    }
};

inline constexpr unsigned vector_count = 256;

struct Gate {
    std::uint64_t low = 0, high = 0;
};
using Idt = std::array<Gate, vector_count>;

} // namespace cpu
