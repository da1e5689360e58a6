// SPDX-License-Identifier: Apache-2.0
// partitions/station/station.hpp - a network card as a station of an IPv4 network: Ethernet, ARP, an address of its own (DHCP where it
// is leased), fragments put together. For a container's kernel of an IPv6 network too: neighbours, routers that advertise themselves,
// addresses that it makes of that. What a packet is for is its user's: a container's kernel, or the uplink.
//
// There is one in a kernel. Its user has called lwip_init(), and gives lwIP memory, time and random numbers.
//
// Invariants: I1  a frame is copied out of the card's memory once; one poll looks at a bounded number of them
//             I2  the user is given whole packets to this station whose sums hold, and nothing else
//             I3  nothing here waits
#pragma once

#include "partitions/drivers/net/card.hpp"
#include "partitions/net/address6.hpp"
#include "partitions/net/published.hpp"

#include <string_view>

struct pbuf;
struct netif;

namespace station {

inline constexpr std::uint32_t mtu = 1500;
// What is sent of IPv6: a packet of this size gets everywhere, so that no path has to be measured. RFC 8200 section 5.
inline constexpr std::uint32_t mtu6 = 1280;

// Of IPv6. Filled in up to what the station keeps.
struct Six {
    // none: it is not spoken. advertised: addresses, routers and name servers are those that routers tell of (RFC 4862, RFC 8106).
    // written: what routers say is not listened to.
    enum class Way : std::uint8_t { none, advertised, written } way = Way::none;
    ::net::Address6 address{}, gateway{}; // of `written`, with 64 bits of subnet; the gateway may be none
    std::array<::net::Address6, 3> name_servers{};                     // all zero: none
    bool servers_are_written = false;                                  // routers' are not taken then
    void (*tell)(const ::net::Address6& address, bool here) = nullptr; // one has come, or goes
    // The station keeps:
    ::net::OwnAddresses6 own{}; // that are nobody else's; the first is that of the link
    std::array<bool, 4> old{};  // of those: new connections should not use it
};

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
    Six six{};
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

// Of IPv6, where the station speaks it. What it sends has at most `mtu6` bytes.
[[nodiscard]] Sent send6(pbuf* packet, const ::net::Address6& target);
// The own address from which `target` is reached: none, if there is no way.
[[nodiscard]] ::net::Address6 source6(const ::net::Address6& target);
// The router that packets to elsewhere go to; none: there is none.
[[nodiscard]] ::net::Address6 router6();

} // namespace station
