// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/neutral.cpp - hostile text made harmless.
#include "image-tools/diagnostic/neutral.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace diagnostic {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

// How a sequence that begins with this byte goes on (Unicode, "Well-Formed UTF-8 Byte Sequences", table 3-7).
struct Lead {
    std::uint8_t first, last; // of the lead byte
    std::size_t length;
    std::uint8_t low, high; // of the second byte
};
constexpr std::array<Lead, 8> leads{{{0xC2, 0xDF, 2, 0x80, 0xBF},
                                     {0xE0, 0xE0, 3, 0xA0, 0xBF},
                                     {0xE1, 0xEC, 3, 0x80, 0xBF},
                                     {0xED, 0xED, 3, 0x80, 0x9F},
                                     {0xEE, 0xEF, 3, 0x80, 0xBF},
                                     {0xF0, 0xF0, 4, 0x90, 0xBF},
                                     {0xF1, 0xF3, 4, 0x80, 0xBF},
                                     {0xF4, 0xF4, 4, 0x80, 0x8F}}};

enum class Found { character, cut, invalid };
struct Character {
    Found found;
    std::size_t length;
    std::uint32_t code;
};

Character decode(std::string_view text) {
    const auto lead = static_cast<std::uint8_t>(text[0]);
    for (const Lead& entry : leads) {
        if (lead < entry.first || lead > entry.last)
            continue;
        std::uint32_t code = lead & (0xFFu >> (entry.length + 1));
        for (std::size_t i = 1; i < entry.length; ++i) {
            if (i == text.size())
                return {Found::cut, 0, 0};
            const auto byte = static_cast<std::uint8_t>(text[i]);
            const bool fits = i == 1 ? byte >= entry.low && byte <= entry.high : byte >= 0x80 && byte <= 0xBF;
            if (!fits)
                return {Found::invalid, 1, 0};
            code = code << 6 | (byte & 0x3F);
        }
        return {Found::character, entry.length, code};
    }
    return {Found::invalid, 1, 0};
}

// Ends a line, turns the text's direction or hides in it.
bool steers(std::uint32_t code) {
    return code == 0x61C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF || (code >= 0xE0000 && code <= 0xE007F);
}

void append_hex(std::string& out, std::string_view prefix, std::uint32_t value, int width) {
    out += prefix;
    for (int shift = 4 * (width - 1); shift >= 0; shift -= 4)
        out += digits[value >> shift & 15];
}

} // namespace

std::string Neutral::convert(std::string_view text, bool last) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<std::uint8_t>(text[i]);
        if (byte == '\r') {
            if (i + 1 == text.size() && !last) {
                kept_ = "\r";
                return out;
            }
            out += i + 1 < text.size() && text[i + 1] == '\n' ? "\r" : "^M";
            ++i;
        } else if (byte < 0x80) {
            if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
                out += '^';
                out += static_cast<char>(byte ^ 0x40);
            } else {
                out += text[i];
            }
            ++i;
        } else {
            const Character character = decode(text.substr(i));
            if (character.found == Found::cut && !last) {
                kept_ = text.substr(i);
                return out;
            }
            if (character.found != Found::character) {
                append_hex(out, "\\x", byte, 2);
                ++i;
                continue;
            }
            if (character.code < 0xA0)
                append_hex(out, "\\x", character.code, 2);
            else if (steers(character.code))
                append_hex(out, "\\u", character.code, character.code > 0xFFFF ? 6 : 4);
            else
                out += text.substr(i, character.length);
            i += character.length;
        }
    }
    return out;
}

std::string Neutral::feed(std::string_view bytes) {
    if (kept_.empty())
        return convert(bytes, false);
    const std::string text = std::exchange(kept_, {}) + std::string(bytes);
    return convert(text, false);
}

std::string Neutral::finish() {
    return convert(std::exchange(kept_, {}), true);
}

std::string neutral(std::string_view text) {
    Neutral whole;
    std::string out = whole.feed(text);
    out += whole.finish();
    return out;
}

} // namespace diagnostic
