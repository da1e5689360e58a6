// SPDX-License-Identifier: Apache-2.0
// WWW-Authenticate of arbitrary bytes: read or refused; what was read, written again, reads the same.
#include "image-tools/registry/challenge.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + '"';
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto read = registry::parse_challenges({reinterpret_cast<const char*>(data), size});
    if (!read)
        return 0;
    std::string text;
    for (const registry::Challenge& challenge : *read) {
        text += (text.empty() ? "" : ", ") + challenge.scheme;
        if (!challenge.token68.empty())
            text += " " + challenge.token68;
        const char* before = " ";
        for (const auto& [name, value] : challenge.parameters) {
            text += before + name + "=" + quoted(value);
            before = ", ";
        }
    }
    const auto again = registry::parse_challenges(text);
    if (!again || again->size() != read->size())
        std::abort();
    for (std::size_t i = 0; i < read->size(); ++i)
        if ((*again)[i].scheme != (*read)[i].scheme || (*again)[i].token68 != (*read)[i].token68 ||
            (*again)[i].parameters != (*read)[i].parameters)
            std::abort();
    return 0;
}
