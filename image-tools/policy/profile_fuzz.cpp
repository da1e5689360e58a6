// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/profile_fuzz.cpp - any bytes as a profile: read and compiled, or refused in words.
#include "image-tools/policy/program.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
    try {
        static_cast<void>(policy::compile(policy::read_profile(text, "fuzz", {"CAP_SYS_ADMIN"}), "fuzz"));
    } catch (const diagnostic::Failure&) {
    }
    return 0;
}
