// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/outside.cpp - frames from a network card and to it: Ethernet, ARP, the sums that wires do without, and
// ports that have another number outside.
//
// Trust: a frame is the world's word, and the card's. It is copied into lwIP's memory once and looked at there.
// Spec:  RFC 894 (Ethernet), RFC 826 (ARP, lwIP's), RFC 2131 (DHCP, lwIP's), RFC 1122 section 3.2.1 (what is dropped).
#include "hypervisor/base/fail.hpp"
#include "partitions/net/checksum.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/wires/stack.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ip4.h>
#include <lwip/ip4_frag.h>
#include <lwip/prot/iana.h>
#include <netif/ethernet.h>

namespace uk::wires {

namespace {

constexpr unsigned frames_at_once = 64; // in one poll
constexpr std::uint32_t frame_header = SIZEOF_ETH_HDR;
constexpr std::uint64_t half_second_ns = 500'000'000;
constexpr std::uint16_t most_out_of_order = 64; // segments of a connection

constexpr std::array<std::uint8_t, 6> everybody{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

netif interface;

Outside& outside() {
    return *stack().configuration.outside;
}
std::uint8_t number() {
    return static_cast<std::uint8_t>(stack().configuration.links.size());
}
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
    return outside().leased && ::net::parse(bytes, parsed) == ::net::Verdict::pass &&
           parsed.protocol == ::net::protocol::udp && parsed.source_port == LWIP_IANA_PORT_DHCP_SERVER &&
           parsed.target_port == LWIP_IANA_PORT_DHCP_CLIENT;
}

// True: lwIP has the packet.
bool take_packet(pbuf* packet) {
    const std::span<std::byte> bytes = bytes_of(packet);
    ::net::PublishedPorts{outside().published}.enter(bytes);
    ::net::Packet parsed;
    if (stack().firewall.inbound(number(), bytes, monotonic_ns(), parsed) != ::net::Verdict::pass)
        return false;
    if (parsed.protocol == ::net::protocol::tcp) {
        make_way(parsed, bytes);
        return ip4_input(packet, &interface) == ERR_OK;
    }
    if (parsed.protocol == ::net::protocol::udp)
        receive_datagram(number(), parsed, bytes);
    else
        receive_message(number(), parsed, bytes);
    return false;
}

void came() {
    pbuf* frame = std::exchange(arriving, nullptr);
    const std::uint16_t type = word(bytes_of(frame), frame_header - 2);
    bool taken = false;
    if (type == ETHTYPE_ARP && frame->len >= frame_header + SIZEOF_ETHARP_HDR) // lwIP does not look
        taken = ethernet_input(frame, &interface) == ERR_OK;
    else if (const bool own = is_for(frame, outside().card.address);
             type == ETHTYPE_IP && (own || is_for(frame, everybody)) && unwrap(frame)) {
        if (is_piece(frame)) {
            // The rest is looked at when it is whole.
            const bool wanted = own && outside().address != 0;
            pbuf* const whole = wanted ? put_together(frame) : nullptr;
            taken = wanted;
            if (whole != nullptr && !take_packet(whole))
                (void)pbuf_free(whole);
        } else if (is_about_lease(bytes_of(frame)))
            taken = ip4_input(frame, &interface) == ERR_OK;
        else if (own)
            taken = take_packet(frame);
    } else
        ++outside().not_packets;
    if (!taken)
        (void)pbuf_free(frame);
}

// ---- Out

void fill_frame(void* context, std::span<std::byte> to) {
    const auto* frame = static_cast<const pbuf*>(context);
    (void)pbuf_copy_partial(frame, to.data(), static_cast<u16_t>(to.size()), 0);
    if (outside().published.empty() || to.size() < frame_header)
        return;
    // The card sees `to` already: the header is changed in memory that it does not.
    std::array<std::byte, frame_header + ::net::PublishedPorts::head_bytes> head;
    const u16_t there = pbuf_copy_partial(frame, head.data(), static_cast<u16_t>(head.size()), 0);
    const std::span<std::byte> bytes = std::span{head}.first(there);
    if (word(bytes, frame_header - 2) != ETHTYPE_IP)
        return;
    ::net::PublishedPorts{outside().published}.leave(bytes.subspan(frame_header));
    std::memcpy(to.data(), head.data(), there);
}

err_t output_frame(netif*, pbuf* frame) {
    Outside& out = outside();
    if (out.card.send(out.card.driver, frame->tot_len, &fill_frame, frame))
        return ERR_OK;
    if (!std::exchange(out.waits_for_room, true))
        out.card.tell_of_room(out.card.driver, true);
    // There may be some since, of which nobody tells.
    if (!out.card.send(out.card.driver, frame->tot_len, &fill_frame, frame))
        return ERR_MEM; // TCP keeps it
    out.waits_for_room = false;
    out.card.tell_of_room(out.card.driver, false);
    return ERR_OK;
}

// Of lwIP: TCP, and what it asks a server of leases.
err_t output_packet(netif* to, pbuf* packet, const ip4_addr_t* target) {
    static std::array<std::byte, outside_mtu> whole;
    std::span<const std::byte> bytes = bytes_of(packet);
    if (packet->next != nullptr) {
        if (packet->tot_len > whole.size())
            return ERR_RTE;
        (void)pbuf_copy_partial(packet, whole.data(), packet->tot_len, 0);
        bytes = std::span{whole}.first(packet->tot_len);
    }
    ::net::Packet parsed;
    const bool about_lease =
        outside().leased && bytes.size() > 9 && static_cast<std::uint8_t>(bytes[9]) == ::net::protocol::udp;
    if (!about_lease &&
        stack().firewall.outbound(number(), bytes, monotonic_ns(), parsed) != ::net::Verdict::pass)
        return ERR_RTE;
    return etharp_output(to, packet, target);
}

err_t set_up_interface(netif* made) {
    made->name[0] = 'e';
    made->name[1] = 'n';
    made->mtu = outside_mtu;
    made->output = &output_packet;
    made->linkoutput = &output_frame;
    made->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    made->hwaddr_len = ETH_HWADDR_LEN;
    std::copy(outside().card.address.begin(), outside().card.address.end(), made->hwaddr);
    return ERR_OK;
}

void tell(Outside::News news) {
    if (outside().tell != nullptr)
        outside().tell(news);
}

// A lease has come, gone or changed. One that the wires' addresses lie in is none: a peer could not be told from the world. Nor is
// one of an address that no host has: who gives 127.0.0.1 would be let in to what listens there.
void take_lease(netif* of) {
    Outside& out = outside();
    const Configuration& configuration = stack().configuration;
    const std::uint32_t address = lwip_ntohl(netif_ip4_addr(of)->addr),
                        mask = lwip_ntohl(netif_ip4_netmask(of)->addr), own = configuration.address;
    const unsigned prefix = static_cast<unsigned>(std::popcount(mask));
    const bool meets = configuration.prefix != 0 && prefix != 0 &&
                       (address ^ own) >> (32 - std::min(prefix, configuration.prefix)) == 0;
    if (meets && address != 0)
        log("the lease's subnet overlaps that of the wires: it is not used");
    const bool whole = (~mask & (~mask + 1)) == 0; // ones, then zeros
    const bool usable = !meets && whole && prefix != 0 && prefix <= 30 && ::net::is_of_a_host(address);
    const std::uint32_t next = usable ? address : 0;
    const bool another = next != out.address;
    if (another && out.address != 0)
        tell(Outside::News::no_address);
    out.address = next;
    out.prefix = out.address != 0 ? prefix : 24;
    out.gateway = lwip_ntohl(netif_ip4_gw(of)->addr);
    out.peer->own = out.address;
    if (another && out.address != 0)
        tell(Outside::News::address);
}

// A cable that was pulled and put back may lead elsewhere: lwIP asks for the lease once more.
void look_at_link() {
    Outside& out = outside();
    const bool now = out.card.has_link == nullptr || out.card.has_link(out.card.driver);
    if (now == out.has_link)
        return;
    out.has_link = now;
    log(now ? "the network card's link is up" : "the network card's link is down");
    tell(Outside::News::link);
    now ? netif_set_link_up(&interface) : netif_set_link_down(&interface);
}

void tick(sched::Timer& timer) {
    run_outside_clock();
    sched::arm(timer, deadline_after(half_second_ns));
}
sched::Timer outside_clock{&tick};

} // namespace

bool start_outside() {
    const Outside& out = outside();
    const ip4_addr_t own = lwip_address(out.address),
                     mask = lwip_address(~std::uint32_t{0} << (32 - out.prefix)),
                     gateway = lwip_address(out.gateway);
    if (netif_add(&interface, &own, &mask, &gateway, nullptr, &set_up_interface, &ip4_input) == nullptr)
        return false;
    netif_set_default(&interface);
    netif_set_up(&interface);
    netif_set_link_up(&interface);
    sched::arm(outside_clock, deadline_after(half_second_ns));
    start_time_of_day();
    if (!out.leased)
        return true;
    netif_set_status_callback(&interface, &take_lease);
    return dhcp_start(&interface) == ERR_OK;
}

void run_outside_clock() {
    constexpr unsigned neighbours = 1000 / 500, leases = DHCP_COARSE_TIMER_MSECS / 500;
    static unsigned ticks = 0;
    ++ticks;
    look_at_link();
    if (ticks % neighbours == 0) { // they are forgotten, and asked for again
        etharp_tmr();
        ip_reass_tmr();
    }
    run_time_of_day();
    if (!outside().leased)
        return;
    if (outside().address != 0 && outside().name_servers_may_differ != nullptr)
        outside().name_servers_may_differ();
    dhcp_fine_tmr();
    if (ticks % leases == 0)
        dhcp_coarse_tmr();
}

bool poll_outside() {
    Outside& out = outside();
    const Card& card = out.card;
    const bool more = card.receive(card.driver, frames_at_once, &place, &came) == frames_at_once;
    if (out.waits_for_room && card.has_room(card.driver)) {
        out.waits_for_room = false;
        card.tell_of_room(card.driver, false);
        try_again();
    }
    if (out.listens != more)
        return more;
    out.listens = !more; // whoever looks again need not be told
    return card.listen(card.driver, out.listens) || more;
}

Status transmit_outside(std::uint32_t bytes, Write write, void* context) {
    if (bytes > outside_mtu)
        return base::Failure{Errno::msgsize};
    pbuf* packet = pbuf_alloc(PBUF_LINK, static_cast<u16_t>(bytes), PBUF_RAM);
    if (packet == nullptr)
        return base::Failure{Errno::nobufs};
    const Status sent = [&]() -> Status {
        const std::span<std::byte> to = bytes_of(packet);
        CAISSON_TRY(write(context, to));
        ::net::make_sums(to);
        ::net::Packet parsed;
        if (stack().firewall.outbound(number(), to, monotonic_ns(), parsed) != ::net::Verdict::pass)
            return base::Failure{Errno::acces};
        const ip4_addr_t target = lwip_address(parsed.target);
        const err_t error = etharp_output(&interface, packet, &target);
        if (error == ERR_RTE)
            return base::Failure{Errno::netunreach};
        return error == ERR_OK ? Status{base::success} : base::Failure{Errno::nobufs};
    }();
    (void)pbuf_free(packet);
    return sent;
}

} // namespace uk::wires

extern "C" {

std::uint16_t caisson_lwip_kept_out_of_order(std::uint32_t own) {
    using namespace uk::wires;
    const Outside* out = stack().configuration.outside;
    return out != nullptr && own == lwip_htonl(out->address) ? most_out_of_order : std::uint16_t{0};
}

// What DHCP calls of lwIP's resolver, which is not here: programs have their own.
void dns_init() {}
void dns_setserver(u8_t number, const ip_addr_t* address) {
    using namespace uk::wires;
    auto& servers = stack().configuration.outside->name_servers;
    if (number < servers.size())
        servers[number] = address == nullptr ? 0 : lwip_ntohl(address->addr);
}
}
