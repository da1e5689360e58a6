// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/trap_frame.hpp - a program's registers as the entry stubs (entry.S) push them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace uk {

struct TrapFrame {
    std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    std::uint64_t vector; // exception or interrupt; system_call_vector
    std::uint64_t error;  // the CPU's error code; for a system call its number
    std::uint64_t rip, cs, rflags, rsp, ss;

    [[nodiscard]] bool from_user() const { return (cs & 3) == 3; }
};
static_assert(sizeof(TrapFrame) == 22 * 8);
static_assert(offsetof(TrapFrame, vector) == 15 * 8);

inline constexpr std::uint64_t system_call_vector = 0x100;

// Selectors: those that Linux uses, because signal frames show them.
inline constexpr std::uint16_t kernel_code_selector = 0x10;
inline constexpr std::uint16_t kernel_data_selector = 0x18;
inline constexpr std::uint16_t user_data_selector = 0x2B;
inline constexpr std::uint16_t user_code_selector = 0x33;
inline constexpr std::uint16_t task_selector = 0x40;

namespace rflags {
inline constexpr std::uint64_t carry = 1 << 0;
inline constexpr std::uint64_t parity = 1 << 2;
inline constexpr std::uint64_t adjust = 1 << 4;
inline constexpr std::uint64_t zero = 1 << 6;
inline constexpr std::uint64_t sign = 1 << 7;
inline constexpr std::uint64_t trap = 1 << 8;
inline constexpr std::uint64_t interrupt = 1 << 9;
inline constexpr std::uint64_t direction = 1 << 10;
inline constexpr std::uint64_t overflow = 1 << 11;
inline constexpr std::uint64_t io_privilege = 3 << 12;
inline constexpr std::uint64_t nested_task = 1 << 14;
inline constexpr std::uint64_t resume = 1 << 16;
inline constexpr std::uint64_t alignment_check = 1 << 18;
inline constexpr std::uint64_t identification = 1 << 21;
inline constexpr std::uint64_t always_set = 1 << 1;
// What a program may set through a signal frame.
inline constexpr std::uint64_t user_settable = carry | parity | adjust | zero | sign | trap | direction |
                                               overflow | resume | alignment_check | identification;
} // namespace rflags

} // namespace uk
