// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/network.hpp"

#include "image-tools/diagnostic/suggest.hpp"

#include <algorithm>
#include <array>

namespace manifest {
namespace {

constexpr std::array<std::string_view, 2> network_reserved{"subnet", "uplink"};
constexpr std::array<std::string_view, 3> rule_reserved{"ports", "cidr", "rate"};

NetworkRule read_rule(const Binder& binder, const Node& node) {
    NetworkRule out;
    out.spot = node.spot;
    static constexpr std::array<std::string_view, 1> leak_words{"accepted"};
    const auto partition = [&binder](Located<std::string>& into, const char* key) {
        return Key{key, [&binder, &into, key](const Node& value) {
                       into = {binder.non_empty(value, key), value.spot};
                       if (into.value == "outside")
                           binder.not_yet(value.spot, "the outside in a rule");
                   }};
    };
    const std::array keys{
        partition(out.from, "from"), partition(out.to, "to"),
        Key{"oneWay", [&](const Node& value) { out.one_way = binder.boolean(value, "oneWay"); }},
        Key{"leak",
            [&](const Node& value) { out.leak_accepted = binder.word(value, "leak", leak_words, 1) == 0; }}};
    binder.map(node, "a rule", keys, rule_reserved);
    if (out.from.value.empty() || out.to.value.empty())
        binder.wrong(node, "a rule needs 'from' and 'to'", "write for example {from: web, to: db}");
    return out;
}

// Whether something can flow from the one to the other, by whatever rules.
bool reaches(const std::vector<NetworkRule>& rules, std::string_view from, std::string_view to) {
    std::vector<std::string_view> seen{from};
    for (std::size_t i = 0; i < seen.size(); ++i)
        for (const NetworkRule& rule : rules)
            for (const bool back : {false, true}) {
                const std::string_view source = back ? rule.to.value : rule.from.value;
                const std::string_view target = back ? rule.from.value : rule.to.value;
                if (source == seen[i] && !(back && rule.one_way) &&
                    std::find(seen.begin(), seen.end(), target) == seen.end())
                    seen.push_back(target);
            }
    return std::find(seen.begin(), seen.end(), to) != seen.end();
}

} // namespace

Network read_network(const Binder& binder, const Node& node) {
    Network out;
    const std::array keys{Key{"allow", [&](const Node& value) {
                                  if (value.kind != Node::Kind::sequence)
                                      binder.wrong(value, "'allow' must be a list, not " +
                                                              std::string(kind_name(value)));
                                  for (const Node& item : value.items)
                                      binder.attempt([&] { out.allow.push_back(read_rule(binder, item)); });
                              }}};
    binder.map(node, "'network'", keys, network_reserved);
    return out;
}

void check_rules(const Binder& binder, const Manifest& manifest) {
    const Source& source = binder.source();
    const std::vector<NetworkRule>& rules = manifest.network.allow;
    for (const NetworkRule& rule : rules) {
        for (const Located<std::string>* name : {&rule.from, &rule.to}) {
            std::vector<std::string_view> names;
            for (const Partition& one : manifest.partitions)
                names.push_back(one.name);
            const auto found = std::find(names.begin(), names.end(), name->value);
            if (found == names.end()) {
                const auto near = diagnostic::suggest(name->value, names);
                source.fail(name->spot, "E0309", "there is no partition '" + name->value + "'",
                            near ? "did you mean '" + std::string(*near) + "'?" : "");
            }
            if (manifest.partitions[static_cast<std::size_t>(found - names.begin())].image)
                binder.not_yet(name->spot, "a rule for a partition with an image");
        }
        if (rule.from.value == rule.to.value)
            source.fail(rule.to.spot, "E0309", "'" + rule.to.value + "' reaches itself without a rule");
        for (const NetworkRule& other : rules) {
            const bool same = other.from.value == rule.from.value && other.to.value == rule.to.value;
            const bool back = other.from.value == rule.to.value && other.to.value == rule.from.value;
            if ((same || back) && (rule.one_way != other.one_way || (back && rule.one_way)))
                source.fail(rule.spot, "E0309",
                            "the rules between '" + rule.from.value + "' and '" + rule.to.value +
                                "' go one way and not one way",
                            "give the pair rules of one kind",
                            {"the other stands in line " + std::to_string(other.spot.line)});
        }
        if (rule.one_way && !rule.leak_accepted && reaches(rules, rule.to.value, rule.from.value))
            source.fail(rule.spot, "E0309",
                        "'" + rule.to.value + "' reaches '" + rule.from.value +
                            "' through others, so the one-way rule does not keep what it promises",
                        "take a rule on that way out, or write leak: accepted");
    }
}

} // namespace manifest
