// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/network.cpp - see network.hpp.
//
// Trust: boot page and startup record are checked as far as memory safety and the rules need it; what peers write into lanes is
//        hostile (../wires).
#include "partitions/unikernel/start/network.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <cstring>
#include <new>

namespace uk::start {

namespace {

template <typename T> std::span<T> make_list(std::size_t count) {
    auto* memory = static_cast<T*>(mm::allocate(count * sizeof(T)));
    if (memory == nullptr && count != 0)
        base::fail("out of memory at start", "", 0);
    for (std::size_t i = 0; i < count; ++i)
        new (memory + i) T;
    return {memory, count};
}

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

// What one look leaves goes on a moment later, behind the programs that are ready.
void poll_again(sched::Timer& timer);
sched::Timer rest{&poll_again};

void poll() {
    constexpr std::uint64_t moment = 20'000;
    if (wires::poll())
        sched::arm(rest, deadline_after(moment));
}
void poll_again(sched::Timer&) {
    poll();
}

void fill_in(wires::Link& link, const caisson_link& from, std::uint64_t number, std::uint64_t life) {
    if (from.lane_bytes <= CAISSON_LANE_HEADER_BYTES ||
        ((from.lane_bytes - CAISSON_LANE_HEADER_BYTES) & (from.lane_bytes - CAISSON_LANE_HEADER_BYTES - 1)) !=
            0)
        base::fail("boot page: a lane's size is not a header and a power of two", "", 0);
    link.end.send = lane_at(from.send_gpa);
    link.end.receive = lane_at(from.receive_gpa);
    link.end.ring_bytes = from.lane_bytes - CAISSON_LANE_HEADER_BYTES;
    link.end.life = life;
    link.end.peer_state = &ask_state;
    link.end.ring = &ring;
    link.end.context = reinterpret_cast<void*>(number);
}

} // namespace

void start_network(const caisson_boot_page& boot_page, const Startup& startup) {
    const caisson_startup& header = startup.header();
    const auto links = make_list<wires::Link>(header.peer_count);
    const auto peers = make_list<::net::Peer>(header.peer_count);
    const auto rules = make_list<::net::Rule>(header.rule_count);
    for (unsigned i = 0; i < header.peer_count; ++i) {
        const caisson_peer peer = startup.peer(i);
        if (peer.link >= boot_page.link_count)
            base::fail("startup record: a peer without a link", "", 0);
        fill_in(links[i], boot_page.links[peer.link], peer.link, boot_page.generation);
        links[i].name = startup.peer_name(i);
        peers[i].address = peer.address;
    }
    for (unsigned i = 0; i < header.rule_count; ++i) {
        const caisson_rule rule = startup.rule(i);
        rules[i] = {rule.peer, rule.inbound != 0, rule.protocol, rule.first_port, rule.last_port};
    }
    if (!wires::start({header.address, header.prefix, links, peers, rules}))
        base::fail("out of memory at start", "", 0);
    sched::poll_lanes = &poll;
    for (unsigned i = 0; i < header.peer_count; ++i)
        (void)machine::hypercall(CAISSON_CALL_LANE_LISTEN,
                                 {startup.peer(i).link, machine::lane_vector, 0, 0});
    poll(); // what came before, and the wish to be rung
}

} // namespace uk::start
