// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/strings.cpp - functions of strings: the language's, and Kubernetes' extended strings library.
//
// Positions and lengths count code points.
#include "image-tools/cel/functions.hpp"
#include "image-tools/cel/lexer.hpp"

#include <algorithm>

namespace cel {
namespace {

using Points = std::u32string;

Points points_of(std::string_view text) {
    Points out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t bytes = 1;
        out += static_cast<char32_t>(decode_utf8(text, at, bytes));
        at += bytes;
    }
    return out;
}
std::string text_of(const Points& points) {
    std::string out;
    for (const char32_t point : points)
        append_utf8(out, point);
    return out;
}

Value out_of_range(std::int64_t index) {
    return Value::error("index out of range: " + std::to_string(index));
}

bool all_text(std::span<const Value> arguments) {
    return std::all_of(arguments.begin(), arguments.end(),
                       [](const Value& one) { return one.is(Kind::text); });
}

Value char_at(const Value& text, const Value& index) {
    if (!text.is(Kind::text) || !index.is(Kind::integer))
        return no_overload();
    const Points points = points_of(text.text());
    const std::int64_t at = index.integer();
    if (at < 0 || static_cast<std::size_t>(at) > points.size())
        return out_of_range(at);
    return Value::of_string(text_of(points.substr(static_cast<std::size_t>(at), 1)));
}

Value index_of(Function function, std::span<const Value> arguments, Meter& meter) {
    if (!all_text(arguments.first(2)) || (arguments.size() == 3 && !arguments[2].is(Kind::integer)))
        return no_overload();
    const Points text = points_of(arguments[0].text()), wanted = points_of(arguments[1].text());
    if (!meter.spend((text.size() / 10 + 1) * (wanted.size() / 10 + 1)))
        return Meter::exhausted();
    const bool last = function == Function::last_index_of;
    std::size_t from = last ? Points::npos : 0;
    if (arguments.size() == 3) {
        const std::int64_t given = arguments[2].integer();
        if (given < 0 || static_cast<std::size_t>(given) > text.size())
            return out_of_range(given);
        from = static_cast<std::size_t>(given);
    }
    const std::size_t found = last ? text.rfind(wanted, from) : text.find(wanted, from);
    return Value::of_int(found == Points::npos ? -1 : static_cast<std::int64_t>(found));
}

Value substring(std::span<const Value> arguments) {
    if (!arguments[0].is(Kind::text) || !arguments[1].is(Kind::integer) ||
        (arguments.size() == 3 && !arguments[2].is(Kind::integer)))
        return no_overload();
    const Points points = points_of(arguments[0].text());
    const auto size = static_cast<std::int64_t>(points.size());
    const std::int64_t from = arguments[1].integer();
    const std::int64_t to = arguments.size() == 3 ? arguments[2].integer() : size;
    if (from < 0 || from > size)
        return out_of_range(from);
    if (to < 0 || to > size)
        return out_of_range(to);
    if (from > to)
        return Value::error("invalid substring range: it ends at " + std::to_string(to) +
                            " before it begins at " + std::to_string(from));
    return Value::of_string(
        text_of(points.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from))));
}

Value replace(std::span<const Value> arguments, Meter& meter) {
    if (!all_text(arguments.first(3)) || (arguments.size() == 4 && !arguments[3].is(Kind::integer)))
        return no_overload();
    const std::string &text = arguments[0].text(), &old = arguments[1].text(), &with = arguments[2].text();
    std::int64_t left = arguments.size() == 4 ? arguments[3].integer() : -1;
    std::string out;
    std::size_t at = 0;
    while (left != 0) {
        const std::size_t found = text.find(old, at);
        if (found == std::string::npos)
            break;
        if (!meter.spend_bytes(with.size() + found - at))
            return Meter::exhausted();
        out.append(text, at, found - at).append(with);
        at = found + old.size();
        left -= left > 0 ? 1 : 0;
        if (old.empty()) { // before every character, and after the last
            if (at >= text.size())
                break;
            std::size_t bytes = 1;
            decode_utf8(text, at, bytes);
            out.append(text, at, bytes);
            at += bytes;
        }
    }
    return Value::of_string(out.append(text, at));
}

Value split(std::span<const Value> arguments, Meter& meter) {
    if (!all_text(arguments.first(2)) || (arguments.size() == 3 && !arguments[2].is(Kind::integer)))
        return no_overload();
    const std::string &text = arguments[0].text(), &by = arguments[1].text();
    const std::int64_t most = arguments.size() == 3 ? arguments[2].integer() : -1;
    Items out;
    if (most == 0)
        return Value::of_list({});
    std::size_t at = 0;
    while (most < 0 || static_cast<std::int64_t>(out.size()) + 1 < most) {
        std::size_t found = 0, width = by.size();
        if (by.empty()) {
            std::size_t bytes = 1;
            if (at < text.size())
                decode_utf8(text, at, bytes);
            found = at + bytes < text.size() ? at + bytes : std::string::npos;
            width = 0;
        } else {
            found = text.find(by, at);
        }
        if (found == std::string::npos)
            break;
        if (!meter.spend(1))
            return Meter::exhausted();
        out.push_back(Value::of_string(text.substr(at, found - at)));
        at = found + width;
    }
    if (!by.empty() || !text.empty())
        out.push_back(Value::of_string(text.substr(at)));
    return Value::of_list(std::move(out));
}

Value join(std::span<const Value> arguments, Meter& meter) {
    if (!arguments[0].is(Kind::list) || (arguments.size() == 2 && !arguments[1].is(Kind::text)))
        return no_overload();
    const std::string between = arguments.size() == 2 ? arguments[1].text() : "";
    std::string out;
    for (const Value& item : arguments[0].items()) {
        if (!item.is(Kind::text))
            return no_overload();
        if (!meter.spend_bytes(item.text().size() + between.size()))
            return Meter::exhausted();
        if (&item != &arguments[0].items().front())
            out += between;
        out += item.text();
    }
    return Value::of_string(std::move(out));
}

// Unicode's White_Space.
bool is_space(char32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}
std::string trimmed(const std::string& text) {
    const Points points = points_of(text);
    std::size_t from = 0, to = points.size();
    while (from < to && is_space(points[from]))
        ++from;
    while (to > from && is_space(points[to - 1]))
        --to;
    return text_of(points.substr(from, to - from));
}

std::string cased(std::string text, bool upper) {
    for (char& c : text)
        if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z')
            c = static_cast<char>(c ^ 0x20);
    return text;
}

std::string quoted(const std::string& text) {
    static constexpr std::string_view plain = "\a\b\f\n\r\t\v\\\"", names = "abfnrtv\\\"";
    std::string out = "\"";
    for (const char c : text) {
        const std::size_t found = c == '\0' ? std::string_view::npos : plain.find(c);
        if (found != std::string_view::npos)
            out += '\\';
        out += found == std::string_view::npos ? c : names[found];
    }
    return out + "\"";
}

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(const std::string& bytes) {
    std::string out;
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        held = (held << 8 | static_cast<unsigned char>(c)) & 0xFFFFFF;
        for (bits += 8; bits >= 6; bits -= 6)
            out += alphabet[held >> (bits - 6) & 63];
    }
    if (bits > 0)
        out += alphabet[held << (6 - bits) & 63];
    while (out.size() % 4 != 0)
        out += '=';
    return out;
}
Value from_base64(const std::string& text) {
    std::string_view rest = text;
    while (rest.ends_with('=') && text.size() - rest.size() < 2)
        rest.remove_suffix(1);
    std::string out;
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : rest) {
        const std::size_t value = c == '\0' ? std::string_view::npos : alphabet.find(c);
        if (value == std::string_view::npos)
            return Value::error("not base64");
        held = (held << 6 | static_cast<std::uint32_t>(value)) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>(held >> bits & 0xFF);
        }
    }
    return rest.size() % 4 == 1 ? Value::error("not base64") : Value::of_bytes(std::move(out));
}

Value size_of(const Value& of) {
    switch (of.kind()) {
    case Kind::text:
        return Value::of_int(static_cast<std::int64_t>(count_code_points(of.text())));
    case Kind::bytes:
    case Kind::list:
    case Kind::map:
        return Value::of_int(static_cast<std::int64_t>(of.extent()));
    default:
        return no_overload();
    }
}

Value of_one(Function function, const Value& argument) {
    if (function == Function::base64_encode)
        return argument.is(Kind::bytes) ? Value::of_string(base64(argument.text())) : no_overload();
    if (!argument.is(Kind::text))
        return no_overload();
    const std::string& text = argument.text();
    switch (function) {
    case Function::lower_ascii:
    case Function::upper_ascii:
        return Value::of_string(cased(text, function == Function::upper_ascii));
    case Function::trim:
        return Value::of_string(trimmed(text));
    case Function::quote:
        return Value::of_string(quoted(text));
    case Function::reverse: {
        Points points = points_of(text);
        std::reverse(points.begin(), points.end());
        return Value::of_string(text_of(points));
    }
    default:
        return from_base64(text);
    }
}

} // namespace

Value call_string(Function function, std::span<const Value> arguments, Meter& meter) {
    const Value& first = arguments[0];
    if (function != Function::size && (first.is(Kind::text) || first.is(Kind::bytes)) &&
        !meter.spend_bytes(first.extent()))
        return Meter::exhausted();
    switch (function) {
    case Function::size:
        return size_of(first);
    case Function::contains:
        if (!all_text(arguments))
            return no_overload();
        if (!meter.spend((first.extent() / 10 + 1) * (arguments[1].extent() / 10 + 1)))
            return Meter::exhausted();
        return Value::of_bool(first.text().find(arguments[1].text()) != std::string::npos);
    case Function::starts_with:
        return all_text(arguments) ? Value::of_bool(first.text().starts_with(arguments[1].text()))
                                   : no_overload();
    case Function::ends_with:
        return all_text(arguments) ? Value::of_bool(first.text().ends_with(arguments[1].text()))
                                   : no_overload();
    case Function::char_at:
        return char_at(first, arguments[1]);
    case Function::index_of:
    case Function::last_index_of:
        return first.is(Kind::list) ? call_list(function, arguments, meter)
                                    : index_of(function, arguments, meter);
    case Function::replace:
        return replace(arguments, meter);
    case Function::split:
        return split(arguments, meter);
    case Function::substring:
        return substring(arguments);
    case Function::join:
        return join(arguments, meter);
    case Function::reverse:
        return first.is(Kind::list) ? call_list(function, arguments, meter) : of_one(function, first);
    case Function::format:
        return first.is(Kind::text) && arguments[1].is(Kind::list)
                   ? format_text(first.text(), arguments[1].items(), meter)
                   : no_overload();
    default:
        return of_one(function, first);
    }
}

} // namespace cel
