// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/text.hpp - what several databases have in common: lines, fields, trimmed words.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sbom::text {

inline std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos)
        return {};
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Parts between a byte; an empty last one is none.
inline std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(at), text.size());
        out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

inline std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// "Name: value" lines up to an empty one; lines that begin with a blank go on. Names in lower case; the first of a name counts.
using Fields = std::map<std::string, std::string, std::less<>>;
inline Fields fields(std::string_view paragraph) {
    Fields out;
    std::string* last = nullptr;
    for (const std::string_view line : split(paragraph, '\n')) {
        if (trimmed(line).empty())
            break;
        if (line.front() == ' ' || line.front() == '\t') {
            if (last != nullptr)
                *last += "\n" + std::string(trimmed(line));
            continue;
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            last = nullptr;
            continue;
        }
        const auto [at, is_new] =
            out.try_emplace(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
        last = is_new ? &at->second : nullptr;
    }
    return out;
}

inline std::string value(const Fields& fields, std::string_view name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
}

// Of a value that goes on in further lines.
inline std::string first_line(const std::string& value) {
    return value.substr(0, value.find('\n'));
}

// Paragraphs between empty lines.
inline std::vector<std::string_view> paragraphs(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find("\n\n"), text.size());
        if (!trimmed(text.substr(0, end)).empty())
            out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return out;
}

} // namespace sbom::text
