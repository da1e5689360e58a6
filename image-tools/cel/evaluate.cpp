// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/evaluate.cpp - walking the tree: names, fields, logic, loops. What can be called is in functions.hpp.
#include "image-tools/cel/evaluate.hpp"

#include <algorithm>
#include <array>

namespace cel {
namespace {

bool is_type_name(std::string_view name) {
    static constexpr std::array<std::string_view, 13> names{"bool",
                                                            "int",
                                                            "uint",
                                                            "double",
                                                            "string",
                                                            "bytes",
                                                            "list",
                                                            "map",
                                                            "null_type",
                                                            "type",
                                                            "google.protobuf.Timestamp",
                                                            "google.protobuf.Duration",
                                                            "optional_type"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

class Evaluator {
public:
    Evaluator(const Ast& ast, const Variables& variables, Meter& meter)
        : ast_(ast), variables_(variables), meter_(meter) {}

    Value value(NodeId id) {
        const Node& node = ast_.at(id);
        if (!meter_.spend(1))
            return Meter::exhausted().at(node.place);
        Value out = by_form(node, *this);
        return out.failed() ? out.at(node.place) : out;
    }

private:
    friend Value cel::by_form<Evaluator>(const Node& node, Evaluator& visitor);

    static Value unbound(const Node& node) { return Value::error(node.text); }

    [[nodiscard]] const Value* local(std::string_view name) const {
        for (auto found = locals_.rbegin(); found != locals_.rend(); ++found)
            if (found->first == name)
                return &found->second;
        return nullptr;
    }
    // By the container's names, the longest first.
    [[nodiscard]] const Value* global(const std::string& name, bool from_root) const {
        if (!from_root)
            for (std::string space = variables_.container; !space.empty();) {
                if (const Value* found = variables_.find(space + "." + name))
                    return found;
                const std::size_t dot = space.rfind('.');
                space.resize(dot == std::string::npos ? 0 : dot);
            }
        return variables_.find(name);
    }

    Value name(const Node& node) {
        if (!node.from_root)
            if (const Value* found = local(node.text))
                return *found;
        if (const Value* found = global(node.text, node.from_root))
            return *found;
        if (is_type_name(node.text))
            return Value::of_type(node.text);
        return Value::error("undeclared reference to '" + node.text + "'");
    }

    Value select(const Node& node) {
        if (!node.qualified.empty() && (variables_.dotted() || node.qualified.starts_with("google."))) {
            const std::string_view first =
                std::string_view(node.qualified).substr(0, node.qualified.find('.'));
            if (node.from_root || local(first) == nullptr) {
                if (const Value* found = global(node.qualified, node.from_root))
                    return *found;
                if (is_type_name(node.qualified))
                    return Value::of_type(node.qualified);
            }
        }
        Value target = value(node.children[0]);
        if (target.failed())
            return target;
        const bool wrapped = target.is(Kind::optional);
        if (wrapped) {
            if (target.inside() == nullptr)
                return node.test ? Value::of_bool(false) : target;
            target = *target.inside();
        }
        if (!target.is(Kind::map))
            return Value::error("a value of type " + std::string(type_name(target.kind())) +
                                " has no field '" + node.text + "'");
        const Value* found = target.find(node.text);
        if (node.test)
            return Value::of_bool(found != nullptr);
        if (wrapped || node.optional)
            return Value::of_optional(found == nullptr ? std::nullopt : std::optional<Value>(*found));
        return found != nullptr ? *found : Value::error("no such key: " + node.text);
    }

    // && and ||: `decides` on either side is the answer, whatever the other sides are.
    Value logic(const Node& node, bool decides) {
        Value failure;
        for (const NodeId child : node.children) {
            Value side = value(child);
            if (side.failed() && side.is_exhausted())
                return side;
            if (!side.failed() && !side.is(Kind::boolean))
                side = no_overload().at(node.place);
            if (side.failed()) {
                if (!failure.failed())
                    failure = side;
            } else if (side.boolean() == decides) {
                return side;
            }
        }
        return failure.failed() ? failure : Value::of_bool(!decides);
    }

    Value call(const Node& node) {
        switch (node.function) {
        case Function::logical_and:
            return logic(node, false);
        case Function::logical_or:
            return logic(node, true);
        case Function::conditional: {
            const Value condition = value(node.children[0]);
            if (condition.failed())
                return condition;
            if (!condition.is(Kind::boolean))
                return no_overload();
            return value(node.children[condition.boolean() ? 1 : 2]);
        }
        case Function::or_value:
        case Function::or_else: {
            const Value target = value(node.children[0]);
            if (target.failed())
                return target;
            if (!target.is(Kind::optional))
                return no_overload();
            if (target.inside() != nullptr)
                return node.function == Function::or_value ? *target.inside() : target;
            return value(node.children[1]);
        }
        default:
            break;
        }
        Items arguments;
        arguments.reserve(node.children.size());
        for (const NodeId child : node.children) {
            arguments.push_back(value(child));
            if (arguments.back().failed())
                return arguments.back();
        }
        return cel::call(node.function, arguments, meter_);
    }

    // The value of an element that is written with '?': nothing where it is none.
    static Value unwrapped(const Value& value, bool& there) {
        if (!value.is(Kind::optional))
            return no_overload();
        there = value.inside() != nullptr;
        return there ? *value.inside() : Value();
    }

    Value list(const Node& node) {
        Items items;
        items.reserve(node.children.size());
        for (std::size_t i = 0; i < node.children.size(); ++i) {
            Value item = value(node.children[i]);
            bool there = true;
            if (!item.failed() && node.optional_items[i])
                item = unwrapped(item, there);
            if (item.failed())
                return item;
            if (there)
                items.push_back(std::move(item));
        }
        return Value::of_list(std::move(items));
    }

    Value map(const Node& node) {
        Entries entries;
        for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
            Value key = value(node.children[i]);
            if (key.failed())
                return key;
            Value item = value(node.children[i + 1]);
            bool there = true;
            if (!item.failed() && node.optional_items[i / 2])
                item = unwrapped(item, there);
            if (item.failed())
                return item;
            if (there)
                entries.emplace_back(std::move(key), std::move(item));
        }
        return Value::of_map(std::move(entries));
    }

    // Loops. A turn has one variable (an item, or a map's key), or two (index and item, or key and value).
    struct Turns {
        const Items* items = nullptr;
        const Entries* entries = nullptr;
        [[nodiscard]] std::size_t count() const { return items != nullptr ? items->size() : entries->size(); }
    };
    void enter(const Node& node, const Turns& turns, std::size_t turn) {
        const bool two = !node.second_name.empty();
        if (turns.items != nullptr) {
            const Value& item = (*turns.items)[turn];
            locals_.emplace_back(node.text, two ? Value::of_int(static_cast<std::int64_t>(turn)) : item);
            if (two)
                locals_.emplace_back(node.second_name, item);
            return;
        }
        const Entry& entry = (*turns.entries)[turn];
        locals_.emplace_back(node.text, entry.first);
        if (two)
            locals_.emplace_back(node.second_name, entry.second);
    }
    Value within(const Node& node, const Turns& turns, std::size_t turn, NodeId expression) {
        const std::size_t before = locals_.size();
        enter(node, turns, turn);
        Value out = value(expression);
        locals_.resize(before);
        return out;
    }
    Value with(const std::string& name, Value bound, NodeId expression) {
        locals_.emplace_back(name, std::move(bound));
        Value out = value(expression);
        locals_.pop_back();
        return out;
    }

    Value loop(const Node& node) {
        const Value range = value(node.children[0]);
        if (range.failed())
            return range;
        switch (node.loop) {
        case Loop::bind:
            return with(node.text, range, node.children[1]);
        case Loop::optional_map:
        case Loop::optional_flat_map: {
            if (!range.is(Kind::optional))
                return no_overload();
            if (range.inside() == nullptr)
                return range;
            Value out = with(node.text, *range.inside(), node.children[1]);
            if (out.failed())
                return out;
            if (node.loop == Loop::optional_map)
                return Value::of_optional(out);
            return out.is(Kind::optional) ? out : no_overload();
        }
        default:
            break;
        }
        Turns turns;
        if (range.is(Kind::list))
            turns.items = &range.items();
        else if (range.is(Kind::map))
            turns.entries = &range.entries();
        else
            return Value::error("no such overload: " + std::string(type_name(range.kind())) +
                                " cannot be gone through");
        switch (node.loop) {
        case Loop::all:
            return quantified(node, turns, false);
        case Loop::exists:
            return quantified(node, turns, true);
        case Loop::exists_one:
            return exactly_one(node, turns);
        default:
            return collected(node, turns);
        }
    }

    // all and exists: `decides` in one turn is the answer, whatever the others are.
    Value quantified(const Node& node, const Turns& turns, bool decides) {
        Value failure;
        for (std::size_t turn = 0; turn < turns.count(); ++turn) {
            Value one = within(node, turns, turn, node.children[1]);
            if (one.failed() && one.is_exhausted())
                return one;
            if (!one.failed() && !one.is(Kind::boolean))
                one = no_overload().at(node.place);
            if (one.failed()) {
                if (!failure.failed())
                    failure = one;
            } else if (one.boolean() == decides) {
                return one;
            }
        }
        return failure.failed() ? failure : Value::of_bool(!decides);
    }

    Value exactly_one(const Node& node, const Turns& turns) {
        unsigned found = 0;
        for (std::size_t turn = 0; turn < turns.count(); ++turn) {
            const Value one = within(node, turns, turn, node.children[1]);
            if (one.failed())
                return one;
            if (!one.is(Kind::boolean))
                return no_overload();
            found += one.boolean() ? 1 : 0;
        }
        return Value::of_bool(found == 1);
    }

    Value collected(const Node& node, const Turns& turns) {
        Items items;
        Entries entries;
        const bool filter = node.loop == Loop::filter;
        for (std::size_t turn = 0; turn < turns.count(); ++turn) {
            if (filter || node.conditioned) {
                Value condition = within(node, turns, turn, node.children[1]);
                if (condition.failed())
                    return condition;
                if (!condition.is(Kind::boolean))
                    return no_overload();
                if (!condition.boolean())
                    continue;
            }
            if (filter) {
                items.push_back(turns.items != nullptr ? (*turns.items)[turn] : (*turns.entries)[turn].first);
                continue;
            }
            Value made = within(node, turns, turn, node.children.back());
            if (made.failed())
                return made;
            if (node.loop == Loop::transform_map)
                entries.emplace_back(turns.items != nullptr ? Value::of_int(static_cast<std::int64_t>(turn))
                                                            : (*turns.entries)[turn].first,
                                     std::move(made));
            else
                items.push_back(std::move(made));
        }
        return node.loop == Loop::transform_map ? Value::of_map(std::move(entries))
                                                : Value::of_list(std::move(items));
    }

    const Ast& ast_;
    const Variables& variables_;
    Meter& meter_;
    std::vector<std::pair<std::string_view, Value>> locals_;
};

} // namespace

Value evaluate(const Ast& ast, const Variables& variables, Meter& meter) {
    return Evaluator(ast, variables, meter).value(ast.root);
}

Position position_of(std::string_view text, std::uint32_t place) {
    const std::size_t at = std::min<std::size_t>(place, text.size());
    Position out;
    std::size_t start = 0;
    for (std::size_t i = 0; i < at; ++i)
        if (text[i] == '\n') {
            ++out.line;
            start = i + 1;
        }
    out.column = static_cast<unsigned>(count_code_points(text.substr(start, at - start))) + 1;
    out.source = text.substr(start, text.find('\n', start) - start);
    return out;
}

} // namespace cel
