// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/filter_fuzz.cpp - arbitrary programs: what is checked ends, and a call that is always
// allowed is allowed with any arguments.
#include "partitions/unikernel/policy/filter.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

using namespace uk::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    CallData data;
    if (size < sizeof(data))
        return 0;
    std::memcpy(&data, bytes, sizeof(data));
    std::vector<Instruction> program((size - sizeof(data)) / sizeof(Instruction));
    if (program.empty())
        return 0;
    std::memcpy(program.data(), bytes + sizeof(data), program.size() * sizeof(Instruction));
    if (!check(program).ok())
        return 0;
    data.architecture = architecture_x86_64;
    const std::uint32_t said = run(program, data);
    if (always_allows(program, data.number) && (said & action::mask) != action::allow)
        std::abort();
    return 0;
}
