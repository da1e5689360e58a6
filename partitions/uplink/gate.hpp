// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/gate.hpp - between the containers' wires and the network card: what comes from one side is judged, renamed, and goes
// to the other.
//
// There is one. Everything is made at start; nothing waits.
//
// Invariants: I1  a packet is copied out of a lane, or out of the card's memory, once, and only the copy is looked at
//             I2  nothing goes to either side but what the translator let pass
//             I3  a lane gets packets of 1,500 bytes at most; one without room loses them
//             I4  lanes are read only while the card takes frames: who sends faster than the card is kept back by its own lane
//             I5  one poll looks at a bounded number of packets of each container
//             I6  what a rate keeps back waits here; it goes no further where its container or the address outside is another one then
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/net/translator.hpp"
#include "partitions/station/station.hpp"
#include "partitions/uplink/notes.hpp"
#include "partitions/uplink/waiting.hpp"

#include "partitions/abi/lane.h"

#include <string_view>

namespace uplink {

struct Traffic {
    std::uint64_t packets = 0, bytes = 0;
};

// The way to a container. Filled in up to what the gate keeps; the end is not opened yet.
struct Wire {
    caisson_end end{};
    std::string_view name;
    // The gate keeps:
    std::uint64_t life = 0; // whose packets were taken
    bool touched = false;   // the container may have to be rung
    Notes notes{1'000'000'000};
    Traffic leaving, entering;                               // that went on
    std::array<std::uint64_t, net::verdict_count> refused{}; // of those that it sent
    std::uint64_t no_room = 0, no_way = 0;                   // that were lost: at its lane, at the card
};

struct Configuration {
    std::uint32_t address = 0; // the own one, to the containers
    unsigned prefix = 0;       // of the wires' subnet
    std::span<Wire> wires;     // in the order of the containers
    std::span<const net::Contained> containers;
    std::span<const net::Publication> publications;
    std::span<net::Translation> translations;
    Waiting waiting;                             // empty
    std::array<std::uint32_t, 3> name_servers{}; // before those of a lease; 0: none
    station::Station* outside = nullptr;
    std::uint64_t seed = 0;
};

// What it names stays. False: out of memory.
[[nodiscard]] bool start(const Configuration& configuration);

// Takes what has come. False: there is no more, and who sends the next rings, or interrupts.
[[nodiscard]] bool poll();
// When the next one of those that wait for their rate may go: then poll() has work. Waiting::never: there is none.
[[nodiscard]] std::uint64_t next_due();
void run_clock(); // twice a second

// Packets that came from the outside and went no further, by reason.
[[nodiscard]] const std::array<std::uint64_t, net::verdict_count>& refused_outside();
// A line of figures for people: of a container, of the outside.
using Figures = base::Text<360>;
[[nodiscard]] Figures figures_of(const Wire& wire);
[[nodiscard]] Figures figures_of_outside();

} // namespace uplink
