// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/policy.cpp - reading policies.
#include "image-tools/admission/policy.hpp"

#include "image-tools/admission/fixes.hpp"
#include "image-tools/cel/checker.hpp"
#include "image-tools/cel/evaluate.hpp"
#include "image-tools/cel/json.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/manifest/binder.hpp"

#include <algorithm>
#include <array>

namespace admission {
namespace {

using manifest::Binder;
using manifest::Key;
using manifest::Node;

constexpr std::size_t most_rules = 500;

const cel::Value& example() {
    static const cel::Value value = std::get<cel::Value>(cel::read_json(example_plan()));
    return value;
}

class Reader {
public:
    explicit Reader(Policy& policy) : binder_(policy.source), policy_(policy) {}

    void read(const Node& root) {
        // Variables are declared before what uses them is read, wherever they stand.
        const Node *conditions = nullptr, *variables = nullptr, *rules = nullptr;
        const auto keep = [](const Node*& to) { return [&to](const Node& node) { to = &node; }; };
        const std::array keys{
            Key{"apiVersion", [&](const Node& node) { exactly(node, "apiVersion", "caisson/v1"); }},
            Key{"kind", [&](const Node& node) { exactly(node, "kind", "Policy"); }},
            Key{"name", [&](const Node& node) { policy_.name = binder_.non_empty(node, "name"); }},
            Key{"description",
                [&](const Node& node) { policy_.description = binder_.text(node, "description"); }},
            Key{"action",
                [&](const Node& node) {
                    policy_.action = binder_.choice<Action>(node, "action", action_words);
                }},
            Key{"matchConditions", keep(conditions)},
            Key{"variables", keep(variables)},
            Key{"validations", keep(rules)},
            Key{"byDesign",
                [&](const Node& node) {
                    for (const Node& item : sequence(node, "byDesign"))
                        policy_.by_design.push_back(design(item));
                }},
            Key{"elsewhere",
                [&](const Node& node) {
                    for (const Node& item : sequence(node, "elsewhere"))
                        policy_.elsewhere.push_back(design(item));
                }},
        };
        binder_.map(root, "a policy", keys, {});
        binder_.throw_failures();
        declared_ = {{"object", example()}};
        if (variables != nullptr)
            read_variables(*variables);
        if (conditions != nullptr)
            for (const Node& node : sequence(*conditions, "matchConditions"))
                policy_.conditions.push_back(named(node, "a match condition"));
        if (rules == nullptr || policy_.name.empty())
            binder_.source().fail({1, 1, 1}, "E0310",
                                  rules == nullptr ? "'validations' is missing" : "'name' is missing",
                                  "docs/policy.md has an example");
        for (const Node& node : sequence(*rules, "validations"))
            binder_.attempt([&] { policy_.rules.push_back(rule(node)); });
        binder_.throw_failures();
    }

private:
    void exactly(const Node& node, std::string_view what, std::string_view value) const {
        if (binder_.text(node, what) != value)
            binder_.wrong(node, "'" + std::string(what) + "' of a policy is " + std::string(value));
    }
    const std::vector<Node>& sequence(const Node& node, std::string_view what) const {
        if (node.kind != Node::Kind::sequence)
            binder_.wrong(node, "'" + std::string(what) + "' must be a list");
        if (node.items.size() > most_rules)
            binder_.wrong(node, "'" + std::string(what) + "' has at most " + std::to_string(most_rules) +
                                    " entries");
        return node.items;
    }

    Expression expression(const Node& node, const cel::Declared& declared,
                          cel::Value* its_example = nullptr) const {
        Expression out;
        out.spot = node.spot;
        auto problem = cel::parse(binder_.non_empty(node, "expression"), out.ast);
        if (!problem)
            problem = cel::check(out.ast, declared, its_example);
        if (problem) {
            const cel::Position at = cel::position_of(out.ast.text, problem->place);
            binder_.source().fail(
                node.spot, "E0316", "the expression is wrong: " + problem->message, "",
                {"line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + " of it:",
                 at.source, std::string(at.column - 1, ' ') + std::string(problem->width, '^')});
        }
        return out;
    }

    Named named(const Node& node, std::string_view what) const {
        Named out;
        const Node* text = nullptr;
        const std::array keys{
            Key{"name", [&](const Node& value) { out.name = binder_.non_empty(value, "name"); }},
            Key{"expression", [&](const Node& value) { text = &value; }}};
        binder_.map(node, what, keys, {});
        if (text == nullptr || out.name.empty())
            binder_.wrong(node, std::string(what) + " needs 'name' and 'expression'");
        example_ = {};
        out.expression = expression(*text, declared_, &example_);
        return out;
    }

    void read_variables(const Node& node) {
        cel::Entries known;
        for (const Node& item : sequence(node, "variables")) {
            Named one = named(item, "a variable");
            known.emplace_back(cel::Value::of_string(one.name), example_);
            const cel::Value all = cel::Value::of_map(known);
            if (all.failed())
                binder_.wrong(item, "the variable '" + one.name + "' is there twice");
            declared_ = {{"object", example()}, {"variables", all}};
            policy_.variables.push_back(std::move(one));
        }
    }

    Design design(const Node& node) const {
        Design out;
        const auto words = [this](std::string& to, std::string_view key) {
            return Key{key, [this, &to, key](const Node& value) { to = binder_.non_empty(value, key); }};
        };
        const std::array keys{
            words(out.id, "id"), words(out.title, "title"), words(out.reason, "reason"),
            Key{"controls", [&](const Node& value) { out.controls = binder_.list(value, "controls"); }},
            Key{"tests", [&](const Node& value) { out.tests = binder_.list(value, "tests"); }}};
        binder_.map(node, "a control by design", keys, {});
        if (out.id.empty() || out.reason.empty())
            binder_.wrong(node, "a control by design needs 'id' and 'reason'");
        return out;
    }

    Rule rule(const Node& node) {
        static constexpr std::array<std::string_view, 4> severities{"low", "medium", "high", "critical"};
        static constexpr std::array<std::string_view, 2> scopes{"plan", "partition"};
        Rule out;
        out.spot = node.spot;
        const Node *text = nullptr, *message = nullptr;
        const auto words = [this](std::string& to, std::string_view key) {
            return Key{key, [this, &to, key](const Node& value) { to = binder_.non_empty(value, key); }};
        };
        const std::array keys{
            words(out.id, "id"),
            words(out.title, "title"),
            words(out.message, "message"),
            words(out.reason, "reason"),
            Key{"fix",
                [&](const Node& value) {
                    out.fix = binder_.non_empty(value, "fix");
                    out.patch = read_fix(out.fix, binder_.source(), value.spot);
                }},
            Key{"severity",
                [&](const Node& value) {
                    out.severity = severities[binder_.word(value, "severity", severities, 4)];
                }},
            Key{"controls", [&](const Node& value) { out.controls = binder_.list(value, "controls"); }},
            Key{"forEach",
                [&](const Node& value) {
                    out.each_partition = binder_.word(value, "forEach", scopes, 2) == 1;
                }},
            Key{"fixIn",
                [&](const Node& value) { out.fix_in_plan = binder_.word(value, "fixIn", scopes, 2) == 0; }},
            Key{"expression", [&](const Node& value) { text = &value; }},
            Key{"messageExpression", [&](const Node& value) { message = &value; }},
        };
        binder_.map(node, "a validation", keys, {});
        if (out.id.empty() || text == nullptr)
            binder_.wrong(node, "a validation needs 'id' and 'expression'");
        for (const Rule& other : policy_.rules)
            if (other.id == out.id)
                binder_.wrong(node, "two validations have the id '" + out.id + "'");
        cel::Declared declared = declared_;
        if (out.each_partition)
            declared.emplace_back("partition", example().find("items")->items().front());
        out.expression = expression(*text, declared);
        if (message != nullptr)
            out.message_expression = expression(*message, declared);
        return out;
    }

    Binder binder_;
    Policy& policy_;
    cel::Declared declared_;
    mutable cel::Value example_; // of the expression that was read last
};

std::vector<std::filesystem::path> files_of(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored))
        return {path};
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator(path))
        if (entry.path().extension() == ".yaml" && !entry.path().stem().string().ends_with("_cases"))
            out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace

Policy parse(std::string file, std::string text) {
    Policy out;
    out.digest = files::sha256(std::string_view(text)).text();
    out.source = manifest::Source(std::move(file), std::move(text));
    Reader(out).read(manifest::parse_yaml(out.source));
    return out;
}

std::vector<Policy> load(const std::string& word, const std::filesystem::path& folder) {
    for (const Packaged& set : packaged_sets())
        if (set.name == word)
            return {parse(word, std::string(set.text))};
    std::string known;
    for (const Packaged& set : packaged_sets())
        known += (known.empty() ? "" : ", ") + std::string(set.name);
    const std::filesystem::path path = folder / word;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
        throw diagnostic::fail("E0601", "there is no policy '" + word +
                                            "': no packaged set of that name, and no file " + path.string())
            .help("packaged sets are " + known);
    std::vector<Policy> out;
    for (const std::filesystem::path& file : files_of(path))
        out.push_back(parse(file.string(), files::read_file(file, manifest::max_text)));
    if (out.empty())
        throw diagnostic::fail("E0601", "the folder " + path.string() + " holds no policy (*.yaml)");
    return out;
}

} // namespace admission
