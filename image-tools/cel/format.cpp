// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/format.cpp - "%s has %d".format([a, b]), as cel-go's strings library has it.
#include "image-tools/cel/functions.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace cel {
namespace {

constexpr unsigned most_precision = 100;

Value wrong(const std::string& clause, const Value& given) {
    return Value::error("error during formatting: " + clause + ", was given " +
                        std::string(type_name(given.kind())));
}

std::string special(double value) {
    return std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
}

// As %s shows it; false: nothing in it can be shown, `out` is the error's text.
bool shown(const Value& value, std::string& out, Meter& meter) {
    if (!meter.spend(1))
        return false;
    switch (value.kind()) {
    case Kind::null:
        out += "null";
        return true;
    case Kind::real:
        out += std::isfinite(value.real()) ? double_text(value.real()) : special(value.real());
        return true;
    case Kind::type:
        out += value.text();
        return true;
    case Kind::bytes:
        out += value.text();
        return meter.spend_bytes(value.extent());
    case Kind::list: {
        out += '[';
        for (const Value& item : value.items()) {
            if (&item != &value.items().front())
                out += ", ";
            if (!shown(item, out, meter))
                return false;
        }
        out += ']';
        return true;
    }
    case Kind::map: {
        std::vector<std::pair<std::string, const Value*>> entries;
        for (const Entry& entry : value.entries()) {
            std::string key;
            if (!shown(entry.first, key, meter))
                return false;
            entries.emplace_back(std::move(key), &entry.second);
        }
        std::sort(entries.begin(), entries.end());
        out += '{';
        for (std::size_t i = 0; i < entries.size(); ++i) {
            out += (i == 0 ? "" : ", ") + entries[i].first + ": ";
            if (!shown(*entries[i].second, out, meter))
                return false;
        }
        out += '}';
        return true;
    }
    default: {
        const Value text = call_conversion(Function::to_string, value, meter);
        if (text.failed())
            return false;
        out += text.text();
        return true;
    }
    }
}

Value real_text(const Value& value, bool scientific, unsigned precision) {
    double number = 0;
    if (value.is(Kind::real))
        number = value.real();
    else if (value.is(Kind::integer))
        number = static_cast<double>(value.integer());
    else if (value.is(Kind::natural))
        number = static_cast<double>(value.natural());
    else
        return wrong((scientific ? "scientific" : "fixed-point") +
                         std::string(" clause can only be used on doubles"),
                     value);
    if (!std::isfinite(number))
        return Value::of_string(special(number));
    std::array<char, 512> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                      scientific ? std::chars_format::scientific : std::chars_format::fixed,
                                      static_cast<int>(precision));
    return Value::of_string(std::string(buffer.data(), result.ptr));
}

std::string whole_text(const Value& value, int base) {
    std::array<char, 72> buffer{};
    char* const end = buffer.data() + buffer.size();
    const auto result = value.is(Kind::natural) ? std::to_chars(buffer.data(), end, value.natural(), base)
                                                : std::to_chars(buffer.data(), end, value.integer(), base);
    return {buffer.data(), result.ptr};
}

Value hex_text(const Value& value, bool upper) {
    std::string out;
    if (value.is(Kind::integer) || value.is(Kind::natural)) {
        out = whole_text(value, 16);
    } else if (value.is(Kind::text) || value.is(Kind::bytes)) {
        static constexpr std::string_view digits = "0123456789abcdef";
        for (const char c : value.text()) {
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[static_cast<unsigned char>(c) & 15];
        }
    } else {
        return wrong("only integers, byte buffers, and strings can be formatted as hex", value);
    }
    if (upper)
        for (char& c : out)
            if (c >= 'a' && c <= 'f')
                c = static_cast<char>(c - 0x20);
    return Value::of_string(std::move(out));
}

Value clause_text(char clause, unsigned precision, const Value& value, Meter& meter) {
    const bool whole = value.is(Kind::integer) || value.is(Kind::natural);
    switch (clause) {
    case 's': {
        std::string out;
        if (shown(value, out, meter))
            return Value::of_string(std::move(out));
        return meter.left() < 0 ? Meter::exhausted()
                                : wrong("string clause can only be used on strings, bools, bytes, ints, "
                                        "doubles, maps, lists, "
                                        "types, durations, and timestamps",
                                        value);
    }
    case 'd':
        if (value.is(Kind::real) && !std::isfinite(value.real()))
            return Value::of_string(special(value.real()));
        return whole ? Value::of_string(whole_text(value, 10))
                     : wrong("decimal clause can only be used on integers", value);
    case 'b':
        if (value.is(Kind::boolean))
            return Value::of_string(value.boolean() ? "1" : "0");
        return whole ? Value::of_string(whole_text(value, 2))
                     : wrong("only integers and bools can be formatted as binary", value);
    case 'o':
        return whole ? Value::of_string(whole_text(value, 8))
                     : wrong("octal clause can only be used on integers", value);
    case 'x':
    case 'X':
        return hex_text(value, clause == 'X');
    case 'e':
    case 'f':
        return real_text(value, clause == 'e', precision);
    default:
        return Value::error("could not parse formatting clause: unrecognized formatting clause \"" +
                            std::string(1, clause) + "\"");
    }
}

} // namespace

Value format_text(const std::string& format, const Items& arguments, Meter& meter) {
    std::string out;
    std::size_t used = 0;
    for (std::size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%') {
            out += format[at];
            continue;
        }
        if (++at >= format.size())
            return Value::error("could not parse formatting clause: unexpected end of format string");
        if (format[at] == '%') {
            out += '%';
            continue;
        }
        unsigned precision = 6;
        if (format[at] == '.') {
            precision = 0;
            for (++at; at < format.size() && format[at] >= '0' && format[at] <= '9'; ++at)
                precision =
                    std::min(most_precision + 1, precision * 10 + static_cast<unsigned>(format[at] - '0'));
            if (precision > most_precision || at >= format.size())
                return Value::error("could not parse formatting clause: its precision");
        }
        if (used >= arguments.size())
            return Value::error("index " + std::to_string(used) + " out of range");
        const Value text = clause_text(format[at], precision, arguments[used++], meter);
        if (text.failed())
            return text;
        if (!meter.spend_bytes(text.extent()))
            return Meter::exhausted();
        out += text.text();
    }
    return Value::of_string(std::move(out));
}

} // namespace cel
