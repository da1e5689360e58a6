// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/lexer.hpp - the words of an expression.
//
// Spec: CEL language definition, "Syntax": lexical rules. Bytes of the text are untrusted; not UTF-8 is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cel {

// What is wrong with an expression, and where: a byte range of its text.
struct Problem {
    std::string message;
    std::uint32_t place = 0;
    std::uint32_t width = 1;
};

enum class Word : std::uint8_t { end, name, quoted_name, integer, natural, real, text, bytes, sign };

struct Token {
    Word word = Word::end;
    std::uint32_t place = 0;
    std::uint32_t width = 0;
    std::string text;         // a name, a sign ("&&"), a literal's content
    std::uint64_t number = 0; // integer (its magnitude), natural
    double real = 0;

    [[nodiscard]] bool sign(std::string_view which) const { return word == Word::sign && text == which; }
};

// All of them, the last is `end`; or the first problem.
std::optional<Problem> split(std::string_view text, std::vector<Token>& out);

// For strings of code points.
bool valid_utf8(std::string_view text);
void append_utf8(std::string& out, std::uint32_t code_point);
// The code point that begins there, of valid UTF-8, and how many bytes it has.
std::uint32_t decode_utf8(std::string_view text, std::size_t at, std::size_t& bytes);
std::size_t count_code_points(std::string_view text);

} // namespace cel
