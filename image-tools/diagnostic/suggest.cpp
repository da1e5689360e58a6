// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/suggest.cpp - edit distance over short words.
#include "image-tools/diagnostic/suggest.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace diagnostic {
namespace {

constexpr std::size_t longest_word = 64; // longer input is no slip of the keys

char lower(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0u : 1u)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(above);
        above.swap(row);
    }
    return above[b.size()];
}

} // namespace

std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.empty() || word.size() > longest_word)
        return std::nullopt;
    std::size_t nearest = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::optional<std::string_view> found;
    for (std::string_view candidate : candidates) {
        if (candidate.size() > longest_word)
            continue;
        const std::size_t edits = distance(word, candidate);
        if (edits < nearest) {
            nearest = edits;
            found = candidate;
        }
    }
    return found;
}

} // namespace diagnostic
