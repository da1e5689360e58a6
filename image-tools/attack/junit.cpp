// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/junit.cpp - results as JUnit's XML. A verdict can quote a guest: everything is escaped.
#include "image-tools/attack/junit.hpp"

#include "image-tools/run/junit.hpp"

#include <algorithm>

namespace attack {
using run::xml_escaped;

std::string junit(std::span<const Item> items) {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
    for (auto first = items.begin(); first != items.end();) {
        const auto last =
            std::find_if(first, items.end(), [&](const Item& item) { return item.group != first->group; });
        const auto failures = std::count_if(first, last, [](const Item& item) { return !item.passed; });
        out += "  <testsuite name=\"caisson.attack." + xml_escaped(first->group) + "\" tests=\"" +
               std::to_string(last - first) + "\" failures=\"" + std::to_string(failures) + "\">\n";
        for (; first != last; ++first) {
            out += "    <testcase classname=\"" + xml_escaped(first->group) + "." +
                   xml_escaped(first->vendor) + "\" name=\"" + xml_escaped(first->name) + "\"";
            if (first->passed)
                out += "/>\n";
            else
                out += ">\n      <failure message=\"expected " + xml_escaped(first->expected) + ", got " +
                       xml_escaped(first->verdict) + "\"/>\n    </testcase>\n";
        }
        out += "  </testsuite>\n";
    }
    return out + "</testsuites>\n";
}

} // namespace attack
