// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/suggest.hpp - "did you mean" for commands, keys and words.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace diagnostic {

// The candidate nearest to `word` by edits (insert, delete, replace, swap of neighbours), if it is near
// enough to be a slip of the keys: at most a third of the word's length, and at least one. Ties go to the
// first candidate.
std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> candidates);

} // namespace diagnostic
