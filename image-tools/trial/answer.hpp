// SPDX-License-Identifier: Apache-2.0
// image-tools/trial/answer.hpp - what a server answered, as far as it has come.
//
// Trust: every byte is a container's.
// Spec:  RFC 9112, "Status Line", "Message Body Length".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace trial {

inline constexpr std::size_t most_answer = std::size_t{16} << 20;

struct HttpAnswer {
    unsigned status = 0;
    std::string_view body; // of the text that was read
};

// The answer in `text`. Nothing: it goes on, or it is none. `complete`: no more will come.
std::optional<HttpAnswer> read_http_answer(std::string_view text, bool complete);

// A line of `text` that has `part`; the last one may still be without its end.
bool has_line(std::string_view text, std::string_view part);

// Its last line that is not empty, for people: at most 100 characters.
std::string last_line(std::string_view text);

} // namespace trial
