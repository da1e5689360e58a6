// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/numbers.cpp - the library math, and optional values.
#include "image-tools/cel/functions.hpp"

#include <cmath>

namespace cel {
namespace {

Value extreme(std::span<const Value> arguments, bool greatest) {
    std::span<const Value> all = arguments;
    if (all.size() == 1 && all[0].is(Kind::list))
        all = all[0].items();
    if (all.empty())
        return no_overload();
    const Value* best = nullptr;
    for (const Value& one : all) {
        if (!one.numeric())
            return no_overload();
        if (best == nullptr) {
            best = &one;
            continue;
        }
        const auto order = compare(one, *best);
        if (order && (greatest ? *order > 0 : *order < 0))
            best = &one;
    }
    return *best;
}

Value rounded(Function function, double value) {
    switch (function) {
    case Function::ceil:
        return Value::of_double(std::ceil(value));
    case Function::floor:
        return Value::of_double(std::floor(value));
    case Function::round:
        return Value::of_double(std::round(value));
    case Function::trunc:
        return Value::of_double(std::trunc(value));
    case Function::is_nan:
        return Value::of_bool(std::isnan(value));
    case Function::is_inf:
        return Value::of_bool(std::isinf(value));
    case Function::is_finite:
        return Value::of_bool(std::isfinite(value));
    default:
        return no_overload();
    }
}

Value magnitude(Function function, const Value& of) {
    const bool sign = function == Function::sign;
    if (of.is(Kind::natural))
        return sign ? Value::of_uint(of.natural() > 0 ? 1 : 0) : of;
    if (of.is(Kind::real)) {
        if (std::isnan(of.real()))
            return of;
        return Value::of_double(!sign           ? std::abs(of.real())
                                : of.real() > 0 ? 1.0
                                : of.real() < 0 ? -1.0
                                                : 0.0);
    }
    if (!of.is(Kind::integer))
        return no_overload();
    const std::int64_t value = of.integer();
    if (sign)
        return Value::of_int(value > 0 ? 1 : value < 0 ? -1 : 0);
    return value == INT64_MIN ? Value::error("integer overflow") : Value::of_int(value < 0 ? -value : value);
}

Value bits(Function function, std::span<const Value> arguments) {
    const Value& one = arguments[0];
    if (!one.is(Kind::integer) && !one.is(Kind::natural))
        return no_overload();
    const auto back = [&one](std::uint64_t value) {
        return one.is(Kind::natural) ? Value::of_uint(value)
                                     : Value::of_int(static_cast<std::int64_t>(value));
    };
    const std::uint64_t value = one.natural();
    if (function == Function::bit_not)
        return back(~value);
    const Value& other = arguments[1];
    if (function == Function::shift_left || function == Function::shift_right) {
        if (!other.is(Kind::integer))
            return no_overload();
        if (other.integer() < 0)
            return Value::error("a shift by a negative number");
        if (other.integer() > 63)
            return back(0);
        return back(function == Function::shift_left ? value << other.integer() : value >> other.integer());
    }
    if (other.kind() != one.kind())
        return no_overload();
    return back(function == Function::bit_and  ? value & other.natural()
                : function == Function::bit_or ? value | other.natural()
                                               : value ^ other.natural());
}

// What a message field or a variable has where nothing was set.
bool zero(const Value& value) {
    switch (value.kind()) {
    case Kind::null:
        return true;
    case Kind::boolean:
    case Kind::integer:
    case Kind::natural:
    case Kind::duration:
        return value.natural() == 0;
    case Kind::real:
        return value.real() == 0;
    case Kind::text:
    case Kind::bytes:
    case Kind::list:
    case Kind::map:
        return value.extent() == 0;
    case Kind::timestamp:
        return value.seconds() == 0 && value.nanoseconds() == 0;
    case Kind::optional:
        return value.inside() == nullptr;
    default:
        return false;
    }
}

} // namespace

Value call_number(Function function, std::span<const Value> arguments) {
    switch (function) {
    case Function::greatest:
    case Function::least:
        return extreme(arguments, function == Function::greatest);
    case Function::abs:
    case Function::sign:
        return magnitude(function, arguments[0]);
    case Function::bit_and:
    case Function::bit_or:
    case Function::bit_xor:
    case Function::bit_not:
    case Function::shift_left:
    case Function::shift_right:
        return bits(function, arguments);
    default:
        return arguments[0].is(Kind::real) ? rounded(function, arguments[0].real()) : no_overload();
    }
}

Value call_optional(Function function, std::span<const Value> arguments) {
    switch (function) {
    case Function::optional_of:
        return Value::of_optional(arguments[0]);
    case Function::optional_none:
        return Value::of_optional(std::nullopt);
    case Function::optional_of_non_zero:
        return Value::of_optional(zero(arguments[0]) ? std::nullopt : std::optional<Value>(arguments[0]));
    default:
        break;
    }
    if (!arguments[0].is(Kind::optional))
        return no_overload();
    const Value* inside = arguments[0].inside();
    if (function == Function::has_value)
        return Value::of_bool(inside != nullptr);
    return inside != nullptr ? *inside : Value::error("optional.none() dereference: it has no value");
}

} // namespace cel
