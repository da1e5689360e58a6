// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/interfaces.cpp - wires and card as programs see them: net/interfaces.hpp, and their texts in /proc/net.
#include "partitions/unikernel/net/interfaces.hpp"

#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/fs/proc/synthetic_table.hpp"
#include "partitions/unikernel/net/describe.hpp"
#include "partitions/unikernel/wires/stack.hpp"

namespace uk {

namespace {

constexpr std::uint32_t is_up = 1, is_broadcast = 2, is_point_to_point = 0x10, is_multicast = 0x1000,
                        no_arp = 0x80;
constexpr std::uint16_t type_none = 0xFFFE;

net::IpAddress number(std::uint32_t address) {
    return net::IpAddress::v4(address);
}

void count(net::Interface& out, const wires::Link& link) {
    out.received.bytes += link.received_bytes;
    out.received.packets += link.received;
    out.sent.bytes += link.sent_bytes;
    out.sent.packets += link.sent;
    out.sent.dropped += link.no_room;
}

net::Interface wires_interface(std::uint32_t index) {
    const wires::Configuration& all = wires::stack().configuration;
    net::Interface out{.name = "wire0",
                       .index = index,
                       .flags = is_up | is_point_to_point | no_arp | net::flags_running,
                       .mtu = wires::mtu,
                       .type = type_none,
                       .has_v6 = false,
                       .v4 = number(all.address),
                       .v4_prefix = all.prefix};
    for (const wires::Link& link : all.links)
        count(out, link);
    return out;
}

// The card; or the uplink, which is no Ethernet, but what programs look for under that name.
net::Interface outside_interface(std::uint32_t index) {
    const wires::Outside& outside = *wires::stack().configuration.outside;
    const wires::Link* uplink = wires::stack().configuration.uplink;
    const std::uint32_t kind = uplink == nullptr ? is_broadcast | is_multicast : is_point_to_point | no_arp;
    net::Interface out{.name = "eth0",
                       .index = index,
                       .flags = is_up | kind | (outside.has_link ? net::flags_running : 0),
                       .mtu = wires::outside_mtu,
                       .type = uplink == nullptr ? net::type_ethernet : type_none,
                       .has_v4 = outside.address != 0,
                       .has_v6 = false,
                       .v4 = number(outside.address),
                       .v4_prefix = outside.prefix};
    out.has_gateway = outside.address != 0 && outside.gateway != 0;
    out.gateway = number(outside.gateway);
    if (uplink != nullptr) {
        count(out, *uplink);
        return out;
    }
    if (wires::stack().has_six()) {
        const station::Six& six = outside.six;
        for (std::size_t i = 0; i < out.more_v6.size(); ++i) // the first is of the link
            out.more_v6[i] = {wires::address_of(six.own.all[i]),
                              i == 0 || six.way == station::Six::Way::written, six.old[i]};
        out.gateway_v6 = wires::address_of(station::router6());
    }
    const drivers::net::Counters& counted = *outside.card.counters;
    out.hardware = outside.card.address;
    out.received = {counted.received_bytes, counted.received, counted.errors + counted.lies,
                    counted.no_place};
    out.sent = {counted.sent_bytes, counted.sent, 0, 0};
    return out;
}

template <std::size_t Size> void pad(base::Text<Size>& line, std::size_t to) {
    while (line.view().size() < to)
        line << ' ';
}

// As Linux prints an address there: the number that its four octets are in memory.
template <std::size_t Size> void put_octets(base::Text<Size>& line, std::uint32_t address) {
    for (unsigned shift = 0; shift < 32; shift += 4)
        line << "0123456789ABCDEF"[address >> (shift ^ 4) & 15];
}

} // namespace

std::span<const net::Interface> net::interfaces() {
    static std::array<Interface, 3> all{};
    const wires::Configuration& configuration = wires::stack().configuration;
    std::uint32_t count = 1;
    if (!configuration.links.empty()) {
        all[count] = wires_interface(count + 1);
        ++count;
    }
    if (configuration.outside != nullptr) {
        all[count] = outside_interface(count + 1);
        ++count;
    }
    return std::span{all}.first(count);
}

bool fs::seam::has_interface(bool card) {
    if (!wires::is_started())
        return false;
    const wires::Configuration& all = wires::stack().configuration;
    return card ? all.outside != nullptr : !all.links.empty();
}

void fs::seam::interface_text(bool card, InterfaceText which, TextSink& out) {
    const net::Interface one = card ? outside_interface(net::interfaces().back().index) : wires_interface(2);
    const bool running = (one.flags & net::flags_running) == net::flags_running;
    std::uint64_t value = 0;
    switch (which) {
    case InterfaceText::hardware:
        for (std::size_t i = 0; one.type == net::type_ethernet && i < one.hardware.size();
             ++i) { // a point to point interface has none
            out << (i == 0 ? "" : ":");
            out.hexadecimal(one.hardware[i], 2);
        }
        out << '\n';
        return;
    case InterfaceText::flags: // of those that are set, not found out
        out << "0x";
        out.hexadecimal(one.flags & ~net::flags_running, 1);
        out << '\n';
        return;
    case InterfaceText::state:
        out << (!card ? "unknown\n" : running ? "up\n" : "down\n");
        return;
    case InterfaceText::carrier:
        value = running ? 1 : 0;
        break;
    case InterfaceText::mtu:
        value = one.mtu;
        break;
    case InterfaceText::index:
        value = one.index;
        break;
    case InterfaceText::type:
        value = one.type;
        break;
    case InterfaceText::received_bytes:
        value = one.received.bytes;
        break;
    case InterfaceText::received_packets:
        value = one.received.packets;
        break;
    case InterfaceText::received_errors:
        value = one.received.errors;
        break;
    case InterfaceText::received_dropped:
        value = one.received.dropped;
        break;
    case InterfaceText::sent_bytes:
        value = one.sent.bytes;
        break;
    case InterfaceText::sent_packets:
        value = one.sent.packets;
        break;
    case InterfaceText::sent_errors:
        value = one.sent.errors;
        break;
    case InterfaceText::sent_dropped:
        value = one.sent.dropped;
        break;
    }
    out << value << '\n';
}

void net::describe_devices(fs::TextSink& out) {
    out << "Inter-|   Receive                                                |  Transmit\n"
           " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
           "fifo "
           "colls carrier compressed\n";
    for (const Interface& one : interfaces()) {
        base::Text<256> line;
        pad(line, 6 - std::min<std::size_t>(one.name.size(), 6));
        line << one.name << ": " << one.received.bytes << ' ' << one.received.packets << ' '
             << one.received.errors << ' ' << one.received.dropped << " 0 0 0 0 " << one.sent.bytes << ' '
             << one.sent.packets << ' ' << one.sent.errors << ' ' << one.sent.dropped << " 0 0 0 0\n";
        out << line.view();
    }
}

void net::describe_routes(fs::TextSink& out) {
    constexpr unsigned up = 1, by_gateway = 2;
    constexpr std::size_t width = 127;
    const auto put = [&out](const Interface& by, std::uint32_t to, std::uint32_t gateway,
                            std::uint32_t mask) {
        base::Text<256> line;
        line << by.name << '\t';
        put_octets(line, to);
        line << '\t';
        put_octets(line, gateway);
        line << "\t000" << (gateway != 0 ? up | by_gateway : up) << "\t0\t0\t0\t";
        put_octets(line, mask);
        line << "\t0\t0\t0";
        pad(line, width);
        line << '\n';
        out << line.view();
    };
    base::Text<256> head;
    head << "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    pad(head, width);
    head << '\n';
    out << head.view();
    for (const Interface& by : interfaces().subspan(1)) {
        if (!by.has_v4)
            continue;
        const std::uint32_t mask = ~std::uint32_t{0} << (32 - by.v4_prefix);
        if (by.has_gateway)
            put(by, 0, by.gateway.v4_value(), 0);
        put(by, by.v4.v4_value() & mask, 0, mask);
    }
}

void net::describe_addresses6(fs::TextSink& out) {
    constexpr unsigned permanent = 0x80, old = 0x20, global = 0, of_link = 0x20, of_host = 0x10, subnet = 64;
    const auto put = [&out](const Interface& by, const IpAddress& address, unsigned prefix, unsigned scope,
                            unsigned flags) {
        const auto octet = [](base::Text<256>& line, unsigned value) {
            line << "0123456789abcdef"[value >> 4 & 15] << "0123456789abcdef"[value & 15];
        };
        base::Text<256> line;
        for (const std::uint8_t value : address.octets)
            octet(line, value);
        for (const unsigned value : {by.index, prefix, scope, flags}) {
            line << ' ';
            octet(line, value);
        }
        line << ' ';
        pad(line, line.view().size() + 8 - std::min<std::size_t>(by.name.size(), 8));
        line << by.name << '\n';
        out << line.view();
    };
    for (const Interface& by : interfaces()) {
        if (by.has_v6)
            put(by, by.v6, by.v6_prefix, of_host, permanent);
        for (const Interface::More& one : by.more_v6)
            if (!one.address.any())
                put(by, one.address, subnet, one.address.link_local() ? of_link : global,
                    (one.for_ever ? permanent : 0) | (one.old ? old : 0));
    }
}

} // namespace uk
