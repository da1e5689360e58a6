// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/value.hpp - a value of the Common Expression Language, or the error that stands in its place.
//
// Invariants: immutable once made, cheap to copy; a map's keys are bool, int, uint or string, each once, in order.
// Spec:       CEL language definition, "Values", "Equality", "Ordering".
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cel {

enum class Kind : std::uint8_t {
    error,
    null,
    boolean,
    integer,
    natural, // uint
    real,    // double
    text,    // string
    bytes,
    list,
    map,
    type,
    timestamp,
    duration,
    optional
};
// As type() names it: "int", "null_type".
std::string_view type_name(Kind kind);

// Doubles below them fit int and uint.
inline constexpr double two_to_63 = 9223372036854775808.0, two_to_64 = 18446744073709551616.0;

class Value;
using Items = std::vector<Value>;
using Entry = std::pair<Value, Value>;
using Entries = std::vector<Entry>;

inline constexpr std::uint32_t nowhere = 0xFFFFFFFF; // of an error that has no place yet

class Value {
public:
    Value() = default; // null
    static Value of_bool(bool value);
    static Value of_int(std::int64_t value);
    static Value of_uint(std::uint64_t value);
    static Value of_double(double value);
    static Value of_string(std::string value); // UTF-8
    static Value of_bytes(std::string value);
    static Value of_list(Items items);
    static Value of_map(Entries entries); // an error for a key twice, or of a kind that cannot be one
    static Value of_type(std::string name);
    // An error outside the years 1 to 9999.
    static Value of_timestamp(std::int64_t seconds, std::int32_t nanoseconds);
    static Value of_duration(std::int64_t nanoseconds);
    static Value of_optional(std::optional<Value> value);
    static Value error(std::string message);
    // The evaluation has used up its cost: absorbed by nothing.
    static Value exhausted(std::string message);

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
    [[nodiscard]] bool failed() const { return kind_ == Kind::error; }
    [[nodiscard]] bool numeric() const {
        return kind_ == Kind::integer || kind_ == Kind::natural || kind_ == Kind::real;
    }

    // Each only of its kind.
    [[nodiscard]] bool boolean() const { return bits_ != 0; }
    [[nodiscard]] bool is_true() const { return kind_ == Kind::boolean && bits_ != 0; }
    [[nodiscard]] std::int64_t integer() const { return static_cast<std::int64_t>(bits_); } // also duration
    [[nodiscard]] std::uint64_t natural() const { return bits_; }
    [[nodiscard]] double real() const;
    [[nodiscard]] const std::string& text() const; // string, bytes, type, error
    [[nodiscard]] const Items& items() const;
    [[nodiscard]] const Entries& entries() const;
    [[nodiscard]] std::int64_t seconds() const { return static_cast<std::int64_t>(bits_); } // timestamp
    [[nodiscard]] std::int32_t nanoseconds() const { return extra_; }                       // timestamp
    [[nodiscard]] const Value* inside() const;                      // optional; null: none
    [[nodiscard]] bool is_exhausted() const { return extra_ != 0; } // error
    [[nodiscard]] std::uint32_t place() const {
        return static_cast<std::uint32_t>(bits_);
    }                                                  // error: offset in the text
    [[nodiscard]] Value at(std::uint32_t place) const; // error, if it has no place yet

    // Of a map; nothing: it has no such key. Numbers are looked up by what they are worth.
    [[nodiscard]] const Value* find(const Value& key) const;
    [[nodiscard]] const Value* find(std::string_view key) const;
    // Items, entries, bytes: what work on it is in proportion to.
    [[nodiscard]] std::size_t extent() const;

private:
    struct Heap;
    Value(Kind kind, std::uint64_t bits) : kind_(kind), bits_(bits) {}
    static Value with_text(Kind kind, std::string text);

    Kind kind_ = Kind::null;
    std::int32_t extra_ = 0;
    std::uint64_t bits_ = 0;
    std::shared_ptr<const Heap> heap_;
};

// As == has it: of other kinds means unequal, but numbers are equal by what they are worth. `steps` falls by what was
// compared; below zero the answer means nothing.
bool equal(const Value& one, const Value& other, std::int64_t& steps);
// As < has it; nothing: these two have no order.
std::optional<std::partial_ordering> compare(const Value& one, const Value& other);
// The whole number that this one is worth, if it is one in that range.
std::optional<std::int64_t> as_int(const Value& value);

} // namespace cel
