// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cel/checker.hpp"
#include "image-tools/cel/evaluate.hpp"
#include "image-tools/cel/json.hpp"

#include <gtest/gtest.h>

namespace {

using cel::Value;

Value evaluated(const std::string& text, const std::string& object = "null",
                std::int64_t limit = cel::usual_cost_limit) {
    cel::Ast ast;
    if (const auto problem = cel::parse(text, ast))
        return Value::error("problem: " + problem->message).at(problem->place);
    cel::Variables variables;
    variables.set("object", std::get<Value>(cel::read_json(object)));
    cel::Meter meter(limit);
    return cel::evaluate(ast, variables, meter);
}
std::string says(const std::string& text, const std::string& object = "null") {
    const Value value = evaluated(text, object);
    return value.failed() ? "error: " + value.text() : cel::to_json(value);
}

struct Fact {
    const char* expression;
    const char* value;
};

void hold(std::initializer_list<Fact> facts) {
    for (const Fact& fact : facts)
        EXPECT_EQ(says(fact.expression), fact.value) << fact.expression;
}

TEST(Cel, Literals) {
    hold({{"0x1F", "31"},
          {"-9223372036854775808", "-9223372036854775808"},
          {"18446744073709551615u", "18446744073709551615"},
          {"1.5e3", "1500"},
          {"'a\\tb\\u00e9\\101'", "\"a\\u0009b\u00e9A\""},
          {"r'a\\t'", "\"a\\\\t\""},
          {"'''a\n\"b'''", "\"a\\u000a\\\"b\""},
          {"b'\\xff'", "\"/w==\""},
          {"[1, 2,]", "[1,2]"},
          {"{'a': 1, 2: 'b'}", "{\"2\":\"b\",\"a\":1}"}});
}

TEST(Cel, Arithmetic) {
    hold({{"2 + 3 * 4 - 10 / 3", "11"},
          {"-7 % 3", "-1"},
          {"9223372036854775807 + 1", "error: integer overflow"},
          {"-9223372036854775808 / -1", "error: integer overflow"},
          {"-(-9223372036854775808)", "error: integer overflow"},
          {"0u - 1u", "error: unsigned integer overflow"},
          {"1 / 0", "error: divide by zero"},
          {"1 + 1u", "error: no such overload"},
          {"1 == 1u && 1 == 1.0 && 2 < 2.5", "true"},
          {"9007199254740993 == 9007199254740992.0", "false"},
          {"'a' + 'b' + string(1)", "\"ab1\""},
          {"[1] + [2, 3]", "[1,2,3]"}});
}

TEST(Cel, ErrorsAreAbsorbedWhereTheOtherSideDecides) {
    hold({{"1 / 0 == 1 || true", "true"},
          {"false && 1 / 0 == 1", "false"},
          {"1 / 0 == 1 && false", "false"},
          {"1 / 0 == 1 || false", "error: divide by zero"},
          {"[0, 1].exists(x, 1 / x == 1)", "true"},
          {"[0, 2].all(x, 1 / x == 1)", "false"},
          {"[0, 1].all(x, 1 / x == 1)", "error: divide by zero"},
          {"[0, 1].exists_one(x, 1 / x == 1)", "error: divide by zero"},
          {"nothing || true", "true"},
          {"nothing(1) && false", "false"},
          {"true ? 1 : 1 / 0", "1"}});
}

TEST(Cel, FieldsAndMacros) {
    const std::string object = R"({"a": {"b": [1, 2, 3]}, "n": null})";
    EXPECT_EQ(says("object.a.b[1]", object), "2");
    EXPECT_EQ(says("has(object.a) && !has(object.c)", object), "true");
    EXPECT_EQ(says("object.c", object), "error: no such key: c");
    EXPECT_EQ(says("object.a.b[3]", object), "error: invalid argument: index 3 out of range of 3 items");
    EXPECT_EQ(says("object.a.b.map(x, x * x).filter(x, x > 1)", object), "[4,9]");
    EXPECT_EQ(says("object.map(k, k)", object), "[\"a\",\"n\"]");
    EXPECT_EQ(says("object.?c.?d.orValue(7)", object), "7");
    EXPECT_EQ(says("2 in object.a.b && 'a' in object", object), "true");
    EXPECT_EQ(says("object.a.b.transformList(i, v, i * 10 + v)", object), "[1,12,23]");
    EXPECT_EQ(says("cel.bind(x, object.a.b, x.size() + x[0])", object), "4");
}

TEST(Cel, StringsAndLists) {
    hold({{"'\u00e9\u00e8'.size()", "2"},
          {"'hello'.matches('^h.*o$') && !'hello'.matches('^e')", "true"},
          {"'a(b'.matches('(')", "error: not a regular expression: missing ): ("},
          {"'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]"},
          {"['x', 'y'].join('-')", "\"x-y\""},
          {"'abc 123 de 4'.findAll('[0-9]+')", "[\"123\",\"4\"]"},
          {"'%s is %d (%.1f)'.format(['a', 1, 2.25])", "\"a is 1 (2.2)\""},
          {"[3, 1, 2].sort()", "[1,2,3]"},
          {"[1, 2, 3].sum()", "6"},
          {"[].max()", "error: min() and max() of an empty list"},
          {"sets.contains([1, 2], [2u])", "true"}});
}

TEST(Cel, Times) {
    hold({{"timestamp('2026-02-28T23:30:00-01:00') + duration('1h30m')", "\"2026-03-01T02:00:00Z\""},
          {"timestamp('2024-02-29T00:00:00Z').getDayOfYear()", "59"},
          {"timestamp('2023-02-29T00:00:00Z').getDayOfYear()",
           "error: '2023-02-29T00:00:00Z' is no timestamp in the range of years 1 to 9999, as "
           "2026-01-31T12:00:00Z"},
          {"timestamp('9999-12-31T23:59:59Z') + duration('1s')",
           "error: timestamp out of range: years 1 to 9999"},
          {"string(duration('1.5h') - duration('30m'))", "\"3600s\""},
          {"duration('292y')", "error: '292y' is no duration in range, as 1h30m or 2.5s"}});
}

TEST(Cel, WhatIsWrongHasItsPlace) {
    const std::vector<std::pair<std::string, std::uint32_t>> wrongs{{"1 +", 3},
                                                                    {"a.b.(c)", 4},
                                                                    {"[1, 2", 5},
                                                                    {"'abc", 0},
                                                                    {"a = b", 2},
                                                                    {"has(a)", 0},
                                                                    {"[1].all(x.y, true)", 10},
                                                                    {"for", 0}};
    for (const auto& [text, place] : wrongs) {
        cel::Ast ast;
        const auto problem = cel::parse(text, ast);
        ASSERT_TRUE(problem) << text;
        EXPECT_EQ(problem->place, place) << text << ": " << problem->message;
    }
    EXPECT_EQ(evaluated("1 + (2 / 0)").place(), 7u);
    EXPECT_EQ(evaluated("object.a.b", R"({"a": {}})").place(), 9u);
    const auto position = cel::position_of("a &&\n  \u00e9 == b", 10);
    EXPECT_EQ(position.line, 2u);
    EXPECT_EQ(position.column, 5u);
}

TEST(Cel, NamesAndFieldsAreCheckedBefore) {
    const Value plan =
        std::get<Value>(cel::read_json(R"({"items": [{"name": "web", "ports": [{"inside": 80}]}]})"));
    const std::vector<std::pair<std::string, std::string>> checked{
        {"plan.items.all(p, p.ports.exists(q, q.inside == 80))", ""},
        {"plan.items.all(p, p.port == 1)", "there is no field 'port'; there are name, ports"},
        {"plan.items[0].ports[0].outside", "there is no field 'outside'; there are inside"},
        {"plan.items.filter(p, p.name == 'a')[0].nam", "there is no field 'nam'; there are name, ports"},
        {"plans", "undeclared reference to 'plans'; there are plan"},
        {"false && foo(1)", "there is no function 'foo'"},
        {"'a'.contains()", "no such overload: 'contains' is not called so or with 0 arguments"},
        {"{'a': 1}.b == 2 || type(1) == int", ""}};
    for (const auto& [text, message] : checked) {
        cel::Ast ast;
        ASSERT_FALSE(cel::parse(text, ast)) << text;
        const auto problem = cel::check(ast, {{"plan", plan}});
        EXPECT_EQ(problem ? problem->message : "", message) << text;
    }
}

TEST(Cel, DepthAndCostAreBounded) {
    const auto repeated = [](const std::string& text, unsigned times) {
        std::string out;
        for (unsigned i = 0; i < times; ++i)
            out += text;
        return out;
    };
    EXPECT_EQ(says(repeated("(", 100) + "1" + repeated(")", 100)), "1");
    EXPECT_EQ(says(repeated("[", 5000)), "error: problem: the expression is nested too deep");
    EXPECT_EQ(says(repeated("!", 5000) + "true"), "error: problem: the expression is nested too deep");
    EXPECT_EQ(says("1" + repeated(" + 1", 5000)), "error: problem: the expression is nested too deep");
    EXPECT_EQ(says("true" + repeated(" && true", 5000)), "true");
    // Each level goes through the list again.
    std::string loops = "true", list = "[1" + repeated(", 1", 99) + "]";
    for (unsigned i = 0; i < 8; ++i)
        loops = list + ".all(x, " + loops + ")";
    const Value value = evaluated(loops);
    ASSERT_TRUE(value.failed());
    EXPECT_TRUE(value.is_exhausted());
    // It is not absorbed.
    EXPECT_TRUE(evaluated(loops + " || true").failed());
    // A text that doubles with each name.
    std::string doubling = "x";
    for (unsigned i = 0; i < 40; ++i)
        doubling = "cel.bind(x, x + x, " + doubling + ")";
    EXPECT_TRUE(evaluated("cel.bind(x, 'abcdefgh', " + doubling + ")").is_exhausted());
    // A thousand patterns, each made anew: two thousand instructions of RE2's each.
    EXPECT_TRUE(evaluated("lists.range(1000).all(i, 'x'.matches('a{1000}b{1000}' + string(i) + '|x'))")
                    .is_exhausted());
    EXPECT_EQ(says("lists.range(1000).all(i, 'x'.matches('a{1000}b{1000}|x'))"), "true");
    EXPECT_TRUE(
        evaluated("lists.range(1000).all(i, 'x'.matches('((a{1000}){1000}' + string(i) + ')|x') || true)")
            .is_exhausted());
}

TEST(Cel, JsonIsStrict) {
    for (const char* wrong : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "01", "1 2", "\"\\ud800\"", "'a'", "nul",
                              "{1:2}", "\"\x01\"", "+1", "1."})
        EXPECT_TRUE(std::holds_alternative<cel::Problem>(cel::read_json(wrong))) << wrong;
    EXPECT_TRUE(std::holds_alternative<cel::Problem>(cel::read_json(std::string(200, '['))));
    EXPECT_EQ(cel::to_json(std::get<Value>(cel::read_json(
                  R"({"b": [1, -2.5, 18446744073709551615, "\u00e9\ud83d\ude00\n"], "a": null})"))),
              "{\"a\":null,\"b\":[1,-2.5,18446744073709551615,\"\u00e9\U0001F600\\u000a\"]}");
}

} // namespace
