// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/partition/link.hpp - a partition's ends of wires: whom each rings, and the lane that it writes.
//
// Invariants: I1  a lane is overwritten before any guest runs and before each further life of its writer, its header first, and
//                 touched for nothing else
//             I2  what a ring does depends on nobody but its receiver's wish, and a ring of a one-way wire takes the same
//                 instructions whatever that is
//             I3  no ring is under way to a partition that is `quiet`: its links are silent, and every ring that had looked
//                 before has been sent
// The last is why a sender counts itself in before it looks at the listener; the interrupt may still be on its way then, so
// the local APICs are emptied after that, and once more before the next life (life.cpp).
#pragma once

#include "hypervisor/core/memory/run.hpp"

#include <atomic>
#include <cstdint>

namespace hv {

struct Partition;
struct Vcpu;

// An interrupt command (destination << 32 | command) that reaches nobody: a logical destination without a bit.
inline constexpr std::uint64_t nobody_listens = 0x4800 | 32;

struct Link {
    std::atomic<std::uint64_t> listener = nobody_listens; // of this end: where rings for it go
    memory::Run writes{}; // the frames of the lane; none: the reading end of a one-way wire
    // Of the other end. A reading end rings nobody, a one-way writing end learns nothing.
    const Link* other = nullptr;
    std::atomic<std::uint32_t>* on_the_way = nullptr;
    const std::atomic<std::uint64_t>* life = nullptr;
};

// What an end has that must not know the other one.
struct NoEnd {
    Link link;
    std::atomic<std::uint32_t> on_the_way = 0;
    std::atomic<std::uint64_t> life = 0;
};
extern NoEnd no_end;

// One interrupt to the other end, if it listens.
void ring(const Link& link);

// From the vCPU `index` of the partition on, the vector; 0: nowhere. False: that vCPU has not been started.
[[nodiscard]] bool listen(Partition& partition, Link& link, std::uint8_t vector, std::uint64_t index);
// Nothing is to reach that vCPU any more.
void stop_listening(const Vcpu& vcpu);

// The lanes that the partition writes become zero, past the caches.
void clear_lanes(const Partition& partition);

// Its generation begins: the others may believe its lanes, and are rung once.
void open_links(Partition& partition);
// Every vCPU has left: nobody believes its lanes any more, nobody rings it. False: a ring does not end.
[[nodiscard]] bool close_links(Partition& partition);

} // namespace hv
