// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/filter.hpp - classic BPF over the data of a system call: seccomp(2)'s programs.
//
// Trust:      a program comes from the partition's own program, or from the plan, and may be anything. It is
//             checked once; a checked one ends (it only jumps forward) and reads nothing but its data.
// Spec:       Documentation/networking/filter.rst, seccomp(2): the instructions that a filter may have.
#pragma once

#include "partitions/unikernel/base/errno.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace uk::policy {

struct Instruction { // struct sock_filter
    std::uint16_t code;
    std::uint8_t jump_true, jump_false;
    std::uint32_t k;
};
static_assert(sizeof(Instruction) == 8);

// struct seccomp_data, as the words a program loads.
struct CallData {
    std::uint32_t number = 0;
    std::uint32_t architecture = 0;
    std::uint64_t instruction_pointer = 0;
    std::array<std::uint64_t, 6> arguments{};
};
static_assert(sizeof(CallData) == 64);
inline constexpr std::uint32_t architecture_x86_64 = 0xC000003E;

// What a program returns: an action in the upper half, data of it in the lower.
namespace action {
inline constexpr std::uint32_t kill_process = 0x80000000, kill_thread = 0, trap = 0x00030000,
                               error = 0x00050000, notify = 0x7FC00000, trace = 0x7FF00000, log = 0x7FFC0000,
                               allow = 0x7FFF0000, mask = 0xFFFF0000, data_mask = 0xFFFF;
}

inline constexpr std::size_t most_instructions = 4096; // BPF_MAXINSNS

// inval: no program that a filter may be.
[[nodiscard]] Status check(std::span<const Instruction> program);
// The value that a checked program returns.
[[nodiscard]] std::uint32_t run(std::span<const Instruction> program, const CallData& data);
// Does a checked program allow the call, whatever its arguments are? It is run with the number alone.
[[nodiscard]] bool always_allows(std::span<const Instruction> program, std::uint32_t number);

// The stricter of two actions, as Linux orders them.
[[nodiscard]] constexpr std::uint32_t stricter(std::uint32_t one, std::uint32_t other) {
    const auto rank = [](std::uint32_t value) { return static_cast<std::int32_t>(value & action::mask); };
    return rank(other) < rank(one) ? other : one;
}

} // namespace uk::policy
