// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/evaluate.hpp - an expression's value.
//
// Invariants: total: ends after a bounded number of steps (the meter) and with bounded recursion (the tree's depth), with
//             a value or an error that has its place.
// Spec:       CEL language definition, "Evaluation": errors are absorbed by && || all exists where the other side decides.
#pragma once

#include "image-tools/cel/ast.hpp"

#include <map>
#include <string>
#include <string_view>

namespace cel {

// What names mean. A name may have dots in it.
class Variables {
public:
    void set(std::string name, Value value) {
        dotted_ = dotted_ || name.find('.') != std::string::npos;
        values_.insert_or_assign(std::move(name), std::move(value));
    }
    [[nodiscard]] const Value* find(std::string_view name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] bool dotted() const { return dotted_; }

    std::string container; // "a.b": x is a.b.x, a.x or x

private:
    std::map<std::string, Value, std::less<>> values_;
    bool dotted_ = false;
};

inline constexpr std::int64_t usual_cost_limit = 1'000'000; // of one expression, as Kubernetes has it

Value evaluate(const Ast& ast, const Variables& variables, Meter& meter);

// "x.cel:1:7" is the caller's; this is the line and column (from 1, in characters) of an offset.
struct Position {
    unsigned line = 1, column = 1;
    std::string source; // that line
};
Position position_of(std::string_view text, std::uint32_t place);

} // namespace cel
