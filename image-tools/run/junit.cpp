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

namespace {

std::string three_digits(double seconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f", seconds);
    return text.data();
}

// As text between tags: lines stay lines.
std::string xml_text(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        out += xml_escaped(line);
        text.remove_prefix(line.size());
        if (!text.empty()) {
            out += '\n';
            text.remove_prefix(1);
        }
    }
    return out;
}

} // namespace

std::string junit(std::string_view suite, double seconds, std::span<const JunitCase> cases) {
    const auto failures = std::count_if(cases.begin(), cases.end(),
                                        [](const JunitCase& item) { return !item.failure.empty(); });
    const std::string name = xml_escaped(suite);
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"" +
                      name + "\" tests=\"" + std::to_string(cases.size()) + "\" failures=\"" +
                      std::to_string(failures) + "\" time=\"" + three_digits(seconds) + "\">\n";
    for (const JunitCase& item : cases) {
        out += "    <testcase classname=\"" + name + "\" name=\"" + xml_escaped(item.name) + "\"";
        if (item.seconds)
            out += " time=\"" + three_digits(*item.seconds) + "\"";
        if (item.failure.empty()) {
            out += "/>\n";
            continue;
        }
        out += ">\n      <failure message=\"" + xml_escaped(item.failure) + "\"/>\n";
        if (!item.output.empty())
            out += "      <system-out>" + xml_text(item.output) + "</system-out>\n";
        out += "    </testcase>\n";
    }
    return out + "  </testsuite>\n</testsuites>\n";
}

} // namespace run
