// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/card.hpp - a network card, as its driver has it: for whoever does not care which driver that is.
#pragma once

#include "partitions/drivers/net/memory.hpp"

#include <array>

namespace drivers::net {

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
    void (*hear_groups)(void* driver) = nullptr; // take frames to groups of stations too, from now on
    const Counters* counters = nullptr;
};

} // namespace drivers::net
