// SPDX-License-Identifier: Apache-2.0
// partitions/net/pace.hpp - when something may pass at a rate: what is too early waits, what would wait for too long does not pass.
//
// A token bucket, kept as the time at which it is full again. Packets wait rather than being lost, because TCP takes a loss for a
// road that is full and sends a fraction of what the rate allows.
//
// Pure. Invariants: I1  in any time t no more passes than rate * t and one bucket's depth
//                   I2  times are given in the order of the questions
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace net {

class Pace {
public:
    Pace() = default;
    // Bytes a second, from 1 to 12.5e9.
    explicit Pace(std::uint64_t rate) : rate_(rate) {}

    // When `bytes` (one packet: at most 64 KiB) may pass at the earliest, in the clock of `now_ns`; not after `now_ns`: now. What has got
    // a time is paid for. Nothing: not within the time that a packet may wait.
    [[nodiscard]] std::optional<std::uint64_t> pay(std::uint64_t bytes, std::uint64_t now_ns) {
        const std::uint64_t saved = time_of(std::max<std::uint64_t>({rate_ / 10, least_depth, bytes}));
        const std::uint64_t price = time_of(bytes);
        const std::uint64_t full = std::max(full_at_, now_ns); // then it is, if nothing passes any more
        const std::uint64_t at = full + price - std::min(saved, full + price);
        if (at > now_ns && at - now_ns > patience())
            return std::nullopt;
        full_at_ = full + price;
        return at;
    }
    // What the last one who was given a time paid: it does not pass after all.
    void give_back(std::uint64_t bytes) { full_at_ -= std::min(full_at_, time_of(bytes)); }

private:
    static constexpr std::uint64_t second = 1'000'000'000;
    static constexpr std::uint64_t packet = 1500, least_depth = 2 * packet;
    [[nodiscard]] std::uint64_t time_of(std::uint64_t bytes) const {
        return (bytes * second + rate_ - 1) / rate_; // rounded up, for I1
    }
    // Half a second, or that of some packets where the rate is a low one, so that a connection can go on at all.
    [[nodiscard]] std::uint64_t patience() const {
        return std::clamp(time_of(64 * packet), second / 2, 2 * second);
    }

    std::uint64_t rate_ = 1, full_at_ = 0;
};

} // namespace net
