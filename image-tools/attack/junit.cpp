// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/junit.cpp - results as JUnit's XML. A verdict can quote a guest: everything is escaped.
#include "image-tools/attack/junit.hpp"

#include <algorithm>

namespace attack {
namespace {

std::string escaped(const std::string& text) {
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

} // namespace

std::string junit(std::span<const Item> items) {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
    for (auto first = items.begin(); first != items.end();) {
        const auto last =
            std::find_if(first, items.end(), [&](const Item& item) { return item.group != first->group; });
        const auto failures = std::count_if(first, last, [](const Item& item) { return !item.passed; });
        out += "  <testsuite name=\"caisson.attack." + escaped(first->group) + "\" tests=\"" +
               std::to_string(last - first) + "\" failures=\"" + std::to_string(failures) + "\">\n";
        for (; first != last; ++first) {
            out += "    <testcase classname=\"" + escaped(first->group) + "." + escaped(first->vendor) +
                   "\" name=\"" + escaped(first->name) + "\"";
            if (first->passed)
                out += "/>\n";
            else
                out += ">\n      <failure message=\"expected " + escaped(first->expected) + ", got " +
                       escaped(first->verdict) + "\"/>\n    </testcase>\n";
        }
        out += "  </testsuite>\n";
    }
    return out + "</testsuites>\n";
}

} // namespace attack
