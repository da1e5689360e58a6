// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/conversions.cpp - one type from another.
#include "image-tools/cel/functions.hpp"
#include "image-tools/cel/lexer.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace cel {
namespace {

template <typename Number> bool read_number(std::string_view text, Number& out) {
    if (text.starts_with('+'))
        text.remove_prefix(1);
    const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
    return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

Value wrong_text(const Value& argument, std::string_view type) {
    return Value::error("'" + argument.text().substr(0, 40) + "' is no " + std::string(type));
}
Value out_of_range(std::string_view type) {
    return Value::error("range: the number does not fit " + std::string(type));
}

Value to_int(const Value& argument) {
    switch (argument.kind()) {
    case Kind::integer:
        return argument;
    case Kind::natural:
        return argument.natural() > INT64_MAX ? out_of_range("int")
                                              : Value::of_int(static_cast<std::int64_t>(argument.natural()));
    case Kind::real: {
        const double real = argument.real();
        if (!(real > -two_to_63 && real < two_to_63))
            return out_of_range("int");
        return Value::of_int(static_cast<std::int64_t>(real));
    }
    case Kind::text: {
        std::int64_t out = 0;
        return read_number(argument.text(), out) ? Value::of_int(out) : wrong_text(argument, "int");
    }
    case Kind::timestamp:
        return Value::of_int(argument.seconds());
    default:
        return no_overload();
    }
}

Value to_uint(const Value& argument) {
    switch (argument.kind()) {
    case Kind::natural:
        return argument;
    case Kind::integer:
        return argument.integer() < 0 ? out_of_range("uint")
                                      : Value::of_uint(static_cast<std::uint64_t>(argument.integer()));
    case Kind::real: {
        const double real = argument.real();
        if (!(real >= 0 && real < two_to_64))
            return out_of_range("uint");
        return Value::of_uint(static_cast<std::uint64_t>(real));
    }
    case Kind::text: {
        std::uint64_t out = 0;
        return read_number(argument.text(), out) ? Value::of_uint(out) : wrong_text(argument, "uint");
    }
    default:
        return no_overload();
    }
}

Value to_double(const Value& argument) {
    switch (argument.kind()) {
    case Kind::real:
        return argument;
    case Kind::integer:
        return Value::of_double(static_cast<double>(argument.integer()));
    case Kind::natural:
        return Value::of_double(static_cast<double>(argument.natural()));
    case Kind::text: {
        double out = 0;
        return read_number(argument.text(), out) ? Value::of_double(out) : wrong_text(argument, "double");
    }
    default:
        return no_overload();
    }
}

Value to_bool(const Value& argument) {
    if (argument.is(Kind::boolean))
        return argument;
    if (!argument.is(Kind::text))
        return no_overload();
    for (const std::string_view word : {"1", "t", "T", "true", "TRUE", "True"})
        if (argument.text() == word)
            return Value::of_bool(true);
    for (const std::string_view word : {"0", "f", "F", "false", "FALSE", "False"})
        if (argument.text() == word)
            return Value::of_bool(false);
    return wrong_text(argument, "bool");
}

Value to_string(const Value& argument) {
    switch (argument.kind()) {
    case Kind::text:
        return argument;
    case Kind::boolean:
        return Value::of_string(argument.boolean() ? "true" : "false");
    case Kind::integer:
        return Value::of_string(std::to_string(argument.integer()));
    case Kind::natural:
        return Value::of_string(std::to_string(argument.natural()));
    case Kind::real:
        return Value::of_string(double_text(argument.real()));
    case Kind::bytes:
        return valid_utf8(argument.text()) ? Value::of_string(argument.text())
                                           : Value::error("the bytes are not UTF-8");
    case Kind::timestamp:
        return Value::of_string(timestamp_text(argument));
    case Kind::duration:
        return Value::of_string(duration_text(argument.integer()));
    default:
        return no_overload();
    }
}

Value to_timestamp(const Value& argument) {
    if (argument.is(Kind::timestamp))
        return argument;
    if (argument.is(Kind::integer))
        return Value::of_timestamp(argument.integer(), 0);
    return argument.is(Kind::text) ? parse_timestamp(argument.text()) : no_overload();
}

Value to_duration(const Value& argument) {
    if (argument.is(Kind::duration))
        return argument;
    return argument.is(Kind::text) ? parse_duration(argument.text()) : no_overload();
}

} // namespace

// The shortest that reads back as the same, with an exponent where it is small or has more than 20 digits.
std::string double_text(double value) {
    if (std::isnan(value))
        return "NaN";
    if (std::isinf(value))
        return value < 0 ? "-Inf" : "+Inf";
    std::array<char, 64> buffer{};
    const auto shortest =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
    std::string scientific(buffer.data(), shortest.ptr);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    if (exponent < -4 || exponent > 20)
        return scientific;
    std::array<char, 512> wide{};
    const auto plain = std::to_chars(wide.data(), wide.data() + wide.size(), value, std::chars_format::fixed);
    return {wide.data(), plain.ptr};
}

Value call_conversion(Function function, const Value& argument, Meter& meter) {
    if (argument.is(Kind::text) || argument.is(Kind::bytes))
        if (!meter.spend_bytes(argument.extent()))
            return Meter::exhausted();
    switch (function) {
    case Function::to_bool:
        return to_bool(argument);
    case Function::to_int:
        return to_int(argument);
    case Function::to_uint:
        return to_uint(argument);
    case Function::to_double:
        return to_double(argument);
    case Function::to_string:
        return to_string(argument);
    case Function::to_bytes:
        if (argument.is(Kind::bytes))
            return argument;
        return argument.is(Kind::text) ? Value::of_bytes(argument.text()) : no_overload();
    case Function::to_type:
        return Value::of_type(std::string(type_name(argument.kind())));
    case Function::to_dyn:
        return argument;
    case Function::to_timestamp:
        return to_timestamp(argument);
    case Function::to_duration:
        return to_duration(argument);
    default:
        return no_overload();
    }
}

} // namespace cel
