// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/functions.hpp - what can be called: operators, the language's functions, and the extensions that
// Kubernetes has.
//
// Invariants: total. Every function gives a value or an error, its work is paid for before it is done.
// Spec:       CEL language definition, "Standard definitions"; Kubernetes, "CEL in Kubernetes", libraries.
#pragma once

#include "image-tools/cel/value.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace cel {

enum class Function : std::uint8_t {
    // Operators.
    conditional,
    logical_and,
    logical_or,
    logical_not,
    negate,
    add,
    subtract,
    multiply,
    divide,
    modulo,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    in,
    index,
    optional_index,
    // Conversions.
    to_bool,
    to_int,
    to_uint,
    to_double,
    to_string,
    to_bytes,
    to_type,
    to_dyn,
    to_timestamp,
    to_duration,
    // Strings.
    size,
    contains,
    starts_with,
    ends_with,
    matches,
    char_at,
    index_of,
    last_index_of,
    lower_ascii,
    upper_ascii,
    replace,
    split,
    substring,
    trim,
    join,
    quote,
    reverse,
    format,
    find,
    find_all,
    base64_encode,
    base64_decode,
    // Lists and sets.
    is_sorted,
    sum,
    min,
    max,
    distinct,
    flatten,
    slice,
    sort,
    range,
    sets_contains,
    sets_equivalent,
    sets_intersects,
    // Times.
    full_year,
    month,
    date,
    day_of_month,
    day_of_week,
    day_of_year,
    hours,
    minutes,
    seconds,
    milliseconds,
    // Numbers.
    greatest,
    least,
    ceil,
    floor,
    round,
    trunc,
    abs,
    sign,
    is_nan,
    is_inf,
    is_finite,
    bit_and,
    bit_or,
    bit_xor,
    bit_not,
    shift_left,
    shift_right,
    // Optional values.
    optional_of,
    optional_none,
    optional_of_non_zero,
    has_value,
    value,
    or_else,
    or_value,
};

struct Signature {
    std::string_view name;
    Function function;
    bool receiver;            // called as target.name(...); the target is the first argument
    std::uint8_t least, most; // arguments, with the target
};
std::span<const Signature> signatures();
// Nothing: there is none of that name called so with so many arguments.
const Signature* find_function(std::string_view name, bool receiver, std::size_t arguments);
// Whether some function has that name, however it is called.
bool knows_function(std::string_view name);

// What an evaluation may still cost, and what it keeps from one call to the next.
class Meter {
public:
    explicit Meter(std::int64_t limit);
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;
    ~Meter();

    // False: it is used up.
    bool spend(std::size_t cost) {
        left_ -= cost > static_cast<std::size_t>(limit_) ? limit_ + 1 : static_cast<std::int64_t>(cost);
        return left_ >= 0;
    }
    bool spend_bytes(std::size_t bytes) { return spend(bytes / 10 + 1); }
    [[nodiscard]] std::int64_t& left() { return left_; }
    [[nodiscard]] std::int64_t spent() const { return limit_ - left_; }
    static Value exhausted();
    // Null: `error` says what is wrong with the pattern.
    const re2::RE2* pattern(const std::string& text, std::string& error);

private:
    std::int64_t limit_, left_;
    std::map<std::string, std::unique_ptr<re2::RE2>> patterns_;
};

// Of arguments that are no errors, except for the first three operators, which the evaluator does.
Value call(Function function, std::span<const Value> arguments, Meter& meter);

// By family; internal to image-tools/cel. An error "no such overload" where they do not do it.
Value no_overload();
Value call_operator(Function function, std::span<const Value> arguments, Meter& meter);
Value call_conversion(Function function, const Value& argument, Meter& meter);
Value call_string(Function function, std::span<const Value> arguments, Meter& meter);
Value call_list(Function function, std::span<const Value> arguments, Meter& meter);
Value call_time(Function function, std::span<const Value> arguments);
Value call_number(Function function, std::span<const Value> arguments);
Value call_optional(Function function, std::span<const Value> arguments);
Value call_pattern(Function function, std::span<const Value> arguments, Meter& meter);
Value format_text(const std::string& format, const Items& arguments, Meter& meter);

// Texts of values, shared by string() and format().
std::string double_text(double value);
std::string timestamp_text(const Value& value);
std::string duration_text(std::int64_t nanoseconds);
Value parse_timestamp(std::string_view text);
Value parse_duration(std::string_view text);

} // namespace cel
