// SPDX-License-Identifier: Apache-2.0
// partitions/station/station.cpp - see station.hpp.
//
// Trust: a frame is the world's word, and the card's. It is copied into lwIP's memory once and looked at there.
// Spec:  RFC 894 (Ethernet), RFC 826 (ARP, lwIP's), RFC 2131 (DHCP, lwIP's), RFC 1122 section 3.2.1 (what is dropped).
#include "partitions/station/station.hpp"

#include "partitions/net/checksum.hpp"
#include "partitions/station/six.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ip4.h>
#include <lwip/ip4_frag.h>
#include <lwip/prot/iana.h>
#include <netif/ethernet.h>

namespace station {

namespace {

using drivers::net::Card;

constexpr unsigned frames_at_once = 64; // in one poll
constexpr std::uint32_t frame_header = SIZEOF_ETH_HDR;

constexpr std::array<std::uint8_t, 6> everybody{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

netif own_interface;
Station* the_station = nullptr;

ip4_addr_t lwip_address(std::uint32_t address) {
    return {lwip_htonl(address)};
}
std::span<std::byte> bytes_of(const pbuf* packet) {
    return {static_cast<std::byte*>(packet->payload), packet->len};
}
std::uint16_t word(std::span<const std::byte> bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned>(bytes[at]) << 8 |
                                      static_cast<unsigned>(bytes[at + 1]));
}

// ---- In

pbuf* arriving = nullptr; // the frame that is being copied

std::span<std::byte> place(std::uint32_t bytes) {
    arriving = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes), PBUF_RAM);
    return arriving == nullptr ? std::span<std::byte>{} : bytes_of(arriving);
}

bool is_for(const pbuf* frame, const std::array<std::uint8_t, 6>& station) {
    return std::memcmp(frame->payload, station.data(), station.size()) == 0;
}

// More fragments, or an offset. Without IP options, which no packet may have here.
bool is_piece(const pbuf* packet) {
    constexpr std::uint16_t more_or_offset = 0x3FFF;
    const std::span<const std::byte> bytes = bytes_of(packet);
    return bytes[0] == std::byte{0x45} && (word(bytes, 6) & more_or_offset) != 0 &&
           ::net::sum_words(bytes.first(::net::ip_header)) == 0xFFFF;
}

// The IP packet of a frame, without what pads it. False: there is none.
bool unwrap(pbuf* frame) {
    const std::span<std::byte> bytes = bytes_of(frame);
    if (bytes.size() < frame_header + ::net::ip_header)
        return false;
    const std::uint16_t total = word(bytes, frame_header + 2);
    if (total < ::net::ip_header || total > bytes.size() - frame_header)
        return false;
    (void)pbuf_remove_header(frame, frame_header); // it has that many
    pbuf_realloc(frame, total);
    return is_piece(frame) || ::net::sums_hold(bytes_of(frame));
}

// The packet of which this is a piece, in one run of memory, once all of it has come; else nothing. lwIP has the piece then.
pbuf* put_together(pbuf* piece) {
    pbuf* const pieces = ip4_reass(piece);
    if (pieces == nullptr)
        return nullptr;
    pbuf* whole = pbuf_alloc(PBUF_RAW, pieces->tot_len, PBUF_RAM);
    if (whole != nullptr)
        (void)pbuf_copy(whole, pieces); // it has as many bytes
    (void)pbuf_free(pieces);
    if (whole != nullptr && !::net::sums_hold(bytes_of(whole))) {
        (void)pbuf_free(whole);
        return nullptr;
    }
    return whole;
}

// What a server says of a lease, which there may be no address for yet.
bool is_about_lease(std::span<const std::byte> bytes) {
    ::net::Packet parsed;
    return self().leased && ::net::parse(bytes, parsed) == ::net::Verdict::pass &&
           parsed.protocol == ::net::protocol::udp && parsed.source_port == LWIP_IANA_PORT_DHCP_SERVER &&
           parsed.target_port == LWIP_IANA_PORT_DHCP_CLIENT;
}

// True: it is lwIP's, or the user's.
bool take_ip(pbuf* frame, bool own) {
    if (is_about_lease(bytes_of(frame)))
        return ip4_input(frame, &own_interface) == ERR_OK;
    if (!is_piece(frame))
        return own && self().take(frame);
    // The rest is looked at when it is whole.
    if (!own || self().address == 0)
        return false;
    pbuf* const whole = put_together(frame);
    if (whole != nullptr && !self().take(whole))
        (void)pbuf_free(whole);
    return true;
}

bool take_six([[maybe_unused]] pbuf* frame) {
#if LWIP_IPV6
    return self().six.way != Six::Way::none && six::take(frame, is_for(frame, self().card.address));
#else
    return false;
#endif
}

bool take_frame(pbuf* frame) {
    const std::uint16_t type = frame->len < frame_header ? 0 : word(bytes_of(frame), frame_header - 2);
    if (type == ETHTYPE_ARP && frame->len >= frame_header + SIZEOF_ETHARP_HDR) // lwIP does not look
        return ethernet_input(frame, &own_interface) == ERR_OK;
    if (type == ETHTYPE_IP) {
        const bool own = is_for(frame, self().card.address);
        if ((own || is_for(frame, everybody)) && unwrap(frame))
            return take_ip(frame, own);
    }
    if (type == ETHTYPE_IPV6 && take_six(frame))
        return true;
    ++self().not_packets;
    return false;
}

void came() {
    pbuf* frame = std::exchange(arriving, nullptr);
    if (!take_frame(frame))
        (void)pbuf_free(frame);
}

// ---- Out

void fill_frame(void* context, std::span<std::byte> to) {
    const auto* frame = static_cast<const pbuf*>(context);
    (void)pbuf_copy_partial(frame, to.data(), static_cast<u16_t>(to.size()), 0);
    if (self().published.empty() || to.size() < frame_header)
        return;
    // The card sees `to` already: the header is changed in memory that it does not.
    std::array<std::byte, frame_header + ::net::PublishedPorts::head_bytes> head;
    const u16_t there = pbuf_copy_partial(frame, head.data(), static_cast<u16_t>(head.size()), 0);
    const std::span<std::byte> bytes = std::span{head}.first(there);
    const std::uint16_t type = word(bytes, frame_header - 2);
    if (type != ETHTYPE_IP && type != ETHTYPE_IPV6)
        return;
    ::net::PublishedPorts{self().published}.leave(bytes.subspan(frame_header));
    std::memcpy(to.data(), head.data(), there);
}

void wait_for_room() {
    if (!std::exchange(self().waits_for_room, true))
        self().card.tell_of_room(self().card.driver, true);
}
void stop_waiting() {
    self().waits_for_room = false;
    self().card.tell_of_room(self().card.driver, false);
}

err_t output_frame(netif*, pbuf* frame) {
    const Card& card = self().card;
    if (card.send(card.driver, frame->tot_len, &fill_frame, frame))
        return ERR_OK;
    wait_for_room();
    // There may be some since, of which nobody tells.
    if (!card.send(card.driver, frame->tot_len, &fill_frame, frame))
        return ERR_MEM; // TCP keeps it
    stop_waiting();
    return ERR_OK;
}

// Of lwIP: TCP, and what it asks a server of leases.
err_t output_packet(netif* to, pbuf* packet, const ip4_addr_t* target) {
    const std::span<const std::byte> bytes = whole_of(packet);
    const bool about_lease =
        self().leased && bytes.size() > 9 && static_cast<std::uint8_t>(bytes[9]) == ::net::protocol::udp;
    if (!about_lease && (self().may_send == nullptr || !self().may_send(bytes)))
        return ERR_RTE;
    return etharp_output(to, packet, target);
}

err_t set_up_interface(netif* made) {
    made->name[0] = 'e';
    made->name[1] = 'n';
    made->mtu = mtu;
    made->output = &output_packet;
    made->linkoutput = &output_frame;
    made->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    made->hwaddr_len = ETH_HWADDR_LEN;
    std::copy(self().card.address.begin(), self().card.address.end(), made->hwaddr);
    return ERR_OK;
}

void log(std::string_view text) {
    if (self().log != nullptr)
        self().log(text);
}
void tell(Station::News news) {
    if (self().tell != nullptr)
        self().tell(news);
}

// A lease has come, gone or changed. One that the wires' addresses lie in is none: a peer could not be told from the world. Nor is
// one of an address that no host has: who gives 127.0.0.1 would be let in to what listens there.
void take_lease(netif* of) {
    Station& out = self();
    const std::uint32_t address = lwip_ntohl(netif_ip4_addr(of)->addr),
                        mask = lwip_ntohl(netif_ip4_netmask(of)->addr);
    const unsigned prefix = static_cast<unsigned>(std::popcount(mask));
    const bool meets = out.inside_prefix != 0 && prefix != 0 &&
                       (address ^ out.inside) >> (32 - std::min(prefix, out.inside_prefix)) == 0;
    if (meets && address != 0)
        log("the lease's subnet overlaps that of the wires: it is not used");
    const bool whole = (~mask & (~mask + 1)) == 0; // ones, then zeros
    const bool usable = !meets && whole && prefix != 0 && prefix <= 30 && ::net::is_of_a_host(address);
    const std::uint32_t next = usable ? address : 0;
    const bool another = next != out.address;
    if (another && out.address != 0)
        tell(Station::News::no_address);
    out.address = next;
    out.prefix = out.address != 0 ? prefix : 24;
    out.gateway = lwip_ntohl(netif_ip4_gw(of)->addr);
    if (another && out.address_differs != nullptr)
        out.address_differs();
    if (another && out.address != 0)
        tell(Station::News::address);
}

// A cable that was pulled and put back may lead elsewhere: lwIP asks for the lease once more.
void look_at_link() {
    Station& out = self();
    const bool now = out.card.has_link == nullptr || out.card.has_link(out.card.driver);
    if (now == out.has_link)
        return;
    out.has_link = now;
    log(now ? "the network card's link is up" : "the network card's link is down");
    tell(Station::News::link);
    now ? netif_set_link_up(&own_interface) : netif_set_link_down(&own_interface);
}

} // namespace

Station& self() {
    return *the_station;
}

netif& interface() {
    return own_interface;
}

std::span<const std::byte> whole_of(const pbuf* packet) {
    static std::array<std::byte, mtu> whole;
    if (packet->next == nullptr)
        return bytes_of(packet);
    if (packet->tot_len > whole.size())
        return {};
    (void)pbuf_copy_partial(packet, whole.data(), packet->tot_len, 0);
    return std::span{whole}.first(packet->tot_len);
}

bool start(Station& station) {
    the_station = &station;
    const ip4_addr_t own = lwip_address(station.address),
                     mask = lwip_address(~std::uint32_t{0} << (32 - station.prefix)),
                     gateway = lwip_address(station.gateway);
    if (netif_add(&own_interface, &own, &mask, &gateway, nullptr, &set_up_interface, &ip4_input) == nullptr)
        return false;
    netif_set_default(&own_interface);
    netif_set_up(&own_interface);
    netif_set_link_up(&own_interface);
#if LWIP_IPV6
    if (station.six.way != Six::Way::none && !six::start())
        return false;
#endif
    if (!station.leased)
        return true;
    netif_set_status_callback(&own_interface, &take_lease);
    return dhcp_start(&own_interface) == ERR_OK;
}

void run_clock() {
    constexpr unsigned neighbours = 1000 / 500, leases = DHCP_COARSE_TIMER_MSECS / 500;
    static unsigned ticks = 0;
    ++ticks;
    look_at_link();
    if (ticks % neighbours == 0) { // they are forgotten, and asked for again
        etharp_tmr();
        ip_reass_tmr();
    }
#if LWIP_IPV6
    if (self().six.way != Six::Way::none)
        six::run_clock(ticks % neighbours == 0);
#endif
    if (!self().leased)
        return;
    dhcp_fine_tmr();
    if (ticks % leases == 0)
        dhcp_coarse_tmr();
}

bool poll() {
    Station& own = self();
    const Card& card = own.card;
    const bool more = card.receive(card.driver, frames_at_once, &place, &came) == frames_at_once;
    if (own.waits_for_room && card.has_room(card.driver)) {
        stop_waiting();
        if (own.has_room_again != nullptr)
            own.has_room_again();
    }
    if (own.listens != more)
        return more;
    own.listens = !more; // whoever looks again need not be told
    return card.listen(card.driver, own.listens) || more;
}

bool has_room() {
    const Card& card = self().card;
    if (card.has_room(card.driver))
        return true;
    wait_for_room();
    return card.has_room(card.driver); // there may be some since, of which nobody tells
}

Sent send(pbuf* packet, std::uint32_t target) {
    const ip4_addr_t to = lwip_address(target);
    switch (etharp_output(&own_interface, packet, &to)) {
    case ERR_OK:
        return Sent::yes;
    case ERR_RTE:
        return Sent::no_way;
    default:
        return Sent::no_room;
    }
}

} // namespace station

extern "C" {

// What DHCP calls of lwIP's resolver, which is not here: programs have their own.
void dns_init() {}
#if !LWIP_IPV6
void dns_setserver(u8_t number, const ip_addr_t* address) {
    auto& servers = station::self().name_servers;
    if (number < servers.size())
        servers[number] = address == nullptr ? 0 : lwip_ntohl(address->addr);
}
#endif
}
