// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/lexer.cpp - the words of an expression: names, numbers, strings with their escapes.
#include "image-tools/cel/lexer.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace cel {
namespace {

bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool digit(char c) {
    return c >= '0' && c <= '9';
}
int hex_value(char c) {
    if (digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

class Lexer {
public:
    Lexer(std::string_view text, std::vector<Token>& out) : text_(text), out_(out) {}

    std::optional<Problem> all() {
        while (!problem_) {
            skip_space();
            if (at_ >= text_.size())
                break;
            one();
        }
        if (problem_)
            return problem_;
        out_.push_back({Word::end, static_cast<std::uint32_t>(text_.size()), 0, {}, 0, 0});
        return std::nullopt;
    }

private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    void wrong(std::string message, std::size_t from, std::size_t width = 1) {
        if (!problem_)
            problem_ = Problem{std::move(message), static_cast<std::uint32_t>(from),
                               static_cast<std::uint32_t>(width == 0 ? 1 : width)};
    }
    void skip_space() {
        for (;; ++at_) {
            const char c = peek();
            if (c == '/' && peek(1) == '/') {
                while (at_ < text_.size() && text_[at_] != '\n')
                    ++at_;
            }
            if (at_ >= text_.size() ||
                (peek() != ' ' && peek() != '\t' && peek() != '\n' && peek() != '\r' && peek() != '\f'))
                return;
        }
    }
    Token& add(Word word, std::size_t from) {
        Token token;
        token.word = word;
        token.place = static_cast<std::uint32_t>(from);
        token.width = static_cast<std::uint32_t>(at_ - from);
        out_.push_back(std::move(token));
        return out_.back();
    }

    void one() {
        const char c = peek();
        if (starts_string())
            return string();
        if (letter(c))
            return name();
        if (digit(c) || (c == '.' && digit(peek(1))))
            return number();
        if (c == '`')
            return quoted_name();
        sign();
    }

    [[nodiscard]] bool starts_string() const {
        std::size_t ahead = 0;
        bool raw = false, bytes = false;
        for (; ahead < 2; ++ahead) {
            const char c = peek(ahead);
            if ((c == 'r' || c == 'R') && !raw)
                raw = true;
            else if ((c == 'b' || c == 'B') && !bytes)
                bytes = true;
            else
                break;
        }
        return peek(ahead) == '"' || peek(ahead) == '\'';
    }

    void name() {
        const std::size_t from = at_;
        while (letter(peek()) || digit(peek()))
            ++at_;
        add(Word::name, from).text = text_.substr(from, at_ - from);
    }

    void quoted_name() {
        const std::size_t from = at_++;
        while (letter(peek()) || digit(peek()) ||
               (peek() != '\0' && std::string_view("./- ").find(peek()) != std::string_view::npos))
            ++at_;
        if (peek() != '`' || at_ == from + 1)
            return wrong("a name in backquotes has letters, digits and . / - _ and ends with a backquote",
                         from);
        ++at_;
        add(Word::quoted_name, from).text = text_.substr(from + 1, at_ - from - 2);
    }

    void number() {
        const std::size_t from = at_;
        if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && hex_value(peek(2)) >= 0) {
            at_ += 2;
            while (hex_value(peek()) >= 0)
                ++at_;
            return whole(from, from + 2, 16);
        }
        while (digit(peek()))
            ++at_;
        bool real = false;
        if (peek() == '.' && digit(peek(1))) {
            real = true;
            ++at_;
            while (digit(peek()))
                ++at_;
        }
        if (peek() == 'e' || peek() == 'E') {
            const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
            if (digit(peek(1 + sign))) {
                real = true;
                at_ += 1 + sign;
                while (digit(peek()))
                    ++at_;
            }
        }
        if (!real)
            return whole(from, from, 10);
        std::string digits(text_.substr(from, at_ - from));
        if (digits.front() == '.')
            digits.insert(0, "0");
        double value = 0;
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (result.ec != std::errc{} && result.ec != std::errc::result_out_of_range)
            return wrong("not a number", from, at_ - from);
        if (result.ec ==
            std::errc::result_out_of_range) // too small is 0, too large infinite, as strtod has it
            value = digits.find("e-") != std::string::npos || digits.find("E-") != std::string::npos
                        ? 0
                        : HUGE_VAL;
        add(Word::real, from).real = value;
        after_number(from);
    }

    void whole(std::size_t from, std::size_t digits, int base) {
        std::uint64_t value = 0;
        const auto result = std::from_chars(text_.data() + digits, text_.data() + at_, value, base);
        const bool natural = peek() == 'u' || peek() == 'U';
        if (natural)
            ++at_;
        constexpr std::uint64_t most = std::uint64_t{1} << 63; // -9223372036854775808
        if (result.ec != std::errc{} || (!natural && value > most))
            return wrong("the number does not fit 64 bits", from, at_ - from);
        add(natural ? Word::natural : Word::integer, from).number = value;
        after_number(from);
    }

    void after_number(std::size_t from) {
        if (letter(peek()))
            wrong("a number ends in a letter", from, at_ - from + 1);
    }

    void sign() {
        static constexpr std::array<std::string_view, 6> two{"&&", "||", "==", "!=", "<=", ">="};
        for (const std::string_view candidate : two)
            if (text_.substr(at_).starts_with(candidate)) {
                at_ += 2;
                add(Word::sign, at_ - 2).text = candidate;
                return;
            }
        const char c = peek();
        if (std::string_view("<>+-*/%!?:.,()[]{}").find(c) == std::string_view::npos || c == '\0')
            return wrong(c == '=' ? "a single '='; equality is written =="
                                  : "a character that no expression has",
                         at_);
        ++at_;
        add(Word::sign, at_ - 1).text = std::string(1, c);
    }

    void string() {
        const std::size_t from = at_;
        bool raw = false, bytes = false;
        for (; peek() != '"' && peek() != '\''; ++at_) {
            raw = raw || peek() == 'r' || peek() == 'R';
            bytes = bytes || peek() == 'b' || peek() == 'B';
        }
        const char quote = peek();
        const std::size_t quotes = peek(1) == quote && peek(2) == quote ? 3 : 1;
        at_ += quotes;
        std::string content;
        for (;;) {
            if (at_ >= text_.size() || (quotes == 1 && (peek() == '\n' || peek() == '\r')))
                return wrong("the string does not end", from);
            if (peek() == quote && (quotes == 1 || (peek(1) == quote && peek(2) == quote))) {
                at_ += quotes;
                break;
            }
            if (peek() == '\\' && !raw) {
                if (!escape(content, bytes))
                    return;
                continue;
            }
            if (peek() == '\r' && peek(1) == '\n') // one line end, however the file has it
                ++at_;
            content += peek();
            ++at_;
        }
        add(bytes ? Word::bytes : Word::text, from).text = std::move(content);
    }

    // One escape sequence; false: it is none.
    bool escape(std::string& content, bool bytes) {
        const std::size_t from = at_;
        const char c = peek(1);
        at_ += 2;
        static constexpr std::string_view names = "abfnrtv\\?\"'`", values = "\a\b\f\n\r\t\v\\?\"'`";
        if (const std::size_t found = names.find(c); c != '\0' && found != std::string_view::npos) {
            content += values[found];
            return true;
        }
        std::size_t digits = 0;
        unsigned base = 16;
        if (c == 'x' || c == 'X')
            digits = 2;
        else if (c == 'u' && !bytes)
            digits = 4;
        else if (c == 'U' && !bytes)
            digits = 8;
        else if (c >= '0' && c <= '3') {
            digits = 3;
            base = 8;
            --at_;
        }
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < digits; ++i, ++at_) {
            const int one = hex_value(peek());
            if (one < 0 || static_cast<unsigned>(one) >= base)
                digits = 0;
            else
                value = value * base + static_cast<std::uint32_t>(one);
        }
        if (digits == 0 || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
            wrong("not an escape sequence", from, 2);
            return false;
        }
        if (bytes)
            content += static_cast<char>(value);
        else
            append_utf8(content, value);
        return true;
    }

    std::string_view text_;
    std::vector<Token>& out_;
    std::size_t at_ = 0;
    std::optional<Problem> problem_;
};

// Bytes of the sequence that begins with this byte; 0: none does.
std::size_t sequence_length(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first < 0xE0)
        return 2;
    if (first >= 0xE0 && first < 0xF0)
        return 3;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

} // namespace

std::optional<Problem> split(std::string_view text, std::vector<Token>& out) {
    if (!valid_utf8(text))
        return Problem{"the expression is not UTF-8", 0, 1};
    return Lexer(text, out).all();
}

bool valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(static_cast<unsigned char>(text[at]));
        if (length == 0 || at + length > text.size())
            return false;
        for (std::size_t i = 1; i < length; ++i)
            if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80)
                return false;
        std::size_t ignored = 0;
        const std::uint32_t value = decode_utf8(text, at, ignored);
        if ((length == 3 && value < 0x800) || (length == 4 && (value < 0x10000 || value > 0x10FFFF)) ||
            (value >= 0xD800 && value <= 0xDFFF))
            return false;
        at += length;
    }
    return true;
}

void append_utf8(std::string& out, std::uint32_t value) {
    const auto add = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (value < 0x80) {
        add(value);
    } else if (value < 0x800) {
        add(0xC0 | value >> 6);
        add(0x80 | (value & 0x3F));
    } else if (value < 0x10000) {
        add(0xE0 | value >> 12);
        add(0x80 | (value >> 6 & 0x3F));
        add(0x80 | (value & 0x3F));
    } else {
        add(0xF0 | value >> 18);
        add(0x80 | (value >> 12 & 0x3F));
        add(0x80 | (value >> 6 & 0x3F));
        add(0x80 | (value & 0x3F));
    }
}

std::uint32_t decode_utf8(std::string_view text, std::size_t at, std::size_t& bytes) {
    const auto first = static_cast<unsigned char>(text[at]);
    bytes = sequence_length(first);
    if (bytes <= 1 || at + bytes > text.size()) {
        bytes = 1;
        return first;
    }
    std::uint32_t value = first & (0xFFu >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i)
        value = value << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
    return value;
}

std::size_t count_code_points(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text)
        count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    return count;
}

} // namespace cel
