// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/json.hpp - JSON as values, and values as JSON.
//
// Spec: RFC 8259. Strict: one document, no key twice, UTF-8, a bounded depth; whole numbers are int (uint above), others double.
#pragma once

#include "image-tools/cel/lexer.hpp"
#include "image-tools/cel/value.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace cel {

inline constexpr unsigned max_json_depth = 64;

std::variant<Value, Problem> read_json(std::string_view text);
// One line. What JSON has no form for is a string; bytes are base64.
std::string to_json(const Value& value);

} // namespace cel
