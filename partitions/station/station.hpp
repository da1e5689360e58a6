// SPDX-License-Identifier: Apache-2.0
// partitions/station/station.hpp - a network card as a station of an IPv4 network: Ethernet, ARP, an address of its own (DHCP where it
// is leased), fragments put together. What a packet is for is its user's: a container's kernel, or the uplink.
//
// There is one in a kernel. Its user has called lwip_init(), and gives lwIP memory, time and random numbers.
//
// Invariants: I1  a frame is copied out of the card's memory once; one poll looks at a bounded number of them
//             I2  the user is given whole packets to this station whose sums hold, and nothing else
//             I3  nothing here waits
#pragma once

#include "partitions/drivers/net/card.hpp"
#include "partitions/net/published.hpp"

#include <string_view>

struct pbuf;
struct netif;

namespace station {

inline constexpr std::uint32_t mtu = 1500;

// Filled in up to what the station keeps. IPv4 addresses are numbers, the first octet the highest byte.
struct Station {
    enum class News : std::uint8_t { link, address, no_address };

    drivers::net::Card card;
    bool leased = false;       // the next three and the name servers come by DHCP
    std::uint32_t address = 0; // 0: there is none yet
    unsigned prefix = 24;
    std::uint32_t gateway = 0;                         // 0: only the neighbours are reached
    std::array<std::uint32_t, 3> name_servers{};       // 0: none
    std::span<const ::net::PublishedPort> published{}; // which have another number there
    std::uint32_t inside = 0;   // an address of the wires' subnet, which no lease may meet
    unsigned inside_prefix = 0; // 0: there is no such subnet
    // Its user.
    bool (*take)(pbuf* packet) = nullptr; // true: it is the user's now, or lwIP's
    bool (*may_send)(std::span<const std::byte> packet) =
        nullptr;                                  // what lwIP sends of itself, but for leases; none: nothing
    void (*has_room_again)() = nullptr;           // the card takes frames once more
    void (*address_differs)() = nullptr;          // it is another one now
    void (*tell)(News news) = nullptr;            // the link differs, an address has come, this one goes now
    void (*log)(std::string_view text) = nullptr; // a line for people
    // The station keeps:
    bool waits_for_room = false, listens = false, has_link = true;
    std::uint64_t not_packets = 0; // frames that were dropped: sums, lengths, not for this card
};

[[nodiscard]] bool start(Station& station); // it stays; false: out of memory
[[nodiscard]] netif& interface();

// Takes what has come. True: there may be more; otherwise the card interrupts for the next.
[[nodiscard]] bool poll();
// The clock of neighbours, fragments and leases, and a look at the link: twice a second.
void run_clock();

// False: the card takes no frame now, and interrupts once it does.
[[nodiscard]] bool has_room();

enum class Sent : std::uint8_t { yes, no_room, no_way };
// A packet of one buffer that has room for a frame's header (PBUF_LINK); it stays the caller's.
[[nodiscard]] Sent send(pbuf* packet, std::uint32_t target);

} // namespace station
