// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/diagnostic.cpp - a diagnostic as text.
#include "image-tools/diagnostic/diagnostic.hpp"

#include "image-tools/diagnostic/neutral.hpp"

#include <algorithm>
#include <cstring>

namespace diagnostic {
namespace {

constexpr std::size_t longest_source = 160;

struct Paint {
    std::string_view error, place, caret, help, off;
};
constexpr Paint plain{"", "", "", "", ""};
constexpr Paint coloured{"\033[1;31m", "\033[34m", "\033[1;31m", "\033[1;36m", "\033[0m"};

// Input that is quoted to a terminal must not drive it: control bytes become '?', a tab one space, so that the carets
// stand where they should; what else could do harm is spelt out.
std::string printable(std::string_view text) {
    std::string out;
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += c == '\t' ? ' ' : (byte < 0x20 || byte == 0x7F ? '?' : c);
    }
    return neutral(out);
}

// The same, but a message may span lines.
std::string printable_lines(std::string_view text) {
    std::string out;
    for (std::size_t at = 0;;) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        out += printable(text.substr(at, end - at));
        if (end == text.size())
            return out;
        out += '\n';
        at = end + 1;
    }
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

void append_source(std::string& out, const Place& place, const Paint& paint) {
    const std::string number = std::to_string(place.line);
    const std::string indent(number.size() + 1, ' ');
    const std::string bar = std::string(paint.place) + indent + "|" + std::string(paint.off);
    std::string line = place.source;
    std::size_t column = place.column > 0 ? place.column - 1 : 0; // in characters
    if (line.size() > longest_source) {
        std::size_t cut = longest_source;
        while (cut > 0 && continues_character(line[cut]))
            --cut;
        line.resize(cut);
        line += "...";
    }
    const auto characters = static_cast<std::size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return !continues_character(c); }));
    column = std::min(column, characters);
    const std::size_t width =
        std::max<std::size_t>(1, std::min<std::size_t>(place.width, characters - column));
    out += bar + "\n";
    out += std::string(paint.place) + number + " |" + std::string(paint.off) + " " + printable(line) + "\n";
    out += bar + " " + std::string(column, ' ') + std::string(paint.caret) + std::string(width, '^') +
           std::string(paint.off) + "\n";
}

} // namespace

Failure& Failure::at(Place place) {
    diagnostic_.place = std::move(place);
    return *this;
}

Failure& Failure::at_if_nowhere(Place place) {
    const bool cannot_write = diagnostic_.code == Code("E0602").name();
    return diagnostic_.place.file.empty() && !cannot_write ? at(std::move(place)) : *this;
}

Failure& Failure::help(std::string text) {
    diagnostic_.help = std::move(text);
    return *this;
}

Failure& Failure::note(std::string text) {
    diagnostic_.notes.push_back(std::move(text));
    return *this;
}

Failure& Failure::notes(std::vector<std::string> texts) {
    diagnostic_.notes = std::move(texts);
    return *this;
}

Failure fail(Code code, std::string message) {
    return Failure({std::string(code.name()), code.exit(), std::move(message), {}, {}, {}});
}

Failure fail_system(Code code, const std::string& what, int error) {
    return fail(code, what + ": " + std::strerror(error));
}

std::string to_text(const Diagnostic& diagnostic, bool colour) {
    const Paint& paint = colour ? coloured : plain;
    std::string out = std::string(paint.error) + "error";
    if (!diagnostic.code.empty())
        out += "[" + diagnostic.code + "]";
    out += std::string(paint.off) + ": " + printable_lines(diagnostic.message) + "\n";
    const Place& place = diagnostic.place;
    if (!place.file.empty()) {
        out += std::string(paint.place) + "  -->" + std::string(paint.off) + " " + printable(place.file);
        if (place.line > 0)
            out += ":" + std::to_string(place.line) + ":" + std::to_string(std::max(place.column, 1u));
        out += "\n";
        if (place.line > 0 && !place.source.empty())
            append_source(out, place, paint);
    }
    for (const std::string& note : diagnostic.notes)
        out += "note: " + printable_lines(note) + "\n";
    if (!diagnostic.help.empty())
        out += std::string(paint.help) + "help" + std::string(paint.off) + ": " +
               printable_lines(diagnostic.help) + "\n";
    return out;
}

} // namespace diagnostic
