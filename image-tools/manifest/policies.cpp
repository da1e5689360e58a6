// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/policies.cpp - which policies judge the plan.
#include "image-tools/manifest/policies.hpp"

#include <array>

namespace manifest {
namespace {

constexpr std::string_view help = "write for example policy: [baseline, ./policy/ours.yaml]";

std::string day(const Binder& binder, const Node& node) {
    const std::string text = binder.text(node, "expires");
    bool good = text.size() == 10;
    for (std::size_t i = 0; i < text.size() && good; ++i)
        good = i == 4 || i == 7 ? text[i] == '-' : text[i] >= '0' && text[i] <= '9';
    if (!good || text.substr(5, 2) > "12" || text.substr(8) > "31")
        binder.wrong(node, "'expires' is a day, not '" + text + "'", "write for example 2027-01-31");
    return text;
}

PolicyException exception(const Binder& binder, const Node& node) {
    PolicyException out;
    const auto words = [&binder](std::string& to, std::string_view key) {
        return Key{key, [&binder, &to, key](const Node& value) { to = binder.non_empty(value, key); }};
    };
    const std::array keys{words(out.rule, "rule"), words(out.partition, "partition"),
                          words(out.owner, "owner"), words(out.reason, "reason"),
                          Key{"expires", [&](const Node& value) { out.expires = day(binder, value); }}};
    binder.map(node, "an exception", keys, {});
    if (out.rule.empty() || out.owner.empty() || out.reason.empty() || out.expires.empty())
        binder.wrong(
            node, "an exception needs 'rule', 'owner', 'reason' and 'expires'",
            "{rule: restricted-non-root, partition: web, owner: alice, reason: moving, expires: 2027-01-31}");
    return out;
}

PolicyUse policy(const Binder& binder, const Node& node) {
    static constexpr std::array<std::string_view, 3> actions{"audit", "warn", "deny"};
    PolicyUse out;
    if (node.kind != Node::Kind::mapping) {
        out.name = {binder.non_empty(node, "policy"), node.spot};
        return out;
    }
    const std::array keys{
        Key{"name",
            [&](const Node& value) {
                out.name = {binder.non_empty(value, "name"), value.spot};
            }},
        Key{"action",
            [&](const Node& value) {
                out.action = actions[binder.word(value, "action", actions, actions.size())];
            }},
        Key{"exceptions",
            [&](const Node& value) {
                if (value.kind != Node::Kind::sequence)
                    binder.wrong(value, "'exceptions' must be a list");
                for (const Node& item : value.items)
                    out.exceptions.push_back(exception(binder, item));
            }},
    };
    binder.map(node, "a policy", keys, {});
    if (out.name.value.empty())
        binder.wrong(node, "a policy needs 'name'", std::string(help));
    return out;
}

} // namespace

std::vector<PolicyUse> read_policies(const Binder& binder, const Node& node) {
    constexpr std::size_t most = 32;
    if (node.kind != Node::Kind::sequence || node.items.size() > most)
        binder.wrong(node, "'policy' is a list of at most " + std::to_string(most) + " policies",
                     std::string(help));
    std::vector<PolicyUse> out;
    for (const Node& item : node.items)
        out.push_back(policy(binder, item));
    return out;
}

} // namespace manifest
