// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/cases.hpp - tests beside policies: a plan in, the rules that are not met out.
#pragma once

#include "image-tools/admission/judge.hpp"

#include <string>
#include <vector>

namespace admission {

struct CaseResult {
    std::string name;
    bool passed = false;
    std::string detail; // what differs
};
struct CasesResult {
    std::vector<CaseResult> cases;
    std::vector<std::string> untested; // rules that no case makes fail
};

// A file of kind PolicyTest; the policy it names starts from the file's folder. Throws as parse() does.
CasesResult run_cases(const std::string& file, std::string text);

} // namespace admission
