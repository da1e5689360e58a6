// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/lane_end.cpp - see lane_end.hpp.
#include "partitions/unikernel/start/lane_end.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/frames.hpp"

namespace uk::start {

namespace {

caisson_lane* lane_at(std::uint64_t address) {
    return address == 0 ? nullptr : reinterpret_cast<caisson_lane*>(mm::frame_data(base::PhysAddr{address}));
}

std::uint64_t number_of(void* context) {
    return reinterpret_cast<std::uint64_t>(context);
}

unsigned long long ask_state(void* context) {
    const long state = machine::hypercall(CAISSON_CALL_LANE_STATE, {number_of(context), 0, 0, 0}).value;
    return state > 0 ? static_cast<unsigned long long>(state) : 0;
}

void ring(void* context) {
    (void)machine::hypercall(CAISSON_CALL_LANE_RING, {number_of(context), 0, 0, 0});
}

} // namespace

void connect(caisson_end& end, const caisson_boot_page& boot_page, std::uint32_t number) {
    const caisson_link& from = boot_page.links[number];
    const std::uint32_t ring_bytes = from.lane_bytes - CAISSON_LANE_HEADER_BYTES;
    if (from.lane_bytes <= CAISSON_LANE_HEADER_BYTES || (ring_bytes & (ring_bytes - 1)) != 0)
        base::fail("boot page: a lane's size is not a header and a power of two", "", 0);
    end.send = lane_at(from.send_gpa);
    end.receive = lane_at(from.receive_gpa);
    end.ring_bytes = ring_bytes;
    end.life = boot_page.generation;
    end.peer_state = &ask_state;
    end.ring = &ring;
    end.context = reinterpret_cast<void*>(static_cast<std::uint64_t>(number));
}

void listen(std::uint32_t number) {
    (void)machine::hypercall(CAISSON_CALL_LANE_LISTEN, {number, machine::lane_vector, 0, 0});
}

} // namespace uk::start
