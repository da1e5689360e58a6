// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/lanes.cpp - packets out of lanes and into them: lwIP's interface to the wires.
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/wires/stack.hpp"

#include <array>
#include <cstring>
#include <new>

#include <lwip/init.h>
#include <lwip/ip4.h>

namespace uk::wires {

namespace {

constexpr unsigned packets_at_once = 64; // of a link, in one poll
constexpr std::size_t connections = 1024;

alignas(Stack) std::array<std::byte, sizeof(Stack)> stack_memory;
Stack* started = nullptr;

// The packet that is looked at (I1).
alignas(64) std::array<std::byte, CAISSON_LANE_PACKET_MAX> packet_memory;

ip4_addr_t lwip_address(std::uint32_t address) {
    return {lwip_htonl(address)};
}

// ---- Out

Status write_chain(void* context, std::span<std::byte> to) {
    const auto* chain = static_cast<pbuf*>(context);
    (void)pbuf_copy_partial(chain, to.data(), static_cast<u16_t>(to.size()), 0);
    return base::success;
}

err_t output(netif* by, pbuf* packet, const ip4_addr_t* target) {
    const std::uint8_t peer = peer_at(lwip_ntohl(target->addr));
    if (peer == no_peer || stack().is_outside(peer) != (by == &stack().uplink_interface))
        return ERR_RTE;
    const Status sent = transmit(peer, packet->tot_len, &write_chain, packet);
    if (sent.ok())
        return ERR_OK;
    return sent.error() == Errno::nobufs ? ERR_MEM : ERR_RTE; // ERR_MEM: TCP keeps it
}

err_t set_up_interface(netif* interface) {
    interface->name[0] = 'e';
    interface->name[1] = 't';
    interface->mtu = interface == &stack().uplink_interface ? outside_mtu : mtu;
    interface->output = &output;
    // Nothing is lost or changed between two partitions' memory, and a hostile peer can fill in any sum.
    NETIF_SET_CHECKSUM_CTRL(interface, NETIF_CHECKSUM_DISABLE_ALL);
    return ERR_OK;
}

bool add_interface(netif& interface, std::uint32_t mask, std::uint32_t gateway) {
    const ip4_addr_t own = lwip_address(stack().configuration.address), lwip_mask = lwip_address(mask),
                     lwip_gateway = lwip_address(gateway);
    if (netif_add(&interface, &own, &lwip_mask, &lwip_gateway, nullptr, &set_up_interface, &ip4_input) ==
        nullptr)
        return false;
    netif_set_default(&interface);
    netif_set_up(&interface);
    netif_set_link_up(&interface);
    return true;
}

// ---- In

struct GivenPacket {
    pbuf_custom buffer{};
    bool given_back = true;
};
GivenPacket given;

// What comes from the outside may be kept, until what was lost before it comes again.
void give_copy_to_lwip(std::span<const std::byte> bytes) {
    pbuf* packet = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes.size()), PBUF_RAM);
    if (packet == nullptr)
        return; // lost
    std::memcpy(packet->payload, bytes.data(), bytes.size());
    if (ip4_input(packet, &stack().uplink_interface) != ERR_OK)
        (void)pbuf_free(packet);
}

void give_to_lwip(std::span<std::byte> bytes) {
    given.buffer.custom_free_function = [](pbuf*) { given.given_back = true; };
    given.given_back = false;
    pbuf* packet = pbuf_alloced_custom(PBUF_RAW, static_cast<u16_t>(bytes.size()), PBUF_REF, &given.buffer,
                                       bytes.data(), static_cast<u16_t>(bytes.size()));
    if (packet == nullptr || ip4_input(packet, &stack().interface) != ERR_OK)
        base::fail("a packet that lwIP does not take", "", 0);
    base::expects(given.given_back, "lwIP keeps a packet that is not its own"); // I4
}

// Another program is at the other end than the one whose packets came so far.
void look_at_life(std::uint8_t peer) {
    Link& link = stack().link_to(peer);
    if (link.end.peer == 0 || link.end.peer == link.peer_life)
        return;
    const bool another = link.peer_life != 0;
    link.peer_life = link.end.peer;
    if (!another)
        return;
    stack().firewall.forget(peer);
    reset_connections(peer);
}

void take(std::uint8_t peer, std::span<std::byte> bytes) {
    ::net::Packet packet;
    if (stack().firewall.inbound(peer, bytes, monotonic_ns(), packet) != ::net::Verdict::pass)
        return;
    switch (packet.protocol) {
    case ::net::protocol::tcp:
        make_way(packet, bytes);
        return stack().is_outside(peer) ? give_copy_to_lwip(bytes) : give_to_lwip(bytes);
    case ::net::protocol::udp:
        return receive_datagram(peer, packet, bytes);
    default:
        return receive_message(peer, packet, bytes);
    }
}

// True: there may be more.
bool poll_link(std::uint8_t peer) {
    Link& link = stack().link_to(peer);
    for (unsigned count = 0; count < packets_at_once; ++count) {
        std::uint32_t flags = 0;
        const std::uint32_t bytes = caisson_end_receive(&link.end, packet_memory.data(), &flags);
        look_at_life(peer);
        if (bytes == 0) {
            const std::uint32_t wish = link.waits_for_room ? mtu : 0;
            if (caisson_end_arm(&link.end, wish) == 0)
                return false;
            if (link.waits_for_room && caisson_end_has_room(&link.end, mtu) != 0) {
                link.waits_for_room = false;
                try_again();
            }
            continue;
        }
        link.touched = true; // the peer may wait for room
        ++link.received;
        link.received_bytes += bytes;
        take(peer, {packet_memory.data(), bytes});
    }
    return true;
}

} // namespace

Stack& stack() {
    return *started;
}

bool is_started() {
    return started != nullptr;
}

std::span<const Link> links() {
    return stack().configuration.links;
}

const ::net::Firewall& firewall() {
    return stack().firewall;
}

std::uint8_t peer_at(std::uint32_t address) {
    const Configuration& configuration = stack().configuration;
    const std::size_t links = configuration.links.size();
    if (!stack().is_inside(address))
        return configuration.outside != nullptr ? static_cast<std::uint8_t>(links) : no_peer;
    for (std::size_t i = 0; i < links; ++i)
        if (configuration.peers[i].address == address)
            return static_cast<std::uint8_t>(i);
    return no_peer;
}

std::uint8_t peer_at(const net::IpAddress& address) {
    if (address.is_v4())
        return peer_at(address.v4_value());
    return stack().has_six() ? static_cast<std::uint8_t>(stack().configuration.links.size()) : no_peer;
}

Status transmit(std::uint8_t peer, std::uint32_t bytes, Write write, void* context) {
    if (stack().is_outside(peer)) {
        if (stack().has_card())
            return transmit_outside(bytes, write, context);
        if (bytes > outside_mtu)
            return base::Failure{Errno::msgsize};
    }
    Link& link = stack().link_to(peer);
    unsigned char* place = caisson_end_prepare(&link.end, bytes);
    if (place == nullptr) {
        ++link.no_room;
        link.waits_for_room = true;
        (void)caisson_end_arm(&link.end, mtu);
        return base::Failure{Errno::nobufs};
    }
    // The lane is this partition's own to write: nobody else changes what is looked at here.
    const std::span<std::byte> packet{reinterpret_cast<std::byte*>(place), bytes};
    CAISSON_TRY(write(context, packet));
    ::net::Packet parsed;
    if (stack().firewall.outbound(peer, packet, monotonic_ns(), parsed) != ::net::Verdict::pass)
        return base::Failure{Errno::acces};
    caisson_end_publish(&link.end, bytes, 0);
    link.touched = true;
    ++link.sent;
    link.sent_bytes += bytes;
    return base::success;
}

void ring_touched() {
    const auto ring = [](Link& link) {
        if (link.touched) {
            link.touched = false;
            caisson_end_flush(&link.end);
        }
    };
    for (Link& link : stack().configuration.links)
        ring(link);
    if (stack().configuration.uplink != nullptr)
        ring(*stack().configuration.uplink);
}

void look_at_uplink() {
    Link& link = *stack().configuration.uplink;
    Outside& outside = *stack().configuration.outside;
    const bool now = caisson_end_look(&link.end) != 0;
    look_at_life(static_cast<std::uint8_t>(stack().configuration.links.size()));
    if (now == outside.has_link)
        return;
    outside.has_link = now;
    if (outside.tell != nullptr)
        outside.tell(Outside::News::link);
}

bool poll() {
    bool more = false;
    for (std::size_t i = 0; i < stack().configuration.links.size(); ++i)
        more = poll_link(static_cast<std::uint8_t>(i)) || more;
    if (stack().configuration.uplink != nullptr)
        more = poll_link(static_cast<std::uint8_t>(stack().configuration.links.size())) || more;
    else if (stack().has_card())
        more = station::poll() || more;
    ring_touched();
    return more;
}

bool start(const Configuration& configuration) {
    static std::span<::net::Connection> table;
    auto* memory = static_cast<::net::Connection*>(mm::allocate(connections * sizeof(::net::Connection)));
    if (memory == nullptr)
        return false;
    for (std::size_t i = 0; i < connections; ++i)
        new (memory + i)::net::Connection;
    table = {memory, connections};
    started = new (stack_memory.data())
        Stack{configuration, {configuration.address, configuration.peers, configuration.rules, table}};
    lwip_init();
    const std::uint32_t mask =
        configuration.prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - configuration.prefix);
    if (!configuration.links.empty() && !add_interface(started->interface, mask, 0))
        return false;
    // Whose own address is the same: only the uplink is its neighbour.
    if (configuration.uplink != nullptr &&
        !add_interface(started->uplink_interface, ~std::uint32_t{0}, configuration.outside->gateway))
        return false;
    if (configuration.outside != nullptr && !start_outside())
        return false;
    for (Link& link : configuration.links)
        caisson_end_open(&link.end);
    if (configuration.uplink != nullptr)
        caisson_end_open(&configuration.uplink->end);
    net::inet::far_network = &network;
    return true;
}

} // namespace uk::wires
