// SPDX-License-Identifier: Apache-2.0
// image-tools/run/junit.hpp - results as JUnit's XML, which CI systems read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace run {

struct JunitCase {
    std::string name;
    std::string failure; // empty: passed
    std::optional<double> seconds{};
    std::string output{}; // what goes with a failure
};

// One suite. What a guest or an image wrote is escaped.
std::string junit(std::string_view suite, double seconds, std::span<const JunitCase> cases);

// For an attribute: XML's own characters as entities, what is not printable ASCII as '?'.
std::string xml_escaped(std::string_view text);

} // namespace run
