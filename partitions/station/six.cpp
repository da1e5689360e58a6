// SPDX-License-Identifier: Apache-2.0
// partitions/station/six.cpp - see six.hpp and station.hpp.
//
// Trust: as station.cpp. What neighbours and routers say is believed as far as ARP and DHCP are: who is on the link can lie about who
//        is there. Nobody behind a router can (net/neighbour.hpp).
// Spec:  RFC 2464 (Ethernet), RFC 4861 and 4862 (neighbours, addresses; lwIP's), RFC 8106 (name servers; lwIP's).
#include "partitions/station/six.hpp"

#include "partitions/net/checksum.hpp"
#include "partitions/net/neighbour.hpp"

#include <algorithm>
#include <cstring>

#include <lwip/dns.h>
#include <lwip/ethip6.h>
#include <lwip/ip6.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/priv/nd6_priv.h>
#include <netif/ethernet.h>

namespace station {

namespace {

using ::net::Address6;

constexpr std::uint32_t frame_header = SIZEOF_ETH_HDR;

ip6_addr_t lwip_address(const Address6& address) {
    ip6_addr_t out{};
    ::net::write_address6(address, std::as_writable_bytes(std::span{out.addr}));
    return out;
}
Address6 number(const ip6_addr_t& address) {
    return ::net::read_address6(std::as_bytes(std::span{address.addr}));
}
std::span<std::byte> bytes_of(const pbuf* packet) {
    return {static_cast<std::byte*>(packet->payload), packet->len};
}

// The packet of a frame, without what pads it and without extension headers. False: there is none.
bool unwrap(pbuf* frame) {
    const std::span<std::byte> bytes = bytes_of(frame);
    if (bytes.size() < frame_header + ::net::ip6_header || !::net::is_version_6(bytes.subspan(frame_header)))
        return false;
    const std::size_t total = ::net::ip6_header + (static_cast<std::size_t>(bytes[frame_header + 4]) << 8 |
                                                   static_cast<std::size_t>(bytes[frame_header + 5]));
    if (total > bytes.size() - frame_header)
        return false;
    std::span<std::byte> packet = bytes.subspan(frame_header, total);
    if (::net::strip_extensions(packet) != ::net::Verdict::pass || !::net::sums_hold(packet))
        return false;
    (void)pbuf_remove_header(frame, static_cast<std::size_t>(packet.data() - bytes.data())); // it has those
    pbuf_realloc(frame, static_cast<u16_t>(packet.size()));
    return true;
}

// Of lwIP: TCP, and what it says to neighbours.
err_t output_packet(netif* to, pbuf* packet, const ip6_addr_t* target) {
    const std::span<const std::byte> bytes = whole_of(packet);
    if (!::net::is_said_to_neighbours(bytes) && (self().may_send == nullptr || !self().may_send(bytes)))
        return ERR_RTE;
    return ethip6_output(to, packet, target);
}

// Those that nobody else has, as they are now. One that comes is told of when it is there, one that goes before.
void look_at_addresses() {
    const netif& own = interface();
    Six& six = self().six;
    for (std::size_t i = 0; i < six.own.all.size(); ++i) {
        const u8_t state = netif_ip6_addr_state(&own, i);
        const Address6 now = ip6_addr_isvalid(state) ? number(*netif_ip6_addr(&own, i)) : Address6{},
                       before = six.own.all[i];
        six.old[i] = ip6_addr_isvalid(state) && !ip6_addr_ispreferred(state);
        if (now == before)
            continue;
        if (!before.none() && six.tell != nullptr)
            six.tell(before, false);
        six.own.all[i] = now;
        if (!now.none() && six.tell != nullptr)
            six.tell(now, true);
    }
    static bool told = false;
    for (std::size_t i = 0; i < six.own.all.size() && !told; ++i)
        if (ip6_addr_isduplicated(netif_ip6_addr_state(&own, i))) {
            told = true;
            if (self().log != nullptr)
                self().log("another station has this one's IPv6 address: it is not used");
        }
}

bool is_neighbour(const Address6& address) {
    constexpr unsigned subnet = 64;
    const Six& six = self().six;
    if (::net::is_link_local(address))
        return true;
    if (six.way == Six::Way::written)
        return ::net::is_within(address, six.address, subnet);
    return std::ranges::any_of(std::span{prefix_list, LWIP_ND6_NUM_PREFIXES},
                               [&](const nd6_prefix_list_entry& one) {
                                   return one.netif != nullptr && one.invalidation_timer > 0 &&
                                          ::net::is_within(address, number(one.prefix), subnet);
                               });
}

} // namespace

bool six::start() {
    netif& own = interface();
    Six& six = self().six;
    if (const auto& card = self().card; card.hear_groups != nullptr)
        card.hear_groups(card.driver);
    own.output_ip6 = &output_packet;
    own.flags |= NETIF_FLAG_MLD6;
    const bool advertised = six.way == Six::Way::advertised;
    netif_set_ip6_autoconfig_enabled(&own, advertised ? 1 : 0);
    netif_create_ip6_linklocal_address(&own, 1);
    if (advertised)
        return true;
    const ip6_addr_t address = lwip_address(six.address);
    s8_t place = 0;
    return netif_add_ip6_address(&own, &address, &place) == ERR_OK;
}

bool six::take(pbuf* frame, bool own) {
    constexpr std::byte group{0x33}; // of stations: RFC 2464 section 7
    const std::span<const std::byte> bytes = bytes_of(frame);
    if (!own && !(bytes[0] == group && bytes[1] == group))
        return false;
    if (!unwrap(frame))
        return false;
    switch (::net::kind_of_neighbours(bytes_of(frame))) {
    case ::net::Neighbours::no:
        return own && self().take(frame);
    case ::net::Neighbours::router:
        if (self().six.way != Six::Way::advertised)
            return false;
        break;
    case ::net::Neighbours::neighbour:
    case ::net::Neighbours::groups:
        break;
    }
    return ip6_input(frame, &interface()) == ERR_OK;
}

void six::run_clock(bool second) {
    for (unsigned i = 0; i < 500 / MLD6_TMR_INTERVAL; ++i)
        mld6_tmr();
    if (second)
        nd6_tmr();
    look_at_addresses();
}

Sent send6(pbuf* packet, const Address6& target) {
    const ip6_addr_t to = lwip_address(target);
    switch (ethip6_output(&interface(), packet, &to)) {
    case ERR_OK:
        return Sent::yes;
    case ERR_RTE:
        return Sent::no_way;
    default:
        return Sent::no_room;
    }
}

Address6 router6() {
    const Six& six = self().six;
    if (six.way != Six::Way::advertised)
        return six.gateway;
    for (const nd6_router_list_entry& one : std::span{default_router_list, LWIP_ND6_NUM_ROUTERS})
        if (one.neighbor_entry != nullptr && one.invalidation_timer > 0)
            return number(one.neighbor_entry->next_hop_address);
    return {};
}

Address6 source6(const Address6& target) {
    if (self().six.way == Six::Way::none || !::net::is_of_a_host(target) ||
        (!is_neighbour(target) && router6().none()))
        return {};
    const ip6_addr_t to = lwip_address(target);
    const ip_addr_t* from = ip6_select_source_address(&interface(), &to);
    const Address6 out = from == nullptr ? Address6{} : number(*ip_2_ip6(from));
    // Nobody behind a router answers to an address of this link.
    return ::net::is_link_local(out) && !::net::is_link_local(target) ? Address6{} : out;
}

} // namespace station

extern "C" {

const ip6_addr_t* caisson_lwip_router(const ip6_addr_t*) {
    static ip6_addr_t router;
    const station::Six& six = station::self().six;
    if (six.way != station::Six::Way::written || six.gateway.none())
        return nullptr;
    router = station::lwip_address(six.gateway);
    return &router;
}

// What DHCP and advertisements of routers call of lwIP's resolver, which is not here: programs have their own.
const ip_addr_t* dns_getserver(u8_t number) {
    static ip_addr_t one;
    const auto& servers = station::self().six.name_servers;
    one = {};
    IP_SET_TYPE_VAL(one, IPADDR_TYPE_V6);
    if (number < servers.size())
        *ip_2_ip6(&one) = station::lwip_address(servers[number]);
    return &one;
}

// None: one of IPv6 has gone. DHCP names those of a lease anew.
void dns_setserver(u8_t number, const ip_addr_t* address) {
    station::Station& self = station::self();
    if (number >= self.six.name_servers.size())
        return;
    if (address != nullptr && !IP_IS_V6(address)) {
        self.name_servers[number] = lwip_ntohl(ip_2_ip4(address)->addr);
    } else if (self.six.way == station::Six::Way::advertised && !self.six.servers_are_written) {
        const auto server = address == nullptr ? ::net::Address6{} : station::number(*ip_2_ip6(address));
        self.six.name_servers[number] = ::net::is_of_a_host(server) ? server : ::net::Address6{};
    }
}
}
