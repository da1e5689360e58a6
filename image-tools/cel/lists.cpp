// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/lists.cpp - functions of lists and sets: Kubernetes' libraries, and lists of cel-go.
#include "image-tools/cel/functions.hpp"

#include <algorithm>

namespace cel {
namespace {

// Whether it is there; the meter says when that means nothing.
bool holds(const Items& items, const Value& wanted, Meter& meter) {
    return std::any_of(items.begin(), items.end(),
                       [&](const Value& one) { return equal(one, wanted, meter.left()); });
}

// Every one of `wanted` is in `items`.
bool holds_all(const Items& items, const Items& wanted, Meter& meter) {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const Value& one) { return holds(items, one, meter); });
}

Value sum(const Items& items, Meter& meter) {
    if (items.empty())
        return Value::of_int(0);
    Value total = items.front();
    for (std::size_t i = 1; i < items.size(); ++i) {
        const std::vector<Value> pair{total, items[i]};
        total = call_operator(Function::add, pair, meter);
        if (total.failed())
            return total;
    }
    return total.numeric() || total.is(Kind::duration) ? total : no_overload();
}

Value extreme(const Items& items, bool greatest) {
    if (items.empty())
        return Value::error("min() and max() of an empty list");
    const Value* best = &items.front();
    for (const Value& one : items) {
        const auto order = compare(one, *best);
        if (!order)
            return no_overload();
        if (greatest ? *order > 0 : *order < 0)
            best = &one;
    }
    return *best;
}

Value position(Function function, const Items& items, const Value& wanted, Meter& meter) {
    std::int64_t found = -1;
    for (std::size_t i = 0; i < items.size(); ++i)
        if (equal(items[i], wanted, meter.left())) {
            found = static_cast<std::int64_t>(i);
            if (function == Function::index_of)
                break;
        }
    return Value::of_int(found);
}

Value is_sorted(const Items& items) {
    for (std::size_t i = 1; i < items.size(); ++i) {
        const auto order = compare(items[i - 1], items[i]);
        if (!order)
            return no_overload();
        if (*order > 0)
            return Value::of_bool(false);
    }
    return Value::of_bool(true);
}

Value sorted(Items items) {
    for (const Value& one : items)
        if (const auto order = compare(one, items.front());
            !order || *order == std::partial_ordering::unordered)
            return no_overload();
    std::stable_sort(items.begin(), items.end(), [](const Value& one, const Value& other) {
        const auto order = compare(one, other);
        return order && *order < 0;
    });
    return Value::of_list(std::move(items));
}

Value distinct(const Items& items, Meter& meter) {
    Items out;
    for (const Value& one : items) {
        if (!holds(out, one, meter))
            out.push_back(one);
        if (meter.left() < 0)
            return Meter::exhausted();
    }
    return Value::of_list(std::move(out));
}

bool flatten_into(Items& out, const Items& items, std::int64_t depth, Meter& meter) {
    for (const Value& one : items) {
        if (!meter.spend(1))
            return false;
        if (depth > 0 && one.is(Kind::list)) {
            if (!flatten_into(out, one.items(), depth - 1, meter))
                return false;
        } else {
            out.push_back(one);
        }
    }
    return true;
}

Value slice(const Items& items, const Value& from, const Value& to) {
    if (!from.is(Kind::integer) || !to.is(Kind::integer))
        return no_overload();
    const auto size = static_cast<std::int64_t>(items.size());
    if (from.integer() < 0 || to.integer() > size || from.integer() > to.integer())
        return Value::error("index out of range: slice(" + std::to_string(from.integer()) + ", " +
                            std::to_string(to.integer()) + ") of " + std::to_string(size) + " items");
    return Value::of_list(Items(items.begin() + from.integer(), items.begin() + to.integer()));
}

Value range(const Value& count, Meter& meter) {
    if (!count.is(Kind::integer))
        return no_overload();
    Items out;
    if (count.integer() > 0 && !meter.spend(static_cast<std::size_t>(count.integer())))
        return Meter::exhausted();
    for (std::int64_t i = 0; i < count.integer(); ++i)
        out.push_back(Value::of_int(i));
    return Value::of_list(std::move(out));
}

Value of_sets(Function function, const Value& one, const Value& other, Meter& meter) {
    if (!other.is(Kind::list))
        return no_overload();
    const Items &mine = one.items(), &others = other.items();
    switch (function) {
    case Function::sets_contains:
        return Value::of_bool(holds_all(mine, others, meter));
    case Function::sets_equivalent:
        return Value::of_bool(holds_all(mine, others, meter) && holds_all(others, mine, meter));
    default:
        return Value::of_bool(std::any_of(others.begin(), others.end(),
                                          [&](const Value& item) { return holds(mine, item, meter); }));
    }
}

Value of_list(Function function, std::span<const Value> arguments, Meter& meter) {
    const Items& items = arguments[0].items();
    switch (function) {
    case Function::sum:
        return sum(items, meter);
    case Function::min:
    case Function::max:
        return extreme(items, function == Function::max);
    case Function::index_of:
    case Function::last_index_of:
        return arguments.size() == 2 ? position(function, items, arguments[1], meter) : no_overload();
    case Function::is_sorted:
        return is_sorted(items);
    case Function::sort:
        return sorted(items);
    case Function::distinct:
        return distinct(items, meter);
    case Function::slice:
        return slice(items, arguments[1], arguments[2]);
    case Function::reverse:
        return Value::of_list(Items(items.rbegin(), items.rend()));
    case Function::flatten: {
        if (arguments.size() == 2 && (!arguments[1].is(Kind::integer) || arguments[1].integer() < 0))
            return no_overload();
        Items out;
        if (!flatten_into(out, items, arguments.size() == 2 ? arguments[1].integer() : 1, meter))
            return Meter::exhausted();
        return Value::of_list(std::move(out));
    }
    default:
        return of_sets(function, arguments[0], arguments[1], meter);
    }
}

} // namespace

Value call_list(Function function, std::span<const Value> arguments, Meter& meter) {
    if (function == Function::range)
        return range(arguments[0], meter);
    if (!arguments[0].is(Kind::list))
        return no_overload();
    if (!meter.spend(arguments[0].extent()))
        return Meter::exhausted();
    for (const Value& item : arguments[0].items()) // some compare all of it
        if (item.extent() > 64 && !meter.spend_bytes(item.extent()))
            return Meter::exhausted();
    Value out = of_list(function, arguments, meter);
    return meter.left() < 0 ? Meter::exhausted() : out;
}

} // namespace cel
