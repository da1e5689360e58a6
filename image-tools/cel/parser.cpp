// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/parser.cpp - from words to the tree, by recursive descent with a bounded depth.
//
// Spec: CEL language definition, "Syntax": the grammar, of which each function here is a rule.
#include "image-tools/cel/ast.hpp"

#include <algorithm>
#include <array>

namespace cel {
namespace {

constexpr std::array<std::string_view, 18> reserved{
    "as",     "break", "const", "continue", "else",      "false", "for",    "function", "if",
    "import", "let",   "loop",  "package",  "namespace", "null",  "return", "var",      "void"};
bool is_reserved(std::string_view name) {
    return name == "while" || name == "true" || name == "in" ||
           std::find(reserved.begin(), reserved.end(), name) != reserved.end();
}

struct Operator {
    std::string_view sign;
    Function function;
};
constexpr std::array<Operator, 6> relations{{{"==", Function::equal},
                                             {"!=", Function::not_equal},
                                             {"<", Function::less},
                                             {"<=", Function::less_equal},
                                             {">", Function::greater},
                                             {">=", Function::greater_equal}}};
constexpr std::array<Operator, 2> sums{{{"+", Function::add}, {"-", Function::subtract}}};
constexpr std::array<Operator, 3> products{
    {{"*", Function::multiply}, {"/", Function::divide}, {"%", Function::modulo}}};

struct Macro {
    std::string_view name;
    Loop loop;
    std::uint8_t variables, least, most; // least, most: arguments with the variables
};
constexpr std::array<Macro, 15> macros{{{"all", Loop::all, 1, 2, 2},
                                        {"all", Loop::all, 2, 3, 3},
                                        {"exists", Loop::exists, 1, 2, 2},
                                        {"exists", Loop::exists, 2, 3, 3},
                                        {"exists_one", Loop::exists_one, 1, 2, 2},
                                        {"existsOne", Loop::exists_one, 1, 2, 2},
                                        {"exists_one", Loop::exists_one, 2, 3, 3},
                                        {"existsOne", Loop::exists_one, 2, 3, 3},
                                        {"map", Loop::map, 1, 2, 3},
                                        {"filter", Loop::filter, 1, 2, 2},
                                        {"transformList", Loop::transform_list, 2, 3, 4},
                                        {"transformMap", Loop::transform_map, 2, 3, 4},
                                        {"optMap", Loop::optional_map, 1, 2, 2},
                                        {"optFlatMap", Loop::optional_flat_map, 1, 2, 2},
                                        {"bind", Loop::bind, 1, 3, 3}}};

class Parser {
public:
    explicit Parser(Ast& out) : ast_(out) {}

    std::optional<Problem> all() {
        if (ast_.text.size() > max_expression)
            return Problem{"the expression is longer than " + std::to_string(max_expression) + " bytes", 0,
                           1};
        if (auto problem = split(ast_.text, tokens_))
            return problem;
        ast_.root = expression();
        if (!problem_ && peek().word != Word::end)
            unexpected("an operator or the end");
        return problem_;
    }

private:
    [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    bool take(std::string_view sign) {
        if (problem_ || !peek().sign(sign))
            return false;
        ++at_;
        return true;
    }
    NodeId wrong(std::string message, std::uint32_t place, std::uint32_t width) {
        if (!problem_)
            problem_ = Problem{std::move(message), place, std::max(width, 1u)};
        at_ = tokens_.size() - 1; // every rule ends there
        return 0;
    }
    NodeId unexpected(std::string_view wanted) {
        const Token& token = peek();
        const std::string found = token.word == Word::end
                                      ? "the expression ends"
                                      : "'" + ast_.text.substr(token.place, token.width) + "' stands";
        return wrong(found + " where " + std::string(wanted) + " should be", token.place, token.width);
    }
    void must(std::string_view sign) {
        if (!problem_ && !take(sign))
            unexpected("'" + std::string(sign) + "'");
    }

    NodeId add(Node node) {
        std::uint16_t depth = 0;
        for (const NodeId child : node.children)
            depth = std::max(depth, ast_.nodes[child].depth);
        node.depth = static_cast<std::uint16_t>(depth + 1);
        if (ast_.nodes.size() >= max_nodes)
            return wrong("the expression has more than " + std::to_string(max_nodes) + " parts", node.place,
                         1);
        if (node.depth > max_depth)
            return wrong("the expression is nested too deep", node.place, 1);
        ast_.nodes.push_back(std::move(node));
        return static_cast<NodeId>(ast_.nodes.size() - 1);
    }
    NodeId call(Function function, const Token& at, std::vector<NodeId> children) {
        Node node;
        node.form = Form::call;
        node.function = function;
        node.place = at.place;
        node.width = at.width;
        node.children = std::move(children);
        return add(std::move(node));
    }
    NodeId constant(Value value, const Token& at, std::uint32_t place) {
        Node node;
        node.constant = std::move(value);
        node.place = place;
        node.width = at.place + at.width - place;
        return add(std::move(node));
    }

    NodeId expression() {
        if (++nesting_ > max_nesting)
            return wrong("the expression is nested too deep", peek().place, peek().width);
        NodeId out = disjunction();
        if (const Token at = peek(); take("?")) {
            const NodeId yes = disjunction();
            must(":");
            const NodeId no = expression();
            out = call(Function::conditional, at, {out, yes, no});
        }
        --nesting_;
        return out;
    }

    // One rule with operators that are joined into one call of many arguments.
    NodeId joined(std::string_view sign, Function function, NodeId (Parser::*part)()) {
        const NodeId first = (this->*part)();
        const Token at = peek();
        if (problem_ || !at.sign(sign))
            return first;
        std::vector<NodeId> parts{first};
        while (take(sign))
            parts.push_back((this->*part)());
        return call(function, at, std::move(parts));
    }
    NodeId disjunction() { return joined("||", Function::logical_or, &Parser::conjunction); }
    NodeId conjunction() { return joined("&&", Function::logical_and, &Parser::relation); }

    template <std::size_t Count>
    NodeId chain(const std::array<Operator, Count>& operators, NodeId (Parser::*part)()) {
        NodeId out = (this->*part)();
        while (!problem_) {
            const Token at = peek();
            const auto found = std::find_if(operators.begin(), operators.end(),
                                            [&](const Operator& one) { return at.sign(one.sign); });
            if (found == operators.end())
                break;
            ++at_;
            const NodeId other = (this->*part)();
            out = call(found->function, at, {out, other});
        }
        return out;
    }
    NodeId relation() {
        NodeId out = chain(relations, &Parser::addition);
        while (!problem_ && peek().word == Word::name && peek().text == "in") {
            const Token at = peek();
            ++at_;
            const NodeId other = chain(relations, &Parser::addition);
            out = call(Function::in, at, {out, other});
        }
        return out;
    }
    NodeId addition() { return chain(sums, &Parser::multiplication); }
    NodeId multiplication() { return chain(products, &Parser::unary); }

    NodeId unary() {
        const Token at = peek();
        if (at.sign("-") && (peek(1).word == Word::integer || peek(1).word == Word::real)) {
            ++at_;
            return member(negative_literal(at));
        }
        for (const auto& [sign, function] :
             {Operator{"!", Function::logical_not}, Operator{"-", Function::negate}}) {
            if (!at.sign(sign))
                continue;
            unsigned times = 0;
            while (take(sign))
                if (++times > max_nesting)
                    return wrong("the expression is nested too deep", at.place, 1);
            // Of an even number nothing is left but that it must be such a value.
            NodeId out = member(primary());
            for (unsigned i = 0; i < times; ++i)
                out = call(function, at, {out});
            return out;
        }
        return member(primary());
    }

    NodeId negative_literal(const Token& sign) {
        const Token token = peek();
        ++at_;
        if (token.word == Word::real)
            return constant(Value::of_double(-token.real), token, sign.place);
        return constant(Value::of_int(static_cast<std::int64_t>(0 - token.number)), token, sign.place);
    }

    NodeId member(NodeId out) {
        while (!problem_) {
            const Token at = peek();
            if (take(".")) {
                const bool optional = take("?");
                out = selection(out, optional);
            } else if (take("[")) {
                const bool optional = take("?");
                const NodeId index = expression();
                must("]");
                out = call(optional ? Function::optional_index : Function::index, at, {out, index});
            } else if (at.sign("{") && message_name(out)) {
                out = message(out);
            } else {
                break;
            }
        }
        return out;
    }

    NodeId selection(NodeId target, bool optional) {
        const Token name = peek();
        if (name.word != Word::name && name.word != Word::quoted_name)
            return unexpected("the name of a field or function");
        if (name.word == Word::name &&
            (name.text == "in" || name.text == "true" || name.text == "false" || name.text == "null"))
            return unexpected("the name of a field or function");
        ++at_;
        if (!optional && name.word == Word::name && take("("))
            return method(target, name);
        Node node;
        node.form = Form::select;
        node.text = name.text;
        node.optional = optional;
        node.place = name.place;
        node.width = name.width;
        node.children = {target};
        const Node& from = ast_.nodes[target];
        if (!optional && from.form == Form::name)
            node.qualified = from.text + "." + name.text;
        else if (!optional && from.form == Form::select && !from.qualified.empty())
            node.qualified = from.qualified + "." + name.text;
        node.from_root = from.from_root && !node.qualified.empty();
        return add(std::move(node));
    }

    std::vector<NodeId> arguments(std::string_view end) {
        std::vector<NodeId> out;
        while (!problem_ && !take(end)) {
            out.push_back(expression());
            if (!take(",") && !problem_) {
                must(end);
                break;
            }
        }
        return out;
    }

    // The dotted name that it is, or nothing.
    [[nodiscard]] std::string dotted(NodeId id) const {
        const Node& node = ast_.nodes[id];
        return node.form == Form::name ? node.text : node.form == Form::select ? node.qualified : "";
    }

    NodeId method(NodeId target, const Token& name) {
        std::vector<NodeId> given = arguments(")");
        if (problem_)
            return 0;
        const std::string space = dotted(target);
        for (const Macro& macro : macros)
            if (macro.name == name.text && given.size() >= macro.least && given.size() <= macro.most &&
                (macro.loop != Loop::bind || space == "cel"))
                return loop(macro, target, given, name);
        if (!space.empty())
            if (const Signature* global = find_function(space + "." + name.text, false, given.size()))
                return call(global->function, name, std::move(given));
        given.insert(given.begin(), target);
        return function_call(name, true, std::move(given),
                             space.empty() ? name.text : space + "." + name.text);
    }

    NodeId function_call(const Token& name, bool receiver, std::vector<NodeId> given,
                         const std::string& shown) {
        if (const Signature* found = find_function(name.text, receiver, given.size()))
            return call(found->function, name, std::move(given));
        Node node; // an error where it is evaluated: it may be absorbed
        node.form = Form::unbound;
        node.place = name.place;
        node.width = name.width;
        node.text = knows_function(name.text)
                        ? "no such overload: '" + name.text + "' is not called so or with " +
                              std::to_string(given.size() - (receiver ? 1 : 0)) + " arguments"
                        : "there is no function '" + shown + "'";
        node.children = std::move(given);
        return add(std::move(node));
    }

    NodeId loop(const Macro& macro, NodeId target, const std::vector<NodeId>& given, const Token& name) {
        Node node;
        node.form = Form::loop;
        node.loop = macro.loop;
        node.place = name.place;
        node.width = name.width;
        for (std::size_t i = 0; i < macro.variables; ++i) {
            const Node& variable = ast_.nodes[given[i]];
            if (variable.form != Form::name || variable.from_root)
                return wrong("the argument of " + std::string(macro.name) + " must be a simple name",
                             variable.place, variable.width);
            if (i == 1 && variable.text == node.text)
                return wrong("both variables of " + std::string(macro.name) + " have one name",
                             variable.place, variable.width);
            (i == 0 ? node.text : node.second_name) = variable.text;
        }
        if (macro.loop != Loop::bind)
            node.children.push_back(target);
        node.children.insert(node.children.end(), given.begin() + macro.variables, given.end());
        node.conditioned = macro.least != macro.most && given.size() == macro.most;
        return add(std::move(node));
    }

    NodeId primary() {
        const Token token = peek();
        switch (token.word) {
        case Word::integer:
            ++at_;
            if (token.number > INT64_MAX)
                return wrong("the number does not fit 64 bits", token.place, token.width);
            return constant(Value::of_int(static_cast<std::int64_t>(token.number)), token, token.place);
        case Word::natural:
            ++at_;
            return constant(Value::of_uint(token.number), token, token.place);
        case Word::real:
            ++at_;
            return constant(Value::of_double(token.real), token, token.place);
        case Word::text:
            ++at_;
            return constant(Value::of_string(token.text), token, token.place);
        case Word::bytes:
            ++at_;
            return constant(Value::of_bytes(token.text), token, token.place);
        case Word::name:
            return name(false);
        case Word::quoted_name:
        case Word::end:
            return unexpected("a value");
        case Word::sign:
            break;
        }
        if (take("(")) {
            const NodeId out = expression();
            must(")");
            return out;
        }
        if (take("["))
            return list(token);
        if (take("{"))
            return map(token);
        if (token.text == "." && peek(1).word == Word::name) {
            ++at_;
            return name(true);
        }
        return unexpected("a value");
    }

    NodeId name(bool from_root) {
        const Token token = peek();
        ++at_;
        if (!from_root) {
            if (token.text == "true" || token.text == "false")
                return constant(Value::of_bool(token.text == "true"), token, token.place);
            if (token.text == "null")
                return constant(Value(), token, token.place);
        }
        if (is_reserved(token.text))
            return wrong("'" + token.text + "' is a reserved word", token.place, token.width);
        if (take("(")) {
            std::vector<NodeId> given = arguments(")");
            if (problem_)
                return 0;
            if (token.text == "has" && given.size() == 1)
                return has(given[0], token);
            return function_call(token, false, std::move(given), token.text);
        }
        Node node;
        node.form = Form::name;
        node.text = token.text;
        node.from_root = from_root;
        node.place = token.place;
        node.width = token.width;
        return add(std::move(node));
    }

    NodeId has(NodeId argument, const Token& at) {
        Node& selected = ast_.nodes[argument];
        if (selected.form != Form::select || selected.test)
            return wrong("the argument of has() must select a field, as in has(a.b)", at.place, at.width);
        selected.test = true;
        selected.qualified.clear();
        return argument;
    }

    // What stands up to the bracket `end`: items with commas between them, and after the last if one likes.
    template <typename Item> void items(std::string_view end, const Item& item) {
        while (!problem_ && !take(end)) {
            item();
            if (!take(",") && !problem_) {
                must(end);
                break;
            }
        }
    }

    NodeId list(const Token& at) {
        Node node;
        node.form = Form::list;
        node.place = at.place;
        items("]", [&] {
            node.optional_items.push_back(take("?"));
            node.children.push_back(expression());
        });
        return add(std::move(node));
    }

    NodeId map(const Token& at) {
        Node node;
        node.form = Form::map;
        node.place = at.place;
        items("}", [&] {
            node.optional_items.push_back(take("?"));
            node.children.push_back(expression());
            must(":");
            node.children.push_back(expression());
        });
        return add(std::move(node));
    }

    [[nodiscard]] bool message_name(NodeId id) const {
        return !dotted(id).empty() && (ast_.nodes[id].form == Form::name || !ast_.nodes[id].test);
    }
    // There are no messages here; what is written as one is read to its end and is an error where it is evaluated.
    NodeId message(NodeId type) {
        Node node;
        node.form = Form::unbound;
        node.place = ast_.nodes[type].place;
        node.width = ast_.nodes[type].width;
        node.text = "there is no message type '" + dotted(type) + "'";
        must("{");
        items("}", [&] {
            take("?");
            if (peek().word != Word::name && peek().word != Word::quoted_name) {
                unexpected("the name of a field");
                return;
            }
            ++at_;
            must(":");
            node.children.push_back(expression());
        });
        return add(std::move(node));
    }

    Ast& ast_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    unsigned nesting_ = 0;
    std::optional<Problem> problem_;
};

} // namespace

std::optional<Problem> parse(std::string_view text, Ast& out) {
    out = {};
    out.text = text;
    out.nodes.reserve(64);
    out.nodes.emplace_back(); // what a rule that failed gives
    return Parser(out).all();
}

} // namespace cel
