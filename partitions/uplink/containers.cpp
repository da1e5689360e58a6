// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/containers.cpp - see containers.hpp.
#include "partitions/uplink/containers.hpp"

#include "partitions/uplink/memory.hpp"

namespace uplink {

namespace {

net::Rule rule_of(const caisson_uplink_rule& from) {
    net::Rule out;
    out.inbound = from.inbound != 0;
    out.protocol = from.protocol;
    out.first_port = from.first_port;
    out.last_port = from.last_port;
    out.network = from.network;
    out.mask = from.mask;
    out.limit = from.limit;
    return out;
}

// To a container's firewall the outside is its only peer. Questions for names go to the uplink itself.
net::Peer outside_of(const Record& record, std::uint32_t own) {
    net::Peer out;
    out.outside = true;
    out.own = own;
    out.inside_mask = record.inside_mask();
    out.inside = record.header().address & out.inside_mask;
    out.gateway = record.header().address;
    return out;
}

// `first`: of the record's rules. False: out of memory.
bool fill_in(net::Contained& out, const Record& record, unsigned number, unsigned first) {
    const caisson_uplink_container from = record.container(number);
    const auto peers = make_list<net::Peer>(1);
    const auto rules = make_list<net::Rule>(from.rule_count);
    const auto table = make_list<net::Connection>(connections_each);
    const auto paces = make_list<net::Pace>(std::size_t{2} * record.limits_of(first, from.rule_count));
    if (!peers || !rules || !table || !paces)
        return false;
    peers->front() = outside_of(record, from.address);
    for (unsigned i = 0; i < from.rule_count; ++i) {
        const caisson_uplink_rule rule = record.rule(first + i);
        (*rules)[i] = rule_of(rule);
        for (const std::size_t way : {0u, 1u})
            if (rule.limit != 0)
                (*paces)[std::size_t{2} * (rule.limit - 1u) + way] = net::Pace{rule.rate};
    }
    out.address = from.address;
    out.firewall = uk::mm::make<net::Firewall>(from.address, *peers, *rules, *table);
    out.table = *table;
    out.rules = *rules;
    out.paces = *paces;
    return out.firewall != nullptr;
}

} // namespace

std::optional<Tables> make_tables(const Record& record) {
    const caisson_uplink& header = record.header();
    const auto containers = make_list<net::Contained>(header.container_count);
    const auto publications = make_list<net::Publication>(header.published_count);
    const auto translations = make_list<net::Translation>(header.container_count * connections_each);
    if (!containers || !publications || !translations)
        return std::nullopt;
    unsigned first = 0;
    std::size_t with_rate = 0;
    for (unsigned i = 0; i < header.container_count; ++i) {
        const unsigned rules = record.container(i).rule_count;
        if (!fill_in((*containers)[i], record, i, first))
            return std::nullopt;
        with_rate += record.limits_of(first, rules) != 0 ? 1 : 0;
        first += rules;
    }
    const std::size_t each = Waiting::share_of(with_rate);
    const auto places = make_list<WaitingPacket>(2 * with_rate * each);
    const auto order = make_list<std::uint16_t>(2 * with_rate * each);
    if (!places || !order)
        return std::nullopt;
    for (unsigned i = 0; i < header.published_count; ++i) {
        const caisson_uplink_published from = record.published(i);
        (*publications)[i] = {from.container, from.protocol, from.outside, from.inside};
    }
    return Tables{*containers, *publications, *translations, {*places, *order, each}};
}

} // namespace uplink
