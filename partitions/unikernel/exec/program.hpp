// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/program.hpp - reads a program file: an ELF executable, or a script with
// its interpreter.
//
// Pure.
// Trust:      the file is the container's, so anyone's.
// Invariants: every segment lies below user_end after any allowed load bias, ends after it starts,
//             is congruent to its file offset modulo the page size; segments are in ascending order
//             and share no page.
// Spec:       System V ABI "Program Loading", "Program Interpreter"; gABI PT_GNU_STACK.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "partitions/unikernel/base/errno.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace uk::exec {

inline constexpr std::size_t program_head_bytes = 4096; // what parse_program looks at: the headers lie in it

struct ProgramSegment {
    std::uint64_t address = 0; // without bias
    std::uint64_t offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t memory_bytes = 0;
    std::uint8_t protection = 0; // mm::protection

    [[nodiscard]] std::uint64_t end() const { return address + memory_bytes; }
};

struct Program {
    bool position_independent = false;
    std::uint64_t entry = 0;
    std::uint64_t headers_address = 0; // of the program headers in memory, without bias; 0: not loaded
    std::uint16_t header_count = 0;
    std::uint64_t interpreter_offset = 0,
                  interpreter_bytes = 0; // path with its NUL in the file; 0 bytes: none
    bool executable_stack = false;
    std::uint64_t alignment = 4096;                 // the largest of a segment
    base::FixedVector<ProgramSegment, 10> segments; // kept small: it lives on kernel stacks

    [[nodiscard]] std::uint64_t lowest() const { return segments[0].address & ~std::uint64_t{4095}; }
    [[nodiscard]] std::uint64_t end() const { return segments[segments.size() - 1].end(); }
};

// `head`: the first bytes of the file, up to program_head_bytes. Errors: noexec.
[[nodiscard]] Result<Program> parse_program(std::span<const std::byte> head);

struct Script {
    std::string_view interpreter;
    std::string_view argument; // empty: none
};
// "#!interpreter [argument]". noexec: not a script, or its first line is too long.
[[nodiscard]] Result<Script> parse_script(std::span<const std::byte> head);

} // namespace uk::exec
