// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/functions.cpp - the table of what can be called, operators, the meter.
#include "image-tools/cel/functions.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace cel {
namespace {

constexpr auto table = std::to_array<Signature>({
    {"bool", Function::to_bool, false, 1, 1},
    {"int", Function::to_int, false, 1, 1},
    {"uint", Function::to_uint, false, 1, 1},
    {"double", Function::to_double, false, 1, 1},
    {"string", Function::to_string, false, 1, 1},
    {"bytes", Function::to_bytes, false, 1, 1},
    {"type", Function::to_type, false, 1, 1},
    {"dyn", Function::to_dyn, false, 1, 1},
    {"timestamp", Function::to_timestamp, false, 1, 1},
    {"duration", Function::to_duration, false, 1, 1},

    {"size", Function::size, false, 1, 1},
    {"size", Function::size, true, 1, 1},
    {"contains", Function::contains, true, 2, 2},
    {"startsWith", Function::starts_with, true, 2, 2},
    {"endsWith", Function::ends_with, true, 2, 2},
    {"matches", Function::matches, true, 2, 2},
    {"matches", Function::matches, false, 2, 2},
    {"charAt", Function::char_at, true, 2, 2},
    {"indexOf", Function::index_of, true, 2, 3},
    {"lastIndexOf", Function::last_index_of, true, 2, 3},
    {"lowerAscii", Function::lower_ascii, true, 1, 1},
    {"upperAscii", Function::upper_ascii, true, 1, 1},
    {"replace", Function::replace, true, 3, 4},
    {"split", Function::split, true, 2, 3},
    {"substring", Function::substring, true, 2, 3},
    {"trim", Function::trim, true, 1, 1},
    {"join", Function::join, true, 1, 2},
    {"strings.quote", Function::quote, false, 1, 1},
    {"reverse", Function::reverse, true, 1, 1},
    {"format", Function::format, true, 2, 2},
    {"find", Function::find, true, 2, 2},
    {"findAll", Function::find_all, true, 2, 3},
    {"base64.encode", Function::base64_encode, false, 1, 1},
    {"base64.decode", Function::base64_decode, false, 1, 1},

    {"isSorted", Function::is_sorted, true, 1, 1},
    {"sum", Function::sum, true, 1, 1},
    {"min", Function::min, true, 1, 1},
    {"max", Function::max, true, 1, 1},
    {"distinct", Function::distinct, true, 1, 1},
    {"flatten", Function::flatten, true, 1, 2},
    {"slice", Function::slice, true, 3, 3},
    {"sort", Function::sort, true, 1, 1},
    {"lists.range", Function::range, false, 1, 1},
    {"sets.contains", Function::sets_contains, false, 2, 2},
    {"sets.equivalent", Function::sets_equivalent, false, 2, 2},
    {"sets.intersects", Function::sets_intersects, false, 2, 2},

    {"getFullYear", Function::full_year, true, 1, 2},
    {"getMonth", Function::month, true, 1, 2},
    {"getDate", Function::date, true, 1, 2},
    {"getDayOfMonth", Function::day_of_month, true, 1, 2},
    {"getDayOfWeek", Function::day_of_week, true, 1, 2},
    {"getDayOfYear", Function::day_of_year, true, 1, 2},
    {"getHours", Function::hours, true, 1, 2},
    {"getMinutes", Function::minutes, true, 1, 2},
    {"getSeconds", Function::seconds, true, 1, 2},
    {"getMilliseconds", Function::milliseconds, true, 1, 2},

    {"math.greatest", Function::greatest, false, 1, 255},
    {"math.least", Function::least, false, 1, 255},
    {"math.ceil", Function::ceil, false, 1, 1},
    {"math.floor", Function::floor, false, 1, 1},
    {"math.round", Function::round, false, 1, 1},
    {"math.trunc", Function::trunc, false, 1, 1},
    {"math.abs", Function::abs, false, 1, 1},
    {"math.sign", Function::sign, false, 1, 1},
    {"math.isNaN", Function::is_nan, false, 1, 1},
    {"math.isInf", Function::is_inf, false, 1, 1},
    {"math.isFinite", Function::is_finite, false, 1, 1},
    {"math.bitAnd", Function::bit_and, false, 2, 2},
    {"math.bitOr", Function::bit_or, false, 2, 2},
    {"math.bitXor", Function::bit_xor, false, 2, 2},
    {"math.bitNot", Function::bit_not, false, 1, 1},
    {"math.bitShiftLeft", Function::shift_left, false, 2, 2},
    {"math.bitShiftRight", Function::shift_right, false, 2, 2},

    {"optional.of", Function::optional_of, false, 1, 1},
    {"optional.none", Function::optional_none, false, 0, 0},
    {"optional.ofNonZeroValue", Function::optional_of_non_zero, false, 1, 1},
    {"hasValue", Function::has_value, true, 1, 1},
    {"value", Function::value, true, 1, 1},
    {"or", Function::or_else, true, 2, 2},
    {"orValue", Function::or_value, true, 2, 2},
});

Value overflow(std::string_view what) {
    return Value::error(std::string(what) + " overflow");
}

Value int_operator(Function function, std::int64_t one, std::int64_t other) {
    std::int64_t out = 0;
    switch (function) {
    case Function::add:
        return __builtin_add_overflow(one, other, &out) ? overflow("integer") : Value::of_int(out);
    case Function::subtract:
        return __builtin_sub_overflow(one, other, &out) ? overflow("integer") : Value::of_int(out);
    case Function::multiply:
        return __builtin_mul_overflow(one, other, &out) ? overflow("integer") : Value::of_int(out);
    default:
        break;
    }
    const bool divide = function == Function::divide;
    if (other == 0)
        return Value::error(divide ? "divide by zero" : "modulus by zero");
    if (one == INT64_MIN && other == -1)
        return overflow("integer");
    return Value::of_int(divide ? one / other : one % other);
}

Value uint_operator(Function function, std::uint64_t one, std::uint64_t other) {
    std::uint64_t out = 0;
    switch (function) {
    case Function::add:
        return __builtin_add_overflow(one, other, &out) ? overflow("unsigned integer") : Value::of_uint(out);
    case Function::subtract:
        return __builtin_sub_overflow(one, other, &out) ? overflow("unsigned integer") : Value::of_uint(out);
    case Function::multiply:
        return __builtin_mul_overflow(one, other, &out) ? overflow("unsigned integer") : Value::of_uint(out);
    default:
        break;
    }
    const bool divide = function == Function::divide;
    if (other == 0)
        return Value::error(divide ? "divide by zero" : "modulus by zero");
    return Value::of_uint(divide ? one / other : one % other);
}

Value double_operator(Function function, double one, double other) {
    switch (function) {
    case Function::add:
        return Value::of_double(one + other);
    case Function::subtract:
        return Value::of_double(one - other);
    case Function::multiply:
        return Value::of_double(one * other);
    case Function::divide:
        if (other == 0) // as IEEE 754 has it
            return Value::of_double(one == 0 || std::isnan(one)                ? NAN
                                    : std::signbit(one) == std::signbit(other) ? HUGE_VAL
                                                                               : -HUGE_VAL);
        return Value::of_double(one / other);
    default:
        return no_overload();
    }
}

// Moves a timestamp by nanoseconds.
Value moved(const Value& time, std::int64_t by) {
    constexpr std::int64_t second = 1'000'000'000;
    std::int64_t seconds = time.seconds() + by / second;
    std::int64_t nanoseconds = time.nanoseconds() + by % second;
    if (nanoseconds < 0) {
        nanoseconds += second;
        --seconds;
    } else if (nanoseconds >= second) {
        nanoseconds -= second;
        ++seconds;
    }
    return Value::of_timestamp(seconds, static_cast<std::int32_t>(nanoseconds));
}

Value between(const Value& one, const Value& other) {
    std::int64_t out = 0;
    if (__builtin_mul_overflow(one.seconds() - other.seconds(), std::int64_t{1'000'000'000}, &out) ||
        __builtin_add_overflow(out, std::int64_t{one.nanoseconds()} - other.nanoseconds(), &out))
        return Value::error("duration out of range");
    return Value::of_duration(out);
}

Value time_operator(Function function, const Value& one, const Value& other) {
    const bool sum = function == Function::add;
    if (!sum && function != Function::subtract)
        return no_overload();
    if (one.is(Kind::duration) && other.is(Kind::duration)) {
        std::int64_t out = 0;
        const bool overflows = sum ? __builtin_add_overflow(one.integer(), other.integer(), &out)
                                   : __builtin_sub_overflow(one.integer(), other.integer(), &out);
        return overflows ? Value::error("duration out of range") : Value::of_duration(out);
    }
    if (one.is(Kind::timestamp) && other.is(Kind::duration)) {
        if (sum)
            return moved(one, other.integer());
        if (other.integer() == INT64_MIN)
            return Value::error("timestamp out of range");
        return moved(one, -other.integer());
    }
    if (sum && one.is(Kind::duration) && other.is(Kind::timestamp))
        return moved(other, one.integer());
    if (!sum && one.is(Kind::timestamp) && other.is(Kind::timestamp))
        return between(one, other);
    return no_overload();
}

Value joined(const Value& one, const Value& other, Meter& meter) {
    const bool lists = one.is(Kind::list);
    const std::size_t extent = one.extent() + other.extent();
    if (!(lists ? meter.spend(extent) : meter.spend_bytes(extent)))
        return Meter::exhausted();
    if (one.is(Kind::text))
        return Value::of_string(one.text() + other.text());
    if (one.is(Kind::bytes))
        return Value::of_bytes(one.text() + other.text());
    Items items = one.items();
    items.insert(items.end(), other.items().begin(), other.items().end());
    return Value::of_list(std::move(items));
}

Value arithmetic(Function function, const Value& one, const Value& other, Meter& meter) {
    if (one.is(Kind::timestamp) || one.is(Kind::duration))
        return time_operator(function, one, other);
    if (one.kind() != other.kind())
        return no_overload();
    switch (one.kind()) {
    case Kind::integer:
        return int_operator(function, one.integer(), other.integer());
    case Kind::natural:
        return uint_operator(function, one.natural(), other.natural());
    case Kind::real:
        return double_operator(function, one.real(), other.real());
    case Kind::text:
    case Kind::bytes:
    case Kind::list:
        return function == Function::add ? joined(one, other, meter) : no_overload();
    default:
        return no_overload();
    }
}

Value ordered(Function function, const Value& one, const Value& other, Meter& meter) {
    if (!meter.spend_bytes(std::min(one.extent(), other.extent())))
        return Meter::exhausted();
    const auto order = compare(one, other);
    if (!order)
        return no_overload();
    switch (function) {
    case Function::less:
        return Value::of_bool(*order < 0);
    case Function::less_equal:
        return Value::of_bool(*order <= 0);
    case Function::greater:
        return Value::of_bool(*order > 0);
    default:
        return Value::of_bool(*order >= 0);
    }
}

Value contained(const Value& item, const Value& in, Meter& meter) {
    if (in.is(Kind::map))
        return Value::of_bool(in.find(item) != nullptr);
    if (!in.is(Kind::list))
        return no_overload();
    for (const Value& candidate : in.items()) {
        const bool same = equal(item, candidate, meter.left());
        if (meter.left() < 0)
            return Meter::exhausted();
        if (same)
            return Value::of_bool(true);
    }
    return Value::of_bool(false);
}

Value element(const Value& of, const Value& key, bool optional) {
    if (of.is(Kind::optional)) {
        if (of.inside() == nullptr)
            return of;
        return element(*of.inside(), key, true);
    }
    const Value* found = nullptr;
    if (of.is(Kind::map)) {
        found = of.find(key);
    } else if (of.is(Kind::list)) {
        const auto index = as_int(key);
        if (!index)
            return key.numeric() ? Value::error("invalid argument: an index is a whole number")
                                 : no_overload();
        if (*index >= 0 && static_cast<std::size_t>(*index) < of.items().size())
            found = &of.items()[static_cast<std::size_t>(*index)];
    } else {
        return no_overload();
    }
    if (optional)
        return Value::of_optional(found == nullptr ? std::nullopt : std::optional<Value>(*found));
    if (found != nullptr)
        return *found;
    if (of.is(Kind::list))
        return Value::error("invalid argument: index " + std::to_string(*as_int(key)) + " out of range of " +
                            std::to_string(of.items().size()) + " items");
    return Value::error("no such key" + (key.is(Kind::text) ? ": " + key.text() : std::string()));
}

} // namespace

std::span<const Signature> signatures() {
    return table;
}

const Signature* find_function(std::string_view name, bool receiver, std::size_t arguments) {
    const std::size_t given = arguments;
    for (const Signature& one : table)
        if (one.name == name && one.receiver == receiver && given >= one.least && given <= one.most)
            return &one;
    return nullptr;
}

bool knows_function(std::string_view name) {
    return std::any_of(table.begin(), table.end(), [name](const Signature& one) { return one.name == name; });
}

Value no_overload() {
    return Value::error("no such overload");
}

Value Meter::exhausted() {
    return Value::exhausted("the expression costs more than its limit");
}

Value call_operator(Function function, std::span<const Value> arguments, Meter& meter) {
    const Value& one = arguments[0];
    switch (function) {
    case Function::logical_not:
        return one.is(Kind::boolean) ? Value::of_bool(!one.boolean()) : no_overload();
    case Function::negate:
        if (one.is(Kind::real))
            return Value::of_double(-one.real());
        if (!one.is(Kind::integer))
            return no_overload();
        return one.integer() == INT64_MIN ? overflow("integer") : Value::of_int(-one.integer());
    case Function::equal:
    case Function::not_equal: {
        const bool same = equal(one, arguments[1], meter.left());
        if (meter.left() < 0)
            return Meter::exhausted();
        return Value::of_bool(same == (function == Function::equal));
    }
    case Function::less:
    case Function::less_equal:
    case Function::greater:
    case Function::greater_equal:
        return ordered(function, one, arguments[1], meter);
    case Function::in:
        return contained(one, arguments[1], meter);
    case Function::index:
    case Function::optional_index:
        return element(one, arguments[1], function == Function::optional_index);
    default:
        return arithmetic(function, one, arguments[1], meter);
    }
}

Value call(Function function, std::span<const Value> arguments, Meter& meter) {
    if (function <= Function::optional_index)
        return call_operator(function, arguments, meter);
    if (function <= Function::to_duration)
        return call_conversion(function, arguments[0], meter);
    if (function == Function::matches || function == Function::find || function == Function::find_all)
        return call_pattern(function, arguments, meter);
    if (function <= Function::base64_decode)
        return call_string(function, arguments, meter);
    if (function <= Function::sets_intersects)
        return call_list(function, arguments, meter);
    if (function <= Function::milliseconds)
        return call_time(function, arguments);
    if (function <= Function::shift_right)
        return call_number(function, arguments);
    return call_optional(function, arguments);
}

} // namespace cel
