// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/outside.cpp - the container behind its network card (partitions/station): rules, the sums that wires do
// without, and ports that have another number outside.
#include "partitions/net/checksum.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/wires/stack.hpp"

#include <lwip/ip4.h>
#include <lwip/ip6.h>

namespace uk::wires {

namespace {

constexpr std::uint64_t half_second_ns = 500'000'000;
constexpr std::uint16_t most_out_of_order = 64; // segments of a connection

Outside& outside() {
    return *stack().configuration.outside;
}
std::uint8_t number() {
    return static_cast<std::uint8_t>(stack().configuration.links.size());
}
std::span<std::byte> bytes_of(const pbuf* packet) {
    return {static_cast<std::byte*>(packet->payload), packet->len};
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
        const auto input = parsed.v6 ? &ip6_input : &ip4_input;
        return input(packet, &station::interface()) == ERR_OK;
    }
    if (parsed.protocol == ::net::protocol::udp)
        receive_datagram(number(), parsed, bytes);
    else
        receive_message(number(), parsed, bytes);
    return false;
}

bool may_send(std::span<const std::byte> bytes) {
    ::net::Packet parsed;
    return stack().firewall.outbound(number(), bytes, monotonic_ns(), parsed) == ::net::Verdict::pass;
}

void tick(sched::Timer& timer) {
    run_outside_clock();
    sched::arm(timer, deadline_after(half_second_ns));
}
sched::Timer outside_clock{&tick};

} // namespace

bool start_outside() {
    Outside& out = outside();
    sched::arm(outside_clock, deadline_after(half_second_ns));
    start_time_of_day();
    if (!stack().has_card()) {
        out.has_link = false; // it is looked for
        return true;
    }
    out.inside = stack().configuration.address;
    out.inside_prefix = stack().configuration.prefix;
    out.take = &take_packet;
    out.may_send = &may_send;
    out.has_room_again = &try_again;
    out.address_differs = [] { outside().peer->own = outside().address; };
    if (stack().has_six())
        out.peer->own6 = &out.six.own;
    out.log = [](std::string_view text) { log(text); };
    return station::start(out);
}

void run_outside_clock() {
    if (stack().has_card())
        station::run_clock();
    else
        look_at_uplink();
    run_time_of_day();
    const bool by_lease = outside().leased && outside().address != 0,
               by_router = outside().six.way == station::Six::Way::advertised;
    if ((by_lease || by_router) && outside().name_servers_may_differ != nullptr)
        outside().name_servers_may_differ();
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
        switch (parsed.v6 ? station::send6(packet, parsed.target6) : station::send(packet, parsed.target)) {
        case station::Sent::yes:
            return base::success;
        case station::Sent::no_way:
            return base::Failure{Errno::netunreach};
        case station::Sent::no_room:
            break;
        }
        return base::Failure{Errno::nobufs};
    }();
    (void)pbuf_free(packet);
    return sent;
}

} // namespace uk::wires

extern "C" {

std::uint16_t caisson_lwip_kept_out_of_order(std::uint32_t peer) {
    using namespace uk::wires;
    return stack().is_inside(lwip_ntohl(peer)) ? std::uint16_t{0} : most_out_of_order;
}
}
