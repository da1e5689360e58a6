// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/results.hpp - results of tests, as JUnit's XML has them, for controls that tests show.
//
// Trust: the files are a user's; entities are refused, depth and size are bounded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace admission {

class TestResults {
public:
    enum class Shown : std::uint8_t { passed, failed, missing };

    // The suites and cases of one file. Throws E0435 where it is not such a file.
    void add(std::string_view xml, const std::string& name);
    // Of a suite by its name: it says how many cases it has, all are there, and none failed or was skipped. Else of a case by its.
    [[nodiscard]] Shown look(const std::string& test) const;
    [[nodiscard]] bool empty() const { return suites_.empty() && cases_.empty(); }

private:
    friend class ResultsReader;
    struct Suite {
        std::uint64_t said = 0, there = 0;
        bool failed = false;
    };
    std::map<std::string, Suite> suites_;
    std::map<std::string, bool> cases_; // whether it passed
};

} // namespace admission
