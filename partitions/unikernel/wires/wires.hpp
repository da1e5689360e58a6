// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/wires.hpp - the network of a container: wires to other partitions, and the outside by a network card
// that it owns or by a wire to the uplink, with lwIP's TCP over them.
//
// Invariants: I1  a packet is copied out of a lane once, and only the copy is looked at
//             I2  what the rules do not admit reaches neither lwIP nor a socket, and leaves over no lane
//             I3  nothing here waits; a wire without room keeps TCP's segments with TCP, and loses datagrams
//             I4  lwIP keeps no reference to a packet of a wire that it is given
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/drivers/net/card.hpp"
#include "partitions/net/firewall.hpp"
#include "partitions/station/station.hpp"
#include "partitions/unikernel/net/inet/far.hpp"
#include "partitions/unikernel/net/interfaces.hpp"

#include "partitions/abi/lane.h"

#include <array>
#include <span>
#include <string_view>

namespace uk::wires {

inline constexpr std::uint32_t mtu = CAISSON_LANE_PACKET_MAX;

// The way to one other partition. Filled in up to the counters; the end is not opened yet.
struct Link {
    caisson_end end{};
    std::string_view name;
    std::uint64_t peer_life = 0; // whose packets were taken
    bool waits_for_room = false;
    bool touched = false; // the peer may have to be rung
    // Counters.
    std::uint64_t sent = 0, sent_bytes = 0, received = 0, received_bytes = 0, no_room = 0;
};

using drivers::net::Card;

struct TimeServer {
    std::uint32_t address = 0;
    std::uint16_t port = 0;
};

// What a card leads to, or the uplink: then the station is none, but has what is said of it here, and the gateway is the uplink.
struct Outside : station::Station {
    ::net::Peer* peer = nullptr;                 // in the list below: its own address follows a lease's
    std::span<const TimeServer> time_servers{};  // whom the wall clock follows
    void (*name_servers_may_differ)() = nullptr; // asked now and then, where there is a lease
};

struct Configuration {
    std::uint32_t address = 0;          // to the wires
    unsigned prefix = 24;               // of their subnet; 0: there is none
    std::span<Link> links;              // the number of a link is that of its peer in the rules
    std::span<const ::net::Peer> peers; // as many, and the outside behind them where there is one
    std::span<::net::Rule> rules;
    Outside* outside = nullptr;
    Link* uplink = nullptr; // what leads to the outside, where no card does
};

// From here on sockets reach further than the loopback. The spans stay. False: out of memory.
[[nodiscard]] bool start(const Configuration& configuration);

// Takes what has come and says whether there may be more: it looks at a bounded number of packets. Otherwise every peer that has
// something rings.
[[nodiscard]] bool poll();

// The clock of neighbours and leases, twice a second: for who waits for an address before timers run.
void run_outside_clock();
// The clock has servers, and none has answered yet.
[[nodiscard]] bool awaits_time_of_day();

// Not 0: bytes that programs sent and that a peer has not acknowledged.
[[nodiscard]] bool has_unsent();

[[nodiscard]] std::span<const Link> links();
[[nodiscard]] const ::net::Firewall& firewall();

} // namespace uk::wires
