// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/cases.cpp - tests beside policies.
#include "image-tools/admission/cases.hpp"

#include "image-tools/cel/json.hpp"
#include "image-tools/manifest/binder.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace admission {
namespace {

using cel::Value;
using manifest::Binder;
using manifest::Key;
using manifest::Node;

Value value_of(const Node& node) {
    switch (node.kind) {
    case Node::Kind::null:
        return {};
    case Node::Kind::sequence: {
        cel::Items items;
        for (const Node& item : node.items)
            items.push_back(value_of(item));
        return Value::of_list(std::move(items));
    }
    case Node::Kind::mapping: {
        cel::Entries entries;
        for (const manifest::Entry& entry : node.entries)
            entries.emplace_back(Value::of_string(entry.key), value_of(entry.value));
        return Value::of_map(std::move(entries));
    }
    case Node::Kind::scalar:
        break;
    }
    if (node.plain) { // bool, number and null as JSON writes them; everything else is text
        const auto read = cel::read_json(node.text);
        if (const auto* value = std::get_if<Value>(&read);
            value != nullptr && !value->is(cel::Kind::map) && !value->is(cel::Kind::list))
            return *value;
    }
    return Value::of_string(node.text);
}

// RFC 7396: maps are merged, null removes, everything else replaces.
Value merged(const Value& into, const Value& patch) {
    if (!patch.is(cel::Kind::map))
        return patch;
    cel::Entries out;
    if (into.is(cel::Kind::map))
        for (const cel::Entry& entry : into.entries()) {
            const Value* change = patch.find(entry.first);
            if (change == nullptr)
                out.push_back(entry);
            else if (!change->is(cel::Kind::null))
                out.emplace_back(entry.first, merged(entry.second, *change));
        }
    for (const cel::Entry& entry : patch.entries())
        if (!entry.second.is(cel::Kind::null) &&
            (!into.is(cel::Kind::map) || into.find(entry.first) == nullptr))
            out.push_back(entry);
    return Value::of_map(std::move(out));
}

// The plan with the patch merged into its first partition.
Value with_partition(const Value& plan, const Value& patch) {
    const Value* items = plan.find("items");
    if (items == nullptr || !items->is(cel::Kind::list) || items->items().empty())
        return plan;
    cel::Items changed = items->items();
    changed.front() = merged(changed.front(), patch);
    return merged(plan, Value::of_map({{Value::of_string("items"), Value::of_list(std::move(changed))}}));
}

Value replaced(const Value& plan, const Value& members) {
    cel::Entries out = members.entries();
    for (const cel::Entry& entry : plan.entries())
        if (members.find(entry.first) == nullptr)
            out.push_back(entry);
    return Value::of_map(std::move(out));
}

std::string joined(const std::set<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : ", ") + word;
    return out.empty() ? "nothing" : out;
}

struct Case {
    std::string name;
    std::set<std::string> fails;
    Value plan, partition, members; // members replace the plan's as they are, also with null
};

Case read_case(const Binder& binder, const Node& node) {
    Case out;
    const std::array keys{
        Key{"name", [&](const Node& value) { out.name = binder.non_empty(value, "name"); }},
        Key{"fails",
            [&](const Node& value) {
                for (const std::string& id : binder.list(value, "fails"))
                    out.fails.insert(id);
            }},
        Key{"plan", [&](const Node& value) { out.plan = value_of(value); }},
        Key{"partition", [&](const Node& value) { out.partition = value_of(value); }},
        Key{"json",
            [&](const Node& value) {
                auto read = cel::read_json(binder.text(value, "json"));
                if (const auto* problem = std::get_if<cel::Problem>(&read))
                    binder.wrong(value, "not JSON: " + problem->message);
                out.members = std::get<Value>(std::move(read));
            }},
    };
    binder.map(node, "a case", keys, {});
    if (out.name.empty())
        out.name = joined(out.fails);
    return out;
}

} // namespace

CasesResult run_cases(const std::string& file, std::string text) {
    const manifest::Source source(file, std::move(text));
    const Node root = manifest::parse_yaml(source);
    const Binder binder(source);
    std::string policy;
    Value base = std::get<Value>(cel::read_json(example_plan()));
    std::vector<Case> cases;
    const std::array keys{
        Key{"apiVersion", [&](const Node& node) { static_cast<void>(binder.text(node, "apiVersion")); }},
        Key{"kind",
            [&](const Node& node) {
                if (binder.text(node, "kind") != "PolicyTest")
                    binder.wrong(node, "'kind' of a policy's tests is PolicyTest");
            }},
        Key{"policy", [&](const Node& node) { policy = binder.non_empty(node, "policy"); }},
        Key{"plan", [&](const Node& node) { base = merged(base, value_of(node)); }},
        Key{"partition", [&](const Node& node) { base = with_partition(base, value_of(node)); }},
        Key{"cases",
            [&](const Node& node) {
                for (const Node& item : node.items)
                    cases.push_back(read_case(binder, item));
            }},
    };
    binder.map(root, "a policy's tests", keys, {});
    binder.throw_failures();
    if (policy.empty() || cases.empty())
        source.fail({1, 1, 1}, "E0310", "'policy' or 'cases' is missing", "docs/policy.md has an example");
    std::vector<Use> uses;
    for (Policy& one : load(policy, std::filesystem::path(file).parent_path()))
        uses.push_back({std::move(one), {}});
    CasesResult out;
    std::set<std::string> failed_once;
    for (const Case& one : cases) {
        Value plan = one.plan.is(cel::Kind::null) ? base : merged(base, one.plan);
        if (!one.partition.is(cel::Kind::null))
            plan = with_partition(plan, one.partition);
        if (one.members.is(cel::Kind::map))
            plan = replaced(plan, one.members);
        std::set<std::string> found;
        for (const Finding& finding : judge(uses, plan, "2026-01-01").findings) {
            found.insert(finding.rule->id);
            if (finding.failed)
                found.insert(finding.message);
        }
        failed_once.insert(found.begin(), found.end());
        out.cases.push_back(
            {one.name, found == one.fails, "expected " + joined(one.fails) + ", found " + joined(found)});
    }
    for (const Use& use : uses)
        for (const Rule& rule : use.policy.rules)
            if (!failed_once.contains(rule.id))
                out.untested.push_back(rule.id);
    return out;
}

} // namespace admission
