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

void tell_programs6(const ::net::Address6& address, bool here) {
    net::Interface::More one{};
    ::net::write_address6(address, std::as_writable_bytes(std::span{one.address.octets}));
    one.for_ever = ::net::is_link_local(address);
    net::netlink::tell(net::interfaces().back(), one,
                       here ? net::netlink::News::address : net::netlink::News::no_address);
}

// The record's IPv6: what the card's station is told.
station::Six make_six(const caisson_outside6& from, const caisson_startup& header) {
    station::Six out;
    if (from.way == 0)
        return out;
    out.way =
        from.way == CAISSON_OUTSIDE6_WRITTEN ? station::Six::Way::written : station::Six::Way::advertised;
    out.address = ::net::read_address6(std::as_bytes(std::span{from.address}));
    out.gateway = ::net::read_address6(std::as_bytes(std::span{from.gateway}));
    for (std::size_t i = 0; i < out.name_servers.size(); ++i) {
        out.name_servers[i] = ::net::read_address6(std::as_bytes(std::span{from.name_servers[i]}));
        out.servers_are_written |= !out.name_servers[i].none() || header.name_servers[i] != 0;
    }
    out.tell = &tell_programs6;
    return out;
}

// What leads to the outside, and what of the record is about the world there. It is the last of the peers.
wires::Outside* make_outside(const caisson_boot_page& boot_page, const Startup& startup, ::net::Peer& peer,
                             const caisson_outside6& six) {
    const caisson_startup& header = startup.header();
    auto* outside = mm::make<wires::Outside>();
    if (outside == nullptr)
        base::fail("out of memory at start", "", 0);
    const bool uplink = header.outside == CAISSON_OUTSIDE_UPLINK;
    if (!uplink)
        outside->card = start_card(boot_page);
    outside->leased = header.outside == CAISSON_OUTSIDE_LEASED;
    outside->peer = &peer;
    outside->six = make_six(six, header);
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
decltype(station::Six::name_servers) shown_servers6{};

template <std::size_t Size> void put_address(base::Text<Size>& out, std::uint32_t address) {
    out << (address >> 24) << '.' << (address >> 16 & 0xFF) << '.' << (address >> 8 & 0xFF) << '.'
        << (address & 0xFF);
}

// RFC 5952 section 4, but for the one that an address of this link needs: which link.
template <std::size_t Size> void put_address6(base::Text<Size>& out, const ::net::Address6& address) {
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < groups.size(); ++i)
        groups[i] = (i < 4 ? address.high : address.low) >> (48 - 16 * (i % 4)) & 0xFFFF;
    std::size_t longest = groups.size(), most = 1; // the first of the longest runs of zeros, two at least
    for (std::size_t i = 0; i < groups.size(); ++i) {
        std::size_t run = 0;
        while (i + run < groups.size() && groups[i + run] == 0)
            ++run;
        if (run > most) {
            longest = i;
            most = run;
        }
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (i == longest) {
            out << "::";
            i += most - 1;
            continue;
        }
        if (i != 0 && i != longest + most)
            out << ':';
        for (unsigned shift = 16, started = 0; shift != 0;) {
            shift -= 4;
            const unsigned digit = groups[i] >> shift & 15;
            if (digit != 0 || started != 0 || shift == 0) {
                started = 1;
                out << "0123456789abcdef"[digit];
            }
        }
    }
    if (::net::is_link_local(address))
        out << "%eth0";
}

// In the manifest's order, which has one of either family at each place; then both of what servers and routers tell.
void put_servers(base::Text<256>& resolver) {
    shown_servers = world->name_servers;
    shown_servers6 = world->six.name_servers;
    for (std::size_t i = 0; i < shown_servers.size(); ++i) {
        if (shown_servers[i] != 0) {
            resolver << "nameserver ";
            put_address(resolver, shown_servers[i]);
            resolver << '\n';
        }
        if (!shown_servers6[i].none()) {
            resolver << "nameserver ";
            put_address6(resolver, shown_servers6[i]);
            resolver << '\n';
        }
    }
}

// A later lease names others: programs look into the file again.
void show_servers() {
    if (world->name_servers == shown_servers && world->six.name_servers == shown_servers6)
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
    bool sound = true;
    const caisson_outside6 six = startup.outside6(sound);
    if (!sound)
        base::fail("startup record: IPv6 outside that is none", "", 0);
    const auto rules = make_list<::net::Rule>(std::size_t{header.rule_count} + six.rule_count);
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
    for (unsigned i = 0; i < six.rule_count; ++i) {
        const caisson_rule6 rule = startup.rule6(six, i);
        ::net::Rule& out = rules[header.rule_count + i];
        out = {static_cast<std::uint8_t>(header.peer_count), rule.inbound != 0, rule.protocol,
               rule.first_port, rule.last_port};
        out.v6 = true;
        out.prefix6 = rule.prefix;
        out.network6 = ::net::read_address6(std::as_bytes(std::span{rule.network}));
    }
    wires::Outside* outside = has_outside ? make_outside(boot_page, startup, peers.back(), six) : nullptr;
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
    }
    if (outside != nullptr && outside->six.way == station::Six::Way::written)
        await([] { return !world->six.own.has(world->six.address); },
              "the IPv6 address is not the card's yet: the container starts without it");
    if (outside != nullptr)
        outside->name_servers_may_differ = &show_servers;
    if (outside != nullptr && wires::awaits_time_of_day()) {
        wires::run_outside_clock(); // asks
        await(&wires::awaits_time_of_day, "no time server has answered yet: the clock is the machine's");
    }
    poll(); // what came before, and the wish to be rung
}

} // namespace uk::start
