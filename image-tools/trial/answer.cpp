// SPDX-License-Identifier: Apache-2.0
#include "image-tools/trial/answer.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace trial {
namespace {

// The line at the front, without its end, which is taken off with it; nothing: it has not ended.
std::optional<std::string_view> take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos)
        return std::nullopt;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

bool is_named(std::string_view line, std::string_view name) {
    return line.size() > name.size() && line[name.size()] == ':' &&
           std::equal(name.begin(), name.end(), line.begin(), [](char one, char other) {
               return one == std::tolower(static_cast<unsigned char>(other));
           });
}

std::optional<std::size_t> whole_number(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t'))
        text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t'))
        text.remove_suffix(1);
    std::size_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size())
        return std::nullopt;
    return value;
}

// "HTTP/1.1 200 OK" -> 200; 0: it is no such line.
unsigned status_of(std::string_view line) {
    constexpr std::string_view start = "HTTP/1.";
    constexpr std::size_t at = start.size() + 2, digits = 3;
    if (!line.starts_with(start) || line.size() < at + digits || line[at - 1] != ' ')
        return 0;
    const auto status = whole_number(line.substr(at, digits));
    const bool ends = line.size() == at + digits || line[at + digits] == ' ';
    return status && ends && *status >= 100 ? static_cast<unsigned>(*status) : 0;
}

} // namespace

std::optional<HttpAnswer> read_http_answer(std::string_view text, bool complete) {
    const auto first = take_line(text);
    HttpAnswer out;
    if (!first || (out.status = status_of(*first)) == 0)
        return std::nullopt;
    std::optional<std::size_t> length;
    for (;;) {
        const auto line = take_line(text);
        if (!line)
            return std::nullopt;
        if (line->empty())
            break;
        constexpr std::string_view name = "content-length";
        if (is_named(*line, name))
            length = whole_number(line->substr(name.size() + 1));
    }
    if (!complete && (!length || text.size() < *length))
        return std::nullopt;
    if (length && text.size() < *length) // cut off
        return std::nullopt;
    out.body = length ? text.substr(0, *length) : text;
    return out;
}

bool has_line(std::string_view text, std::string_view part) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (line.find(part) != std::string_view::npos)
            return true;
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return false;
}

std::string last_line(std::string_view text) {
    constexpr std::size_t most = 100;
    while (text.ends_with('\n') || text.ends_with('\r'))
        text.remove_suffix(1);
    text.remove_prefix(text.rfind('\n') + 1); // npos + 1: from the start
    std::string out(text.substr(0, most));
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E)
            c = '?';
    return out;
}

} // namespace trial
