// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/neutral.hpp - text from elsewhere, so that it cannot drive the terminal it is shown on.
//
// Trust:      the bytes are hostile: escape sequences, C1 controls split over two writes, overlong UTF-8, bidirectional
//             overrides.
// Invariants: what comes out is valid UTF-8 of printable characters, tabs and line ends; a CR only before a LF.
#pragma once

#include <string>
#include <string_view>

namespace diagnostic {

// Control bytes become ^X, bytes that are not UTF-8 and C1 controls \xNN, characters that change the direction or the
// line \uNNNN. A character cut by the end of one write is kept for the next.
class Neutral {
public:
    std::string feed(std::string_view bytes);
    std::string finish(); // what was kept

private:
    std::string convert(std::string_view text, bool last);
    std::string kept_; // the start of a character, or a CR
};

// All of `text` at once.
std::string neutral(std::string_view text);

} // namespace diagnostic
