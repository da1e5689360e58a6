// SPDX-License-Identifier: Apache-2.0
// image-tools/run/junit.cpp - results as JUnit's XML.
#include "image-tools/run/junit.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace run {

std::string xml_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else
            out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E ? '?' : c;
    }
    return out;
}

std::string junit(std::string_view suite, double seconds, std::span<const JunitCase> cases) {
    const auto failures = std::count_if(cases.begin(), cases.end(),
                                        [](const JunitCase& item) { return !item.failure.empty(); });
    std::array<char, 32> time{};
    std::snprintf(time.data(), time.size(), "%.3f", seconds);
    const std::string name = xml_escaped(suite);
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"" +
                      name + "\" tests=\"" + std::to_string(cases.size()) + "\" failures=\"" +
                      std::to_string(failures) + "\" time=\"" + time.data() + "\">\n";
    for (const JunitCase& item : cases) {
        out += "    <testcase classname=\"" + name + "\" name=\"" + xml_escaped(item.name) + "\"";
        out += item.failure.empty()
                   ? "/>\n"
                   : ">\n      <failure message=\"" + xml_escaped(item.failure) + "\"/>\n    </testcase>\n";
    }
    return out + "  </testsuite>\n</testsuites>\n";
}

} // namespace run
