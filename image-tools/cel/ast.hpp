// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/ast.hpp - an expression as a tree.
//
// Spec: CEL language definition, "Syntax" and "Macros". Macros are nodes of their own: what they expand to elsewhere is
// never seen.
#pragma once

#include "image-tools/cel/functions.hpp"
#include "image-tools/cel/lexer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cel {

inline constexpr std::size_t max_expression = 64 * 1024; // bytes
inline constexpr std::size_t max_nodes = 20'000;
inline constexpr unsigned max_nesting = 160; // of brackets and the like
inline constexpr unsigned max_depth = 400;   // of the tree, long sums too

using NodeId = std::uint32_t;

// unbound: a function or message type that there is not; `text` says so.
enum class Form : std::uint8_t { constant, name, select, call, list, map, unbound, loop };

// children: what is gone through, then condition or result; optMap and bind have one turn.
enum class Loop : std::uint8_t {
    all,
    exists,
    exists_one,
    map,
    filter,
    transform_list,
    transform_map,
    bind,
    optional_map,
    optional_flat_map
};

struct Node {
    Form form = Form::constant;
    Function function = Function::to_dyn;
    Loop loop = Loop::all;
    bool from_root = false;   // a name with a dot before it
    bool test = false;        // a selection within has()
    bool optional = false;    // ?. in a selection
    bool conditioned = false; // map and transform with a condition: it is the second child
    std::uint16_t depth = 1;
    std::uint32_t place = 0;
    std::uint32_t width = 1;
    std::string text;        // name, field, complaint; a loop's first variable
    std::string second_name; // a loop's second variable
    std::string qualified;   // of a selection from names only: "a.b.c"
    Value constant;
    std::vector<NodeId> children; // a map's: key, value, key, value
    std::vector<bool> optional_items;
};

struct Ast {
    std::string text;
    std::vector<Node> nodes;
    NodeId root = 0;
    [[nodiscard]] const Node& at(NodeId id) const { return nodes[id]; }
};

// Hands the node to the visitor's function of that name: constant, name, select, call, list, map, unbound, loop.
template <typename Visitor> Value by_form(const Node& node, Visitor& visitor) {
    switch (node.form) {
    case Form::constant:
        return node.constant;
    case Form::name:
        return visitor.name(node);
    case Form::select:
        return visitor.select(node);
    case Form::call:
        return visitor.call(node);
    case Form::list:
        return visitor.list(node);
    case Form::map:
        return visitor.map(node);
    case Form::unbound:
        return visitor.unbound(node);
    case Form::loop:
        return visitor.loop(node);
    }
    return Value::error("a bug");
}

// Reads the expression; or says what is wrong and where.
std::optional<Problem> parse(std::string_view text, Ast& out);

} // namespace cel
