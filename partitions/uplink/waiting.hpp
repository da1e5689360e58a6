// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/waiting.hpp - packets that a rate keeps back, in the order in which they may go.
//
// Pure; the memory is the caller's, made at start.
// Invariants: I1  a container has at most its share of places each way, so that none takes another's
//             I2  packets of one container and way go in the order in which they came, if their times are in it
#pragma once

#include "partitions/net/translator.hpp"
#include "partitions/uplink/record.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace uplink {

struct WaitingPacket {
    std::uint64_t at_ns = 0;
    std::uint32_t target = 0; // outside
    std::uint16_t size = 0;
    std::uint8_t container = 0;
    bool enters = false; // the container, else it leaves it
    std::array<std::byte, net::Translator::mtu> data;
    [[nodiscard]] std::span<std::byte> bytes() { return std::span{data}.first(size); }
};

class Waiting {
public:
    // What a TCP connection of a container has under way at most (192 KiB) waits without a loss. Many containers share less.
    static constexpr std::size_t most_each = 144, most_in_all = 2048;
    // Places each way for each of so many containers.
    [[nodiscard]] static constexpr std::size_t share_of(std::size_t containers) {
        return std::min(most_each, most_in_all / 2 / std::max<std::size_t>(containers, 1));
    }
    static constexpr std::uint64_t never = UINT64_MAX;

    Waiting() = default;
    // Places for packets, and as many of their numbers (fewer than 65,536); a container has `each` each way.
    Waiting(std::span<WaitingPacket> places, std::span<std::uint16_t> order, std::size_t each);

    // Keeps a copy of `bytes` (at most 1,500). False: there is no room for it.
    [[nodiscard]] bool add(std::uint8_t container, bool enters, std::uint32_t target,
                           std::span<const std::byte> bytes, std::uint64_t at_ns);
    // Whether any of that container and way waits: what comes now goes after it.
    [[nodiscard]] bool has(std::uint8_t container, bool enters) const {
        return count(container, enters) != 0;
    }
    // When the first one may go; `never`: there is none.
    [[nodiscard]] std::uint64_t next_at() const { return used_ == 0 ? never : first().at_ns; }
    // The first one; there is one.
    [[nodiscard]] WaitingPacket& first() const { return places_[order_[0]]; }
    void remove_first();
    // All of a container, of everybody: their connections are over.
    void forget(std::uint8_t container);
    void forget_all();

private:
    [[nodiscard]] std::uint16_t count(std::uint8_t container, bool enters) const {
        return counts_[std::size_t{2} * container + (enters ? 1 : 0)];
    }
    [[nodiscard]] auto later() const {
        return [this](std::uint16_t a, std::uint16_t b) { return places_[a].at_ns > places_[b].at_ns; };
    }

    std::span<WaitingPacket> places_;
    std::span<std::uint16_t>
        order_; // of places: first a heap of those in use, the next one to go in front; then the free ones
    std::size_t each_ = 0, used_ = 0;
    std::array<std::uint16_t, std::size_t{2} * CAISSON_UPLINK_CONTAINERS> counts_{};
};

} // namespace uplink
