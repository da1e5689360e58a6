// SPDX-License-Identifier: Apache-2.0
#include "image-tools/admission/cases.hpp"
#include "image-tools/cel/json.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <gtest/gtest.h>

namespace {

using admission::Use;

const std::string head = "apiVersion: caisson/v1\nkind: Policy\nname: mine\n";

cel::Value example() {
    return std::get<cel::Value>(cel::read_json(admission::example_plan()));
}

// What reading it says, with the notes; empty: it is good.
std::string refusal(const std::string& text) {
    try {
        admission::parse("mine.yaml", text);
    } catch (const diagnostic::Failure& failure) {
        std::string out = failure.diagnostic().code + " " + std::to_string(failure.diagnostic().place.line) +
                          ": " + failure.diagnostic().message;
        for (const std::string& note : failure.diagnostic().notes)
            out += "|" + note;
        return out;
    }
    return "";
}

TEST(Admission, EveryPackagedRuleHasACaseThatFailsAndOneThatPasses) {
    for (const admission::Packaged& set : admission::packaged_sets()) {
        const std::string file = "sets/" + std::string(set.name) + "_cases.yaml";
        const auto result = admission::run_cases(file, files::read_file(file, 1 << 20));
        for (const auto& one : result.cases)
            EXPECT_TRUE(one.passed) << set.name << ": " << one.name << ": " << one.detail;
        for (const std::string& rule : result.untested)
            ADD_FAILURE() << rule << " fails in no case";
        for (const auto& rule : admission::parse("set", std::string(set.text)).rules) {
            EXPECT_FALSE(rule.title.empty()) << rule.id;
            EXPECT_FALSE(rule.fix.empty()) << rule.id;
        }
    }
}

TEST(Admission, ACaseThatIsWrongIsFound) {
    const auto result = admission::run_cases(
        "sets/x_cases.yaml", "kind: PolicyTest\npolicy: restricted\ncases:\n"
                             "- {name: a, fails: [restricted-seccomp], partition: {user: 0}}\n");
    ASSERT_EQ(result.cases.size(), 1u);
    EXPECT_FALSE(result.cases[0].passed);
    EXPECT_EQ(result.cases[0].detail, "expected restricted-seccomp, found restricted-non-root");
    EXPECT_EQ(result.untested.size(), 3u);
}

TEST(Admission, WhatIsWrongWithAPolicyIsSaidWithItsPlace) {
    EXPECT_EQ(refusal(head + "validations:\n- {id: a, expression: \"object.items.all(p, p.memmory > 1)\"}\n")
                  .substr(0, 66),
              "E0316 5: the expression is wrong: there is no field 'memmory'; the");
    EXPECT_NE(refusal(head + "validations:\n- {id: a, expression: \"1 +\"}\n").find("|1 +|   ^"),
              std::string::npos);
    EXPECT_EQ(refusal(head + "validations:\n- {id: a}\n"),
              "E0309 5: a validation needs 'id' and 'expression'");
    EXPECT_EQ(
        refusal(head + "validations:\n- {id: a, expression: \"true\"}\n- {id: a, expression: \"true\"}\n"),
        "E0309 6: two validations have the id 'a'");
    EXPECT_EQ(refusal(head), "E0310 1: 'validations' is missing");
    EXPECT_EQ(refusal(head + "validation: []\n").substr(0, 9), "E0302 4: ");
    EXPECT_EQ(refusal(head + "variables:\n- {name: n, expression: \"size(object.items)\"}\nvalidations:\n- "
                             "{id: a, expression: \"variables.n == 1\"}\n"),
              "");
    EXPECT_EQ(refusal(head + "validations:\n- {id: a, expression: \"partition.user == 0\"}\n").substr(0, 60),
              "E0316 5: the expression is wrong: undeclared reference to 'p");
}

TEST(Admission, ExceptionsHoldUntilTheirDay) {
    std::vector<Use> uses(1);
    uses[0].policy = admission::parse(
        "mine.yaml",
        head + "validations:\n- {id: a, forEach: partition, expression: \"partition.user == 0\"}\n");
    const cel::Value plan = example();
    EXPECT_TRUE(admission::judge(uses, plan, "2026-11-30").denied());
    uses[0].exceptions = {{"a", "web", "somebody", "moving", "2026-11-30"}};
    const auto held = admission::judge(uses, plan, "2026-11-30");
    EXPECT_FALSE(held.denied());
    ASSERT_EQ(held.findings.size(), 1u);
    EXPECT_EQ(held.findings[0].exception->owner, "somebody");
    const auto late = admission::judge(uses, plan, "2026-12-01");
    EXPECT_TRUE(late.denied());
    EXPECT_TRUE(late.findings[0].expired);
    uses[0].exceptions[0].partition = "db";
    EXPECT_TRUE(admission::judge(uses, plan, "2026-11-30").denied());
    uses[0].policy.action = admission::Action::warn;
    EXPECT_FALSE(admission::judge(uses, plan, "2026-11-30").denied());
}

TEST(Admission, WhatCannotBeJudgedIsNotMet) {
    std::vector<Use> uses(1);
    uses[0].policy = admission::parse(
        "mine.yaml", head + "validations:\n- {id: a, expression: \"object.securityVersion / 0 == 1\"}\n"
                            "- {id: b, expression: \"object.name\"}\n");
    const auto verdict = admission::judge(uses, example(), "2026-11-30");
    ASSERT_EQ(verdict.findings.size(), 2u);
    EXPECT_EQ(verdict.findings[0].message, "it cannot be judged: divide by zero");
    EXPECT_EQ(verdict.findings[1].message, "it cannot be judged: the expression is no bool");
    EXPECT_TRUE(verdict.denied());
}

TEST(Admission, AConditionThatDoesNotHoldSkipsThePolicy) {
    std::vector<Use> uses(1);
    uses[0].policy = admission::parse(
        "mine.yaml", head + "matchConditions:\n- {name: other, expression: \"object.name == 'other'\"}\n"
                            "validations:\n- {id: a, expression: \"false\"}\n");
    EXPECT_TRUE(admission::judge(uses, example(), "2026-11-30").findings.empty());
}

} // namespace
