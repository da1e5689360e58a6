// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/policy.hpp - policies: rules in CEL that judge a plan.
//
// Shaped like Kubernetes' ValidatingAdmissionPolicy; docs/policy.md describes the file. Expressions are checked against an example
// of the plan when the file is read, so that a slip of the pen is found there and not by a rule that never holds.
#pragma once

#include "image-tools/cel/ast.hpp"
#include "image-tools/manifest/yaml.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace admission {

enum class Action : std::uint8_t { audit, warn, deny };
inline constexpr std::string_view action_words[] = {"audit", "warn", "deny"};

struct Expression {
    cel::Ast ast;
    manifest::Spot spot; // of the text in the file
};

struct Named {
    std::string name;
    Expression expression;
};

struct Rule {
    std::string id, title, severity = "medium", reason, message, fix;
    manifest::Node patch{}; // the fix, as a change of the manifest or, with each_partition, of the partition
    std::vector<std::string> controls;
    bool each_partition = false; // judged for each, as `partition`
    bool fix_in_plan = false;    // the fix is the whole manifest's all the same
    Expression expression;
    std::optional<Expression> message_expression;
    manifest::Spot spot;
};

// A control that no rule asks for: what keeps it by design, and the tests that show that (suites or cases of JUnit's XML); or
// where else it is shown.
struct Design {
    std::string id, title, reason;
    std::vector<std::string> controls;
    std::vector<std::string> tests{};
};

struct Policy {
    manifest::Source source;
    std::string name, description;
    std::string digest; // of the file's bytes
    Action action = Action::deny;
    std::vector<Named> conditions; // all must hold, or nothing is judged
    std::vector<Named> variables;  // later ones see earlier ones, as variables.NAME
    std::vector<Rule> rules;
    std::vector<Design> by_design;
    std::vector<Design> elsewhere; // what a plan cannot show
};

// Throws E0301 to E0310, E0316 (exit 3) with the place.
Policy parse(std::string file, std::string text);

// The policies that a word of a manifest or of --policy means: a packaged set, a file, or all files *.yaml of a folder, whose names
// start from `folder`. Throws besides E0601.
std::vector<Policy> load(const std::string& word, const std::filesystem::path& folder);

// Packaged sets, as files of YAML.
struct Packaged {
    std::string_view name, text;
};
std::vector<Packaged> packaged_sets();
std::string_view example_plan(); // JSON in which every field is present

} // namespace admission
