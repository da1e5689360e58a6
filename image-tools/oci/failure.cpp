// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/failure.hpp"

#include <cstdio>

namespace oci {

std::string LayerContext::text() const {
    return image + ": layer " + std::to_string(index + 1) + " of " + std::to_string(count) + " (" + digest +
           ")";
}

std::string printable(std::string_view name) {
    constexpr std::size_t longest = 160;
    std::string shown;
    const auto append = [&shown](std::string_view part) {
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte < 0x20 || byte == 0x7f || c == '\\' || c == '\'') {
                char text[5];
                std::snprintf(text, sizeof text, "\\x%02x", byte);
                shown += text;
            } else {
                shown += c;
            }
        }
    };
    if (name.size() <= longest) {
        append(name);
    } else {
        append(name.substr(0, longest / 2));
        shown += "[...]";
        append(name.substr(name.size() - longest / 2));
    }
    return "'" + shown + "'";
}

} // namespace oci
