// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/syscalls.hpp - the handlers of system calls, one function each.
//
// numbers.txt is the one list: number, name, family. A handler `sys_NAME` lives in FAMILY.cpp; naming a
// family there declares it here and enters it in the table (table.cpp).
// Trust:      every argument comes from the program and may be anything; user memory only through
//             mm/user.hpp.
// Invariants: a handler that fails changes nothing that the program can see, except where Linux does.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/mm/user.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace uk {

// RDI RSI RDX R10 R8 R9.
struct Arguments {
    std::array<std::uint64_t, 6> values;

    [[nodiscard]] std::uint64_t operator[](std::size_t i) const { return values[i]; }
    [[nodiscard]] mm::UserAddress pointer(std::size_t i) const { return mm::UserAddress{values[i]}; }
    // The C type `int` as the ABI passes it: the low 32 bits.
    [[nodiscard]] int integer(std::size_t i) const {
        return static_cast<int>(static_cast<std::uint32_t>(values[i]));
    }
    [[nodiscard]] std::uint32_t word(std::size_t i) const { return static_cast<std::uint32_t>(values[i]); }
};

#define CAISSON_SYSTEM_CALL(number, name) SyscallResult sys_##name(const Arguments& arguments);
#define CAISSON_SYSTEM_CALL_ABSENT(number, name)
#include "syscall_list.inc"
#undef CAISSON_SYSTEM_CALL
#undef CAISSON_SYSTEM_CALL_ABSENT

// Answers one call; ENOSYS, logged once by name, where there is no handler.
[[nodiscard]] SyscallResult dispatch(std::uint64_t number, const Arguments& arguments);

// PID 1 is the program of the startup record, whose word is taken for how the container is (prctl).
inline bool first_process_tells = false;

// "openat", or nothing for a number that Linux does not have.
[[nodiscard]] std::string_view syscall_name(std::uint64_t number);
[[nodiscard]] bool syscall_is_there(std::uint64_t number);

} // namespace uk
