// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/exec/program.hpp"
#include "partitions/unikernel/mm/user.hpp"

#include <cstdlib>

// What is accepted keeps the promises of program.hpp.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span{data, size});
    const auto program = uk::exec::parse_program(bytes);
    if (program.ok()) {
        std::uint64_t before = 0;
        for (const auto& segment : program->segments) {
            const std::uint64_t start = segment.address & ~std::uint64_t{4095};
            if (segment.end() <= segment.address || segment.end() > uk::mm::user_end || start < before ||
                segment.file_bytes > segment.memory_bytes || (segment.address - segment.offset) % 4096 != 0)
                std::abort();
            before = (segment.end() + 4095) & ~std::uint64_t{4095};
        }
    }
    const auto script = uk::exec::parse_script(bytes);
    if (script.ok() && script->interpreter.empty())
        std::abort();
    return 0;
}
