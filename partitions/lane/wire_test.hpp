// SPDX-License-Identifier: Apache-2.0
// partitions/lane/wire_test.hpp - a wire in plain memory, with the hypervisor's part of it; what may happen between two steps of
// an end is the test's to say.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>

namespace lane_test {

inline std::function<void()>
    between; // called before every load and store of an index, and in the middle of a copy

inline void step() {
    if (between) {
        const auto action = std::move(between); // not for what it does itself
        between = nullptr;
        action();
        if (!between)
            between = action;
    }
}
inline void copy(void* to, const void* from, std::uint64_t bytes) {
    auto* target = static_cast<unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    std::memcpy(target, source, bytes / 2);
    step();
    std::memcpy(target + bytes / 2, source + bytes / 2, bytes - bytes / 2);
}

} // namespace lane_test

#define CAISSON_LANE_STEP() lane_test::step()
#define CAISSON_LANE_COPY(to, from, bytes) lane_test::copy(to, from, bytes)
#include "partitions/abi/boot_page.h"
#include "partitions/abi/lane.h"

#include <array>
#include <vector>

namespace lane_test {

inline constexpr std::uint32_t ring_bytes = CAISSON_LANE_RING_MIN;

// Ends 0 and 1. One-way: from 0 to 1.
class Wire {
public:
    explicit Wire(bool one_way = false) : one_way_(one_way) {
        for (const unsigned which : {0u, 1u})
            contexts_[which] = {this, which};
    }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    caisson_lane& lane(unsigned writer) { return *reinterpret_cast<caisson_lane*>(memory_[writer].data()); }
    unsigned char* ring(unsigned writer) { return &lane(writer).ring[0]; }

    // A life's steps as the hypervisor does them, one after the other.
    void stop(unsigned which) { state_[which] = 0; }
    void clear_header(unsigned which) { std::memset(memory_[which].data(), 0, CAISSON_LANE_HEADER_BYTES); }
    void clear_ring(unsigned which) {
        std::memset(memory_[which].data() + CAISSON_LANE_HEADER_BYTES / 8, 0, ring_bytes);
    }
    void begin(unsigned which) { state_[which] = ++life_[which]; }
    void open(unsigned which) {
        caisson_end& end = ends[which];
        end = {};
        end.send = one_way_ && which == 1 ? nullptr : &lane(which);
        end.receive = one_way_ && which == 0 ? nullptr : &lane(1 - which);
        end.ring_bytes = ring_bytes;
        end.life = life_[which];
        end.context = &contexts_[which];
        end.peer_state = [](void* context) {
            const auto& of = *static_cast<Context*>(context);
            step();
            return static_cast<unsigned long long>(of.wire->state_[1 - of.which]);
        };
        end.ring = [](void* context) {
            const auto& of = *static_cast<Context*>(context);
            ++of.wire->rings[1 - of.which];
        };
        caisson_end_open(&end);
    }
    void start(unsigned which) {
        stop(which);
        clear_header(which);
        clear_ring(which);
        begin(which);
        open(which);
    }
    [[nodiscard]] std::uint64_t life(unsigned which) const { return life_[which]; }

    std::array<caisson_end, 2> ends{};
    std::array<unsigned, 2> rings{}; // that reached this end

private:
    struct Context {
        Wire* wire = nullptr;
        unsigned which = 0;
    };
    bool one_way_;
    std::array<Context, 2> contexts_{};
    std::array<std::uint64_t, 2> life_{}, state_{};
    std::array<std::vector<std::uint64_t>, 2> memory_{
        std::vector<std::uint64_t>((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8),
        std::vector<std::uint64_t>((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8)};
};

} // namespace lane_test
