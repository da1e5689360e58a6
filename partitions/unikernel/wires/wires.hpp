// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/wires.hpp - the network of a container: wires to other partitions, and the outside by a network card
// that it owns, with lwIP's TCP over them.
//
// Invariants: I1  a packet is copied out of a lane once, and only the copy is looked at
//             I2  what the rules do not admit reaches neither lwIP nor a socket, and leaves over no lane
//             I3  nothing here waits; a wire without room keeps TCP's segments with TCP, and loses datagrams
//             I4  lwIP keeps no reference to a packet of a wire that it is given
//             I5  a frame is copied out of the card's memory once; one poll looks at a bounded number of them
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/drivers/net/memory.hpp"
#include "partitions/net/firewall.hpp"
#include "partitions/net/published.hpp"
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

// A network card, as its driver has it.
struct Card {
    using Place =
        std::span<std::byte> (*)(std::uint32_t bytes); // where the next frame goes; empty: it is lost
    using Fill = void (*)(void* context, std::span<std::byte> to);

    void* driver = nullptr;
    std::array<std::uint8_t, 6> address{};
    // At most `most` frames, each followed by came(). How many were looked at.
    unsigned (*receive)(void* driver, unsigned most, Place place, void (*came)()) = nullptr;
    bool (*send)(void* driver, std::uint32_t bytes, Fill fill, void* context) = nullptr; // false: no room
    bool (*has_room)(void* driver) = nullptr;
    void (*tell_of_room)(void* driver, bool on) = nullptr; // by an interrupt
    bool (*listen)(void* driver,
                   bool on) = nullptr; // tell of frames; true: some came that it will not tell of
    bool (*has_link)(void* driver) = nullptr;
    const drivers::net::Counters* counters = nullptr;
};

struct TimeServer {
    std::uint32_t address = 0;
    std::uint16_t port = 0;
};

// What a card leads to. IPv4 addresses are numbers, the first octet the highest byte.
struct Outside {
    Card card;
    bool leased = false;       // the next three and the name servers come by DHCP
    std::uint32_t address = 0; // 0: there is none yet
    unsigned prefix = 24;
    std::uint32_t gateway = 0;                         // 0: only the neighbours are reached
    std::array<std::uint32_t, 3> name_servers{};       // 0: none
    ::net::Peer* peer = nullptr;                       // in the list below: its own address follows a lease's
    std::span<const ::net::PublishedPort> published{}; // which have another number there
    std::span<const TimeServer> time_servers{};        // whom the wall clock follows
    bool waits_for_room = false, listens = false, has_link = true;
    void (*name_servers_may_differ)() = nullptr; // asked now and then, where there is a lease
    // Who programs are told by: the link is another, an address has come, this one goes now.
    enum class News : std::uint8_t { link, address, no_address };
    void (*tell)(News news) = nullptr;
    // Counters of what was dropped before the rules: sums, lengths, not for this card.
    std::uint64_t not_packets = 0;
};

struct Configuration {
    std::uint32_t address = 0;          // to the wires
    unsigned prefix = 24;               // of their subnet; 0: there is none
    std::span<Link> links;              // the number of a link is that of its peer in the rules
    std::span<const ::net::Peer> peers; // as many, and the outside behind them where there is one
    std::span<::net::Rule> rules;
    Outside* outside = nullptr;
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
