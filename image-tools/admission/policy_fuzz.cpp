// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/policy_fuzz.cpp - any bytes as a policy: read and asked, or refused in words.
#include "image-tools/admission/judge.hpp"
#include "image-tools/cel/json.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const cel::Value plan = std::get<cel::Value>(cel::read_json(admission::example_plan()));
    try {
        std::vector<admission::Use> uses(1);
        uses[0].policy = admission::parse(
            "fuzz", std::string(static_cast<const char*>(static_cast<const void*>(data)), size));
        static_cast<void>(admission::judge(uses, plan, "2026-11-30").denied());
    } catch (const diagnostic::Failure&) {
    }
    return 0;
}
