// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/value.cpp - values: how they are made, equal, ordered and looked up.
#include "image-tools/cel/value.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cel {
namespace {

std::partial_ordering compare_int_uint(std::int64_t one, std::uint64_t other) {
    if (one < 0)
        return std::partial_ordering::less;
    return static_cast<std::uint64_t>(one) <=> other;
}

// Exact, also where a double cannot hold the integer.
std::partial_ordering compare_int_double(std::int64_t one, double other) {
    if (std::isnan(other))
        return std::partial_ordering::unordered;
    if (other < -two_to_63)
        return std::partial_ordering::greater;
    if (other >= two_to_63)
        return std::partial_ordering::less;
    const auto whole = static_cast<std::int64_t>(other);
    if (one != whole)
        return one <=> whole;
    return 0.0 <=> other - static_cast<double>(whole);
}
std::partial_ordering compare_uint_double(std::uint64_t one, double other) {
    if (std::isnan(other))
        return std::partial_ordering::unordered;
    if (other < 0)
        return std::partial_ordering::greater;
    if (other >= two_to_64)
        return std::partial_ordering::less;
    const auto whole = static_cast<std::uint64_t>(other);
    if (one != whole)
        return one <=> whole;
    return 0.0 <=> other - static_cast<double>(whole);
}

std::partial_ordering flipped(std::partial_ordering order) {
    return 0 <=> order;
}

std::partial_ordering compare_numbers(const Value& one, const Value& other) {
    if (one.is(Kind::integer)) {
        if (other.is(Kind::integer))
            return one.integer() <=> other.integer();
        return other.is(Kind::natural) ? compare_int_uint(one.integer(), other.natural())
                                       : compare_int_double(one.integer(), other.real());
    }
    if (one.is(Kind::natural)) {
        if (other.is(Kind::natural))
            return one.natural() <=> other.natural();
        return other.is(Kind::integer) ? flipped(compare_int_uint(other.integer(), one.natural()))
                                       : compare_uint_double(one.natural(), other.real());
    }
    if (other.is(Kind::real))
        return one.real() <=> other.real();
    return flipped(compare_numbers(other, one));
}

// Keys of maps: bools, numbers, strings.
unsigned key_class(const Value& key) {
    switch (key.kind()) {
    case Kind::boolean:
        return 1;
    case Kind::integer:
    case Kind::natural:
    case Kind::real:
        return 2;
    case Kind::text:
        return 3;
    default:
        return 0;
    }
}
bool key_less(const Value& one, const Value& other) {
    const unsigned first = key_class(one), second = key_class(other);
    if (first != second)
        return first < second;
    const auto order = compare(one, other);
    return order && *order < 0;
}

} // namespace

struct Value::Heap {
    std::string text;
    Items items; // also what an optional holds
    Entries entries;
};

std::string_view type_name(Kind kind) {
    switch (kind) {
    case Kind::error:
        return "error";
    case Kind::null:
        return "null_type";
    case Kind::boolean:
        return "bool";
    case Kind::integer:
        return "int";
    case Kind::natural:
        return "uint";
    case Kind::real:
        return "double";
    case Kind::text:
        return "string";
    case Kind::bytes:
        return "bytes";
    case Kind::list:
        return "list";
    case Kind::map:
        return "map";
    case Kind::type:
        return "type";
    case Kind::timestamp:
        return "google.protobuf.Timestamp";
    case Kind::duration:
        return "google.protobuf.Duration";
    case Kind::optional:
        return "optional_type";
    }
    return "";
}

Value Value::with_text(Kind kind, std::string text) {
    Value out(kind, 0);
    const auto heap = std::make_shared<Heap>();
    heap->text = std::move(text);
    out.heap_ = heap;
    return out;
}

Value Value::of_bool(bool value) {
    return {Kind::boolean, value ? 1u : 0u};
}
Value Value::of_int(std::int64_t value) {
    return {Kind::integer, static_cast<std::uint64_t>(value)};
}
Value Value::of_uint(std::uint64_t value) {
    return {Kind::natural, value};
}
Value Value::of_double(double value) {
    return {Kind::real, std::bit_cast<std::uint64_t>(value)};
}
Value Value::of_string(std::string value) {
    return with_text(Kind::text, std::move(value));
}
Value Value::of_bytes(std::string value) {
    return with_text(Kind::bytes, std::move(value));
}
Value Value::of_type(std::string name) {
    return with_text(Kind::type, std::move(name));
}
Value Value::of_duration(std::int64_t nanoseconds) {
    return {Kind::duration, static_cast<std::uint64_t>(nanoseconds)};
}
Value Value::error(std::string message) {
    Value out = with_text(Kind::error, std::move(message));
    out.bits_ = nowhere;
    return out;
}
Value Value::exhausted(std::string message) {
    Value out = error(std::move(message));
    out.extra_ = 1;
    return out;
}

Value Value::of_list(Items items) {
    Value out(Kind::list, 0);
    const auto heap = std::make_shared<Heap>();
    heap->items = std::move(items);
    out.heap_ = heap;
    return out;
}

Value Value::of_map(Entries entries) {
    for (const Entry& entry : entries)
        if (key_class(entry.first) == 0 || entry.first.is(Kind::real))
            return error("unsupported key type: " + std::string(type_name(entry.first.kind())));
    std::sort(entries.begin(), entries.end(),
              [](const Entry& one, const Entry& other) { return key_less(one.first, other.first); });
    for (std::size_t i = 1; i < entries.size(); ++i)
        if (!key_less(entries[i - 1].first, entries[i].first))
            return error("a map has a key twice");
    Value out(Kind::map, 0);
    const auto heap = std::make_shared<Heap>();
    heap->entries = std::move(entries);
    out.heap_ = heap;
    return out;
}

Value Value::of_timestamp(std::int64_t seconds, std::int32_t nanoseconds) {
    constexpr std::int64_t first = -62135596800, last = 253402300799; // 0001-01-01 to 9999-12-31
    if (seconds < first || seconds > last)
        return error("timestamp out of range: years 1 to 9999");
    Value out(Kind::timestamp, static_cast<std::uint64_t>(seconds));
    out.extra_ = nanoseconds;
    return out;
}

Value Value::of_optional(std::optional<Value> value) {
    Value out(Kind::optional, 0);
    if (value) {
        const auto heap = std::make_shared<Heap>();
        heap->items.push_back(std::move(*value));
        out.heap_ = heap;
    }
    return out;
}

double Value::real() const {
    return std::bit_cast<double>(bits_);
}

const std::string& Value::text() const {
    return heap_->text;
}
const Items& Value::items() const {
    return heap_->items;
}
const Entries& Value::entries() const {
    return heap_->entries;
}
const Value* Value::inside() const {
    return heap_ ? &heap_->items.front() : nullptr;
}

Value Value::at(std::uint32_t place) const {
    Value out = *this;
    if (out.bits_ == nowhere)
        out.bits_ = place;
    return out;
}

const Value* Value::find(const Value& key) const {
    if (key_class(key) == 0 || (key.is(Kind::real) && std::isnan(key.real())))
        return nullptr;
    const Entries& all = entries();
    const auto found =
        std::lower_bound(all.begin(), all.end(), key, [](const Entry& entry, const Value& wanted) {
            return key_less(entry.first, wanted);
        });
    return found == all.end() || key_less(key, found->first) ? nullptr : &found->second;
}

const Value* Value::find(std::string_view key) const {
    return find(of_string(std::string(key)));
}

std::size_t Value::extent() const {
    switch (kind_) {
    case Kind::text:
    case Kind::bytes:
        return text().size();
    case Kind::list:
        return items().size();
    case Kind::map:
        return entries().size();
    default:
        return 1;
    }
}

bool equal(const Value& one, const Value& other, std::int64_t& steps) {
    if (--steps < 0)
        return false;
    if (one.numeric() && other.numeric())
        return compare_numbers(one, other) == 0;
    if (one.kind() != other.kind())
        return false;
    switch (one.kind()) {
    case Kind::list: {
        const Items &mine = one.items(), &others = other.items();
        if (mine.size() != others.size())
            return false;
        for (std::size_t i = 0; i < mine.size(); ++i)
            if (!equal(mine[i], others[i], steps))
                return false;
        return true;
    }
    case Kind::map: { // both in the order of their keys
        const Entries &mine = one.entries(), &others = other.entries();
        if (mine.size() != others.size())
            return false;
        for (std::size_t i = 0; i < mine.size(); ++i)
            if (!equal(mine[i].first, others[i].first, steps) ||
                !equal(mine[i].second, others[i].second, steps))
                return false;
        return true;
    }
    case Kind::text:
    case Kind::bytes:
    case Kind::type:
        steps -= static_cast<std::int64_t>(one.text().size() / 64);
        return one.text() == other.text();
    case Kind::timestamp:
        return one.seconds() == other.seconds() && one.nanoseconds() == other.nanoseconds();
    case Kind::optional: {
        const Value *mine = one.inside(), *others = other.inside();
        if (mine == nullptr || others == nullptr)
            return mine == others;
        return equal(*mine, *others, steps);
    }
    case Kind::null:
        return true;
    default:
        return one.integer() == other.integer();
    }
}

std::optional<std::partial_ordering> compare(const Value& one, const Value& other) {
    if (one.numeric() && other.numeric())
        return compare_numbers(one, other);
    if (one.kind() != other.kind())
        return std::nullopt;
    switch (one.kind()) {
    case Kind::boolean:
    case Kind::duration:
        return one.integer() <=> other.integer();
    case Kind::text:
    case Kind::bytes:
        return one.text().compare(other.text()) <=> 0;
    case Kind::timestamp:
        if (one.seconds() != other.seconds())
            return one.seconds() <=> other.seconds();
        return one.nanoseconds() <=> other.nanoseconds();
    default:
        return std::nullopt;
    }
}

std::optional<std::int64_t> as_int(const Value& value) {
    switch (value.kind()) {
    case Kind::integer:
        return value.integer();
    case Kind::natural:
        if (value.natural() > INT64_MAX)
            return std::nullopt;
        return static_cast<std::int64_t>(value.natural());
    case Kind::real: {
        const double real = value.real();
        if (!(real >= -two_to_63 && real < two_to_63) || std::trunc(real) != real)
            return std::nullopt;
        return static_cast<std::int64_t>(real);
    }
    default:
        return std::nullopt;
    }
}

} // namespace cel
