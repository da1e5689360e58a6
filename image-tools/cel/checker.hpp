// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/checker.hpp - what is wrong with an expression before it is evaluated: names, functions and fields that
// there are not.
//
// Fields are known by an example: a value in which every field is present. What an expression computes has no example and is
// not looked into.
#pragma once

#include "image-tools/cel/ast.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cel {

// A variable with its example; null: nothing is known of it.
using Declared = std::vector<std::pair<std::string, Value>>;

// The first that is wrong. `example`, if given, becomes that of the expression's own value.
std::optional<Problem> check(const Ast& ast, const Declared& variables, Value* example = nullptr);

} // namespace cel
