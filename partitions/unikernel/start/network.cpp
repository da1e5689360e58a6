// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/network.cpp - see network.hpp.
//
// Trust: boot page and startup record are checked as far as memory safety and the rules need it; what peers write into lanes is
//        hostile (../wires).
#include "partitions/unikernel/start/network.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/netlink.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/start/card.hpp"
#include "partitions/unikernel/start/lane_end.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace uk::start {

namespace {

template <typename T> std::span<T> make_list(std::size_t count) {
    auto* memory = static_cast<T*>(mm::allocate(count * sizeof(T)));
    if (memory == nullptr && count != 0)
        base::fail("out of memory at start", "", 0);
    for (std::size_t i = 0; i < count; ++i)
        new (memory + i) T;
    return {memory, count};
}

// What one look leaves goes on a moment later, behind the programs that are ready.
void poll_again(sched::Timer& timer);
sched::Timer rest{&poll_again};

void poll() {
    constexpr std::uint64_t moment = 20'000;
    if (wires::poll())
        sched::arm(rest, deadline_after(moment));
}
void poll_again(sched::Timer&) {
    poll();
}

// The card is the last of the interfaces.
void tell_programs(wires::Outside::News news) {
    using wires::Outside;
    net::netlink::tell(net::interfaces().back(), news == Outside::News::link ? net::netlink::News::link
                                                 : news == Outside::News::address
                                                     ? net::netlink::News::address
                                                     : net::netlink::News::no_address);
}

// What leads to the outside, and what of the record is about the world there. It is the last of the peers.
wires::Outside* make_outside(const caisson_boot_page& boot_page, const Startup& startup, ::net::Peer& peer) {
    const caisson_startup& header = startup.header();
    auto* outside = mm::make<wires::Outside>();
    if (outside == nullptr)
        base::fail("out of memory at start", "", 0);
    const bool uplink = header.outside == CAISSON_OUTSIDE_UPLINK;
    if (!uplink)
        outside->card = start_card(boot_page);
    outside->leased = header.outside == CAISSON_OUTSIDE_LEASED;
    outside->peer = &peer;
    std::copy(std::begin(header.name_servers), std::end(header.name_servers), outside->name_servers.begin());
    if (!outside->leased) {
        outside->address = uplink ? header.address : header.outside_address;
        outside->prefix = uplink ? header.prefix : header.outside_prefix;
        outside->gateway = header.gateway;
    }
    // The uplink gives ports their numbers itself.
    const auto published = make_list<::net::PublishedPort>(uplink ? 0 : header.published_count);
    for (unsigned i = 0; i < published.size(); ++i) {
        const caisson_published entry = startup.published(i);
        published[i] = {entry.protocol, entry.outside, entry.inside};
    }
    outside->published = published;
    outside->tell = &tell_programs;
    const auto servers = make_list<wires::TimeServer>(CAISSON_TIME_SERVERS);
    std::size_t count = 0;
    for (unsigned i = 0; i < CAISSON_TIME_SERVERS; ++i)
        if (header.time_servers[i] != 0)
            servers[count++] = {header.time_servers[i], header.time_ports[i]};
    outside->time_servers = servers.first(count);
    peer.outside = true;
    peer.own = outside->address;
    peer.gateway = uplink ? header.gateway : 0; // whom names are asked of
    peer.inside_mask = header.prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - header.prefix);
    peer.inside = header.address & peer.inside_mask;
    return outside;
}

// Programs find the network as it stays, name servers and the time of day too: their start waits for them, but not for ever.
void await(bool (*missing)(), std::string_view otherwise) {
    constexpr std::uint64_t patience = 5'000'000'000, step = 500'000'000;
    const std::uint64_t began = monotonic_ns();
    for (std::uint64_t ticks = 1; missing(); cpu::pause()) {
        const std::uint64_t waited = monotonic_ns() - began;
        if (waited > patience)
            return log(otherwise);
        if (waited >= ticks * step) {
            wires::run_outside_clock();
            ++ticks;
        }
        (void)wires::poll();
    }
}

const wires::Outside* world = nullptr; // behind card or uplink, where there is one
decltype(wires::Outside::name_servers) shown_servers{};

template <std::size_t Size> void put_address(base::Text<Size>& out, std::uint32_t address) {
    out << (address >> 24) << '.' << (address >> 16 & 0xFF) << '.' << (address >> 8 & 0xFF) << '.'
        << (address & 0xFF);
}

void put_servers(base::Text<256>& resolver) {
    shown_servers = world->name_servers;
    for (const std::uint32_t server : shown_servers)
        if (server != 0) {
            resolver << "nameserver ";
            put_address(resolver, server);
            resolver << '\n';
        }
}

// A later lease names others: programs look into the file again.
void show_servers() {
    if (world->name_servers == shown_servers)
        return;
    base::Text<256> resolver;
    put_servers(resolver);
    if (!fs::Tree::current().add_file("/etc/resolv.conf", resolver.view(), fs::Tree::Existing::replaced).ok())
        log("no room for /etc/resolv.conf, or it cannot be written: the name servers are other ones now");
}

} // namespace

void describe_network(const Startup& startup, NetworkTexts& texts) {
    const caisson_startup& header = startup.header();
    const std::uint32_t own = header.peer_count != 0 ? header.address : world != nullptr ? world->address : 0;
    if (own == 0)
        texts.hosts << "127.0.1.1";
    else
        put_address(texts.hosts, own);
    texts.hosts << '\t' << startup.hostname() << '\n';
    for (unsigned i = 0; i < header.peer_count; ++i) {
        put_address(texts.hosts, startup.peer(i).address);
        texts.hosts << '\t' << startup.peer_name(i) << '\n';
    }
    if (world != nullptr)
        put_servers(texts.resolver);
}

void start_network(const caisson_boot_page& boot_page, const Startup& startup) {
    const caisson_startup& header = startup.header();
    const bool has_outside = header.outside != CAISSON_OUTSIDE_NONE;
    const auto links = make_list<wires::Link>(header.peer_count);
    const auto peers = make_list<::net::Peer>(header.peer_count + (has_outside ? 1 : 0));
    const auto rules = make_list<::net::Rule>(header.rule_count);
    for (unsigned i = 0; i < header.peer_count; ++i) {
        const caisson_peer peer = startup.peer(i);
        if (peer.link >= boot_page.link_count)
            base::fail("startup record: a peer without a link", "", 0);
        connect(links[i].end, boot_page, peer.link);
        links[i].name = startup.peer_name(i);
        peers[i].address = peer.address;
    }
    for (unsigned i = 0; i < header.rule_count; ++i) {
        const caisson_rule rule = startup.rule(i);
        rules[i] = {rule.peer, rule.inbound != 0, rule.protocol, rule.first_port, rule.last_port,
                    0,         rule.network,      rule.mask};
    }
    wires::Outside* outside = has_outside ? make_outside(boot_page, startup, peers.back()) : nullptr;
    wires::Link* uplink = nullptr;
    if (header.outside == CAISSON_OUTSIDE_UPLINK) {
        if (header.outside_link >= boot_page.link_count)
            base::fail("startup record: the uplink without a link", "", 0);
        uplink = make_list<wires::Link>(1).data();
        connect(uplink->end, boot_page, header.outside_link);
        uplink->name = "uplink";
    }
    if (!wires::start({header.address, header.prefix, links, peers, rules, outside, uplink}))
        base::fail("out of memory at start", "", 0);
    sched::poll_lanes = &poll;
    for (unsigned i = 0; i < header.peer_count; ++i)
        listen(startup.peer(i).link);
    if (uplink != nullptr) {
        listen(header.outside_link);
        wires::run_outside_clock(); // whether it is there already
    }
    world = outside;
    if (outside != nullptr && outside->leased) {
        await([] { return world->address == 0; }, "no address by DHCP yet: the container starts without one");
        outside->name_servers_may_differ = &show_servers;
    }
    if (outside != nullptr && wires::awaits_time_of_day()) {
        wires::run_outside_clock(); // asks
        await(&wires::awaits_time_of_day, "no time server has answered yet: the clock is the machine's");
    }
    poll(); // what came before, and the wish to be rung
}

} // namespace uk::start
