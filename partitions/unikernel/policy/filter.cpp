// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/filter.cpp - see filter.hpp.
#include "partitions/unikernel/policy/filter.hpp"

#include "hypervisor/base/fail.hpp"

#include <cstring>
#include <optional>

namespace uk::policy {

namespace {

constexpr std::size_t words = 16; // of scratch memory

// Classes, sizes and operations, as they are put together in a code.
constexpr std::uint16_t ld = 0, ldx = 1, st = 2, stx = 3, alu = 4, jmp = 5, ret = 6, misc = 7;
constexpr std::uint16_t imm = 0x00, abs = 0x20, mem = 0x60, len = 0x80;
constexpr std::uint16_t add = 0x00, sub = 0x10, mul = 0x20, div = 0x30, bit_or = 0x40, bit_and = 0x50,
                        lsh = 0x60, rsh = 0x70, neg = 0x80, bit_xor = 0xA0;
constexpr std::uint16_t always = 0x00, equal = 0x10, greater = 0x20, greater_equal = 0x30, any_bit = 0x40;
constexpr std::uint16_t by_x = 0x08, return_a = 0x10, tax = 0x00, txa = 0x80;

constexpr std::uint16_t class_of(std::uint16_t code) {
    return code & 7;
}
constexpr std::uint16_t operation_of(std::uint16_t code) {
    return code & 0xF0;
}

bool known_alu(const Instruction& instruction) {
    const std::uint16_t operation = operation_of(instruction.code);
    const bool x = (instruction.code & by_x) != 0;
    if ((instruction.code & ~(0xF0u | by_x)) != alu)
        return false;
    switch (operation) {
    case add:
    case sub:
    case mul:
    case bit_or:
    case bit_and:
    case bit_xor:
        return true;
    case div:
        return x || instruction.k != 0;
    case lsh:
    case rsh:
        return x || instruction.k < 32;
    case neg:
        return !x;
    default:
        return false;
    }
}

bool known_jump(const Instruction& instruction, std::size_t left) {
    const std::uint16_t operation = operation_of(instruction.code);
    if ((instruction.code & ~(0xF0u | by_x)) != jmp || operation > any_bit)
        return false;
    if (operation == always)
        return (instruction.code & by_x) == 0 && instruction.k < left;
    return instruction.jump_true < left && instruction.jump_false < left;
}

// `left`: instructions behind this one.
bool known(const Instruction& instruction, std::size_t left) {
    switch (instruction.code) {
    case ld | abs:
        return instruction.k < sizeof(CallData) && instruction.k % 4 == 0;
    case ld | len:
    case ldx | len:
    case ld | imm:
    case ldx | imm:
    case ret:
    case ret | return_a:
    case misc | tax:
    case misc | txa:
        return true;
    case ld | mem:
    case ldx | mem:
    case st:
    case stx:
        return instruction.k < words;
    default:
        break;
    }
    return class_of(instruction.code) == alu ? known_alu(instruction) : known_jump(instruction, left);
}

// No word of the scratch memory is read on a way on which it was not written. Jumps go forward: one pass.
bool reads_what_is_written(std::span<const Instruction> program) {
    constexpr std::uint16_t all = 0xFFFF;
    std::array<std::uint16_t, most_instructions> at_target; // words written on every way that leads there
    at_target.fill(all);
    std::uint16_t written = 0;
    for (std::size_t i = 0; i < program.size(); ++i) {
        const Instruction& here = program[i];
        written &= at_target[i];
        const auto lead = [&](std::size_t offset) { at_target[i + 1 + offset] &= written; };
        switch (here.code) {
        case st:
        case stx:
            written = static_cast<std::uint16_t>(written | 1u << here.k);
            break;
        case ld | mem:
        case ldx | mem:
            if ((written >> here.k & 1) == 0)
                return false;
            break;
        case jmp | always:
            lead(here.k);
            written = all;
            break;
        default:
            if (class_of(here.code) == jmp) {
                lead(here.jump_true);
                lead(here.jump_false);
                written = all;
            }
        }
    }
    return true;
}

// Runs a checked program. `load` gives a word of the data; nothing: it must not be known, the run ends.
template <typename Load>
std::optional<std::uint32_t> execute(std::span<const Instruction> program, Load load) {
    std::uint32_t a = 0, x = 0;
    std::array<std::uint32_t, words> memory{};
    for (std::size_t i = 0; i < program.size(); ++i) {
        const Instruction& here = program[i];
        const std::uint32_t other = (here.code & by_x) != 0 ? x : here.k;
        switch (here.code) {
        case ld | abs: {
            const auto word = load(here.k);
            if (!word)
                return std::nullopt;
            a = *word;
            break;
        }
        case ld | len:
            a = sizeof(CallData);
            break;
        case ldx | len:
            x = sizeof(CallData);
            break;
        case ld | imm:
            a = here.k;
            break;
        case ldx | imm:
            x = here.k;
            break;
        case ld | mem:
            a = memory[here.k];
            break;
        case ldx | mem:
            x = memory[here.k];
            break;
        case st:
            memory[here.k] = a;
            break;
        case stx:
            memory[here.k] = x;
            break;
        case misc | tax:
            x = a;
            break;
        case misc | txa:
            a = x;
            break;
        case ret:
            return here.k;
        case ret | return_a:
            return a;
        case alu | add:
        case alu | add | by_x:
            a += other;
            break;
        case alu | sub:
        case alu | sub | by_x:
            a -= other;
            break;
        case alu | mul:
        case alu | mul | by_x:
            a *= other;
            break;
        case alu | div:
        case alu | div | by_x:
            if (other == 0)
                return 0; // as Linux: the program ends
            a /= other;
            break;
        case alu | bit_or:
        case alu | bit_or | by_x:
            a |= other;
            break;
        case alu | bit_and:
        case alu | bit_and | by_x:
            a &= other;
            break;
        case alu | bit_xor:
        case alu | bit_xor | by_x:
            a ^= other;
            break;
        case alu | lsh:
        case alu | lsh | by_x:
            a <<= other & 31;
            break;
        case alu | rsh:
        case alu | rsh | by_x:
            a >>= other & 31;
            break;
        case alu | neg:
            a = 0 - a;
            break;
        case jmp | always:
            i += here.k;
            break;
        case jmp | equal:
        case jmp | equal | by_x:
            i += a == other ? here.jump_true : here.jump_false;
            break;
        case jmp | greater:
        case jmp | greater | by_x:
            i += a > other ? here.jump_true : here.jump_false;
            break;
        case jmp | greater_equal:
        case jmp | greater_equal | by_x:
            i += a >= other ? here.jump_true : here.jump_false;
            break;
        case jmp | any_bit:
        case jmp | any_bit | by_x:
            i += (a & other) != 0 ? here.jump_true : here.jump_false;
            break;
        default:
            return action::kill_process; // not checked
        }
    }
    return action::kill_process; // not checked: the last one returns
}

} // namespace

Status check(std::span<const Instruction> program) {
    if (program.empty() || program.size() > most_instructions)
        return base::Failure{Errno::inval};
    for (std::size_t i = 0; i < program.size(); ++i)
        if (!known(program[i], program.size() - i - 1))
            return base::Failure{Errno::inval};
    const std::uint16_t last = program.back().code;
    if ((last != ret && last != (ret | return_a)) || !reads_what_is_written(program))
        return base::Failure{Errno::inval};
    return base::success;
}

std::uint32_t run(std::span<const Instruction> program, const CallData& data) {
    const auto result = execute(program, [&data](std::uint32_t at) -> std::optional<std::uint32_t> {
        std::uint32_t word = 0;
        std::memcpy(&word, reinterpret_cast<const std::byte*>(&data) + at, sizeof(word));
        return word;
    });
    return *result;
}

bool always_allows(std::span<const Instruction> program, std::uint32_t number) {
    const auto result = execute(program, [number](std::uint32_t at) -> std::optional<std::uint32_t> {
        if (at == offsetof(CallData, number))
            return number;
        if (at == offsetof(CallData, architecture))
            return architecture_x86_64;
        return std::nullopt;
    });
    return result && (*result & action::mask) == action::allow;
}

} // namespace uk::policy
