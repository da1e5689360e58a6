// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/network.hpp"

#include "image-tools/diagnostic/suggest.hpp"
#include "image-tools/manifest/front.hpp"
#include "image-tools/manifest/outside.hpp"
#include "image-tools/manifest/uplink.hpp"

#include <algorithm>
#include <array>

namespace manifest {
namespace {

Ports read_ports(const Binder& binder, const Node& node) {
    constexpr std::uint32_t most = 65535;
    const std::string whole = binder.non_empty(node, "a port");
    std::string_view text = whole;
    const auto first = take_number(text, most);
    const auto last = take(text, "-") ? take_number(text, most) : first;
    const bool udp = text == "/udp";
    if (!first || !last || *first == 0 || *last < *first || (!udp && text != "/tcp"))
        binder.wrong(node, "'" + whole + "' is not a port of a protocol",
                     "write for example 6379/tcp, 53/udp or 8000-8100/tcp");
    return {udp, static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

void read_subnet(const Binder& binder, const Node& node, Network& out) {
    const std::string whole = binder.non_empty(node, "'subnet'");
    std::string_view text = whole;
    const auto taken = take_ipv4(text);
    const std::uint32_t address = taken.value_or(0);
    const auto prefix = taken && take(text, "/") ? take_number(text, 32) : std::nullopt;
    if (!prefix || !text.empty() || *prefix < 8 || *prefix > 28)
        binder.wrong(node, "'" + whole + "' is not a subnet",
                     "write for example 100.64.77.0/24; the prefix is 8 to 28");
    const std::uint32_t first = address >> 24;
    if (first == 0 || first == 127 || first >= 224)
        binder.wrong(node, "'" + whole + "' is no subnet of hosts' own addresses",
                     "write for example 100.64.77.0/24");
    if ((address & (~std::uint32_t{0} >> *prefix)) != 0)
        binder.wrong(node, "'" + whole + "' has bits set behind its prefix",
                     "write the first address of the subnet");
    out.subnet = address;
    out.prefix = *prefix;
    out.subnet_spot = node.spot;
}

NetworkRule read_rule(const Binder& binder, const Node& node) {
    NetworkRule out;
    out.spot = node.spot;
    static constexpr std::array<std::string_view, 1> leak_words{"accepted"};
    const auto partition = [&binder](Located<std::string>& into, const char* key) {
        return Key{key, [&binder, &into, key](const Node& value) {
                       into = {binder.non_empty(value, key), value.spot};
                   }};
    };
    const std::array keys{
        partition(out.from, "from"),
        partition(out.to, "to"),
        Key{"ports",
            [&](const Node& value) {
                if (value.kind != Node::Kind::sequence || value.items.empty())
                    binder.wrong(value, "'ports' must be a list of ports",
                                 "write for example ports: [6379/tcp]");
                for (const Node& item : value.items)
                    out.ports.push_back(read_ports(binder, item));
            }},
        Key{"cidr",
            [&](const Node& value) {
                if (value.kind != Node::Kind::sequence || value.items.empty())
                    binder.wrong(value, "'cidr' must be a list of networks",
                                 "write for example cidr: [203.0.113.0/24]");
                for (const Node& item : value.items) {
                    const std::string text = binder.non_empty(item, "cidr");
                    const auto range = parse_range(text);
                    if (!range)
                        binder.wrong(item, "'" + text + "' is not a network",
                                     "write for example 203.0.113.0/24; no bits are set behind the prefix");
                    out.ranges.push_back(*range);
                }
            }},
        Key{"oneWay", [&](const Node& value) { out.one_way = binder.boolean(value, "oneWay"); }},
        Key{"leak",
            [&](const Node& value) { out.leak_accepted = binder.word(value, "leak", leak_words, 1) == 0; }},
        Key{"rate", [&](const Node& value) {
                out.rate = binder.take(value, parse_rate(binder.text(value, "rate")));
                out.rate_spot = value.spot;
            }}};
    binder.map(node, "a rule", keys, {});
    if (out.from.value.empty() || out.to.value.empty())
        binder.wrong(node, "a rule needs 'from' and 'to'", "write for example {from: web, to: db}");
    return out;
}

// Whether something can flow from the one to the other, by whatever rules, or through the outside.
bool reaches(const Manifest& manifest, std::string_view from, std::string_view to) {
    std::vector<std::string_view> seen{from};
    for (std::size_t i = 0; i < seen.size(); ++i) {
        for (const Partition& partition : manifest.partitions)
            for (const bool back : {false, true}) {
                const std::string_view source = back ? NetworkRule::outside_name : partition.name;
                const std::string_view target = back ? partition.name : NetworkRule::outside_name;
                if (partition.outside && source == seen[i] &&
                    std::find(seen.begin(), seen.end(), target) == seen.end())
                    seen.push_back(target);
            }
        for (const NetworkRule& rule : manifest.network.allow)
            for (const bool back : {false, true}) {
                const std::string_view source = back ? rule.to.value : rule.from.value;
                const std::string_view target = back ? rule.from.value : rule.to.value;
                if (source == seen[i] && !(back && rule.one_way) &&
                    std::find(seen.begin(), seen.end(), target) == seen.end())
                    seen.push_back(target);
            }
    }
    return std::find(seen.begin(), seen.end(), to) != seen.end();
}

} // namespace

Network read_network(const Binder& binder, const Node& node) {
    Network out;
    const std::array keys{Key{"subnet", [&](const Node& value) { read_subnet(binder, value, out); }},
                          Key{"uplink", [&](const Node& value) { out.uplink = read_uplink(binder, value); }},
                          Key{"allow", [&](const Node& value) {
                                  if (value.kind != Node::Kind::sequence)
                                      binder.wrong(value, "'allow' must be a list, not " +
                                                              std::string(kind_name(value)));
                                  for (const Node& item : value.items)
                                      binder.attempt([&] { out.allow.push_back(read_rule(binder, item)); });
                              }}};
    binder.map(node, "'network'", keys, {});
    return out;
}

void check_rules(const Binder& binder, const Manifest& manifest) {
    const Source& source = binder.source();
    const std::vector<NetworkRule>& rules = manifest.network.allow;
    const std::size_t places =
        (std::size_t{1} << (32 - manifest.network.prefix)) - 3; // network, uplink, broadcast
    const bool has_uplink = manifest.uplink() != nullptr;
    const std::size_t addressed = manifest.partitions.size() - (has_uplink ? 1 : 0);
    if ((!rules.empty() || has_uplink) && addressed > places)
        source.fail(manifest.network.subnet_spot, "E0309",
                    "the subnet has addresses for " + std::to_string(places) + " partitions, and there are " +
                        std::to_string(addressed),
                    "take a larger one, for example 100.64.77.0/24");
    for (const NetworkRule& rule : rules) {
        for (const Located<std::string>* name : {&rule.from, &rule.to}) {
            std::vector<std::string_view> names;
            for (const Partition& one : manifest.partitions)
                if (!one.is_uplink)
                    names.push_back(one.name);
            const auto found = std::find(names.begin(), names.end(), name->value);
            if (name == &rule.to && rule.to_outside())
                continue;
            if (name->value == NetworkRule::outside_name)
                source.fail(name->spot, "E0309", "a rule lets partitions begin, not the outside",
                            "publish a port: ports: [\"8080:80/tcp\"]");
            if (found == names.end()) {
                const auto near = diagnostic::suggest(name->value, names);
                source.fail(name->spot, "E0309", "there is no partition '" + name->value + "'",
                            near ? "did you mean '" + std::string(*near) + "'?" : "");
            }
        }
        if (rule.from.value == rule.to.value)
            source.fail(rule.to.spot, "E0309", "'" + rule.to.value + "' reaches itself without a rule");
        const auto has_image = [&](const std::string& name) {
            return std::ranges::find(manifest.partitions, name, &Partition::name)->image.has_value();
        };
        if (rule.to_outside()) {
            const Partition& from =
                *std::ranges::find(manifest.partitions, rule.from.value, &Partition::name);
            if (!from.outside)
                source.fail(rule.from.spot, "E0309", "'" + from.name + "' has no way to the outside",
                            "only a container has one");
            if (rule.one_way)
                source.fail(rule.spot, "E0309", "a rule to the outside cannot be one-way");
            if (rule.rate != 0 && !from.is_behind_uplink())
                source.fail(rule.rate_spot, "E0309",
                            "nobody keeps the rate: '" + from.name + "' has a network card of its own",
                            "let an uplink have the card: network: {uplink: {device: auto}}");
            continue;
        }
        if (rule.rate != 0)
            source.fail(rule.rate_spot, "E0309", "a rate is of the outside, not of a wire",
                        "write it into a rule with to: outside, or take it out");
        if (!rule.ranges.empty())
            source.fail(rule.spot, "E0309", "'cidr' is of the outside", "write to: outside");
        const bool image = has_image(rule.from.value);
        if (image != has_image(rule.to.value))
            binder.not_yet(rule.spot, "a rule between a container and a kernel of one's own");
        if (!image && !rule.ports.empty())
            source.fail(rule.spot, "E0309", "nobody keeps the ports of a rule between kernels of one's own",
                        "leave 'ports' out: such kernels have the whole wire");
        for (const Ports& ports : rule.ports)
            if (rule.one_way && !ports.udp)
                source.fail(rule.spot, "E0309", "TCP needs a way back, which a one-way rule does not give",
                            "write the ports as /udp, or take oneWay out");
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
        if (rule.one_way && !rule.leak_accepted && reaches(manifest, rule.to.value, rule.from.value))
            source.fail(rule.spot, "E0309",
                        "'" + rule.to.value + "' reaches '" + rule.from.value +
                            "' through others, so the one-way rule does not keep what it promises",
                        "take a rule on that way out, or write leak: accepted");
    }
}

} // namespace manifest
