// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/exec_stack.hpp - the stack a program finds: strings, pointers, auxiliary vector.
#pragma once

#include "partitions/unikernel/exec/exec.hpp"

namespace uk::exec {

struct StackPlan {
    std::uint64_t program_headers = 0;
    std::uint64_t header_count = 0;
    std::uint64_t entry = 0;
    std::uint64_t interpreter_base = 0;
    std::string_view path;
    bool secure = false;
};

// Gives the stack pointer for the first instruction.
[[nodiscard]] Result<std::uint64_t> build_stack(mm::AddressSpace& space, const fs::Credentials& who,
                                                const ProgramStrings& strings, const StackPlan& plan);

} // namespace uk::exec
