// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/checker.cpp - one walk with an example of each value, as far as it is known.
#include "image-tools/cel/checker.hpp"

#include <algorithm>
#include <array>

namespace cel {
namespace {

class Checker {
public:
    Checker(const Ast& ast, const Declared& variables) : ast_(ast), scope_(variables) {}

    // An example of the value; null where none is known.
    Value example(NodeId id) { return by_form(ast_.at(id), *this); }
    [[nodiscard]] const std::optional<Problem>& problem() const { return problem_; }

private:
    friend Value cel::by_form<Checker>(const Node& node, Checker& visitor);

    Value unbound(const Node& node) { return wrong(node, node.text); }
    Value call(const Node& node) {
        const Value first = first_of(node);
        return node.function == Function::index ? element(first) : Value();
    }
    Value list(const Node& node) {
        first_of(node);
        return {};
    }
    Value map(const Node& node) { return list(node); }
    // Looks at all of its parts.
    Value first_of(const Node& node) {
        Value first;
        for (std::size_t i = 0; i < node.children.size(); ++i) {
            Value one = example(node.children[i]);
            if (i == 0)
                first = std::move(one);
        }
        return first;
    }

    Value wrong(const Node& node, std::string message) {
        if (!problem_)
            problem_ = Problem{std::move(message), node.place, node.width};
        return {};
    }

    Value name(const Node& node) {
        for (auto found = scope_.rbegin(); found != scope_.rend(); ++found)
            if (found->first == node.text)
                return found->second;
        static constexpr std::array<std::string_view, 12> types{
            "bool", "int", "uint",      "double", "string", "bytes",
            "list", "map", "null_type", "type",   "google", "optional_type"};
        if (std::find(types.begin(), types.end(), node.text) != types.end())
            return {};
        std::string known;
        for (const auto& [one, ignored] : scope_)
            known += (known.empty() ? "" : ", ") + one;
        return wrong(node, "undeclared reference to '" + node.text + "'; there are " + known);
    }

    Value select(const Node& node) {
        const Value from = example(node.children[0]);
        if (!from.is(Kind::map) || from.entries().empty())
            return {};
        if (const Value* found = from.find(node.text))
            return *found;
        std::string known;
        for (const auto& [key, ignored] : from.entries())
            if (key.is(Kind::text))
                known += (known.empty() ? "" : ", ") + key.text();
        return wrong(node, "there is no field '" + node.text + "'; there are " + known);
    }

    static Value element(const Value& of) {
        if (of.is(Kind::list) && !of.items().empty())
            return of.items().front();
        return {};
    }

    Value loop(const Node& node) {
        const Value range = example(node.children[0]);
        const std::size_t before = scope_.size();
        const bool two = !node.second_name.empty();
        scope_.emplace_back(node.text, node.loop == Loop::bind ? range : two ? Value() : element(range));
        if (two)
            scope_.emplace_back(node.second_name, element(range));
        Value last;
        for (std::size_t i = 1; i < node.children.size(); ++i)
            last = example(node.children[i]);
        scope_.resize(before);
        if (node.loop == Loop::bind)
            return last;
        if (node.loop == Loop::filter)
            return range;
        if ((node.loop == Loop::map || node.loop == Loop::transform_list) && !last.is(Kind::null))
            return Value::of_list({last});
        return {};
    }

    const Ast& ast_;
    Declared scope_;
    std::optional<Problem> problem_;
};

} // namespace

std::optional<Problem> check(const Ast& ast, const Declared& variables, Value* example) {
    Checker checker(ast, variables);
    Value value = checker.example(ast.root);
    if (example != nullptr)
        *example = std::move(value);
    return checker.problem();
}

} // namespace cel
