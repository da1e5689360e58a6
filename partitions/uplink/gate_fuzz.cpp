// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/gate_fuzz.cpp - packets and lanes of any bytes from two containers, frames of any bytes from the card: whatever goes
// through has the addresses that it must have.
//
// A packet is as the input says, or is made whole first: addresses, length and sums, so that bytes reach what lies behind them.
#include "partitions/uplink/world_test.hpp"

namespace uplink {
namespace {

using namespace test;

enum Way : unsigned {
    from_web,
    from_db,
    from_outside,
    into_lane,
    into_ring,
    begin_anew,
    time_passes,
    no_room,
    ways
};

void make_whole(Bytes& packet, std::uint32_t source, std::uint32_t target) {
    if (packet.size() < net::ip_header + net::tcp_header)
        return;
    put(packet, 0, 0x45, 1);
    put(packet, 2, static_cast<std::uint32_t>(packet.size()), 2);
    put(packet, 6, 0x4000, 2);
    put(packet, 12, source, 4);
    put(packet, 16, target, 4);
    if (get(packet, 9, 1) == net::protocol::udp)
        put(packet, 24, static_cast<std::uint32_t>(packet.size() - net::ip_header), 2);
    if (net::place_of_sum(static_cast<std::uint8_t>(packet[9])) != 0)
        net::make_sums(packet);
}

void expect(bool what) {
    if (!what)
        __builtin_trap();
}

// What the uplink itself asks a server of leases.
bool is_about_lease(const World& world, const Bytes& packet) {
    return world.station.leased && get(packet, 9, 1) == net::protocol::udp &&
           get(packet, 20, 4) == (68u << 16 | 67);
}

void look(World& world) {
    for (; !outside.sent.empty(); outside.sent.pop_front()) {
        if (get(outside.sent.front(), 12, 2) != 0x0800)
            continue;
        const Bytes packet = packet_of(outside.sent.front());
        expect(packet.size() <= station::mtu);
        if (!is_about_lease(world, packet))
            expect(get(packet, 12, 4) == world.station.address && get(packet, 16, 4) >> 8 != inside >> 8);
    }
    for (unsigned i = 0; i < 2; ++i)
        for (const Bytes& packet : world.fars[i].take_all()) {
            const std::uint32_t source = get(packet, 12, 4);
            expect(get(packet, 16, 4) == (i == 0 ? web : db) && packet.size() <= station::mtu);
            expect(source != world.station.address && (source == inside || source >> 8 != inside >> 8));
        }
}

void step(World& world, unsigned way, bool whole, Bytes bytes) {
    Far& far = world.fars[way % 2];
    const std::uint32_t there = bytes.size() % 3 == 0 ? inside : far_away;
    switch (way) {
    case from_web:
    case from_db:
        if (whole)
            make_whole(bytes, way == from_web ? web : db, there);
        (void)far.put_into_lane(bytes);
        break;
    case from_outside:
        if (whole)
            make_whole(bytes, there == inside ? server : far_away, own);
        outside.arriving.push_back(whole ? frame_of(bytes) : bytes);
        break;
    case into_lane:
        std::memcpy(far.lane(1), bytes.data(), std::min(bytes.size(), sizeof(caisson_lane_header)));
        break;
    case into_ring:
        std::memcpy(&far.lane(1)->ring[0], bytes.data(), bytes.size());
        break;
    case begin_anew:
        far.begin();
        break;
    case time_passes:
        host::state().now += 500'000'000;
        run_clock();
        break;
    case no_room:
        outside.room = !outside.room;
        break;
    default:
        break;
    }
    poll_all();
    look(world);
}

} // namespace
} // namespace uplink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace uplink;
    constexpr std::size_t most = 1600;
    if (size == 0)
        return 0;
    World world{two_containers((data[0] & 0x80) != 0)};
    // Steps: which (and whether it is made whole), length, bytes.
    while (size >= 3) {
        const std::size_t said = static_cast<std::size_t>(data[1]) << 8 | data[2];
        const std::size_t length = std::min({said, most, size - 3});
        Bytes bytes(std::max<std::size_t>(length, 1));
        std::memcpy(bytes.data(), data + 3, length);
        step(world, (data[0] & 0x0F) % ways, (data[0] & 0x10) != 0, std::move(bytes));
        data += 3 + length;
        size -= 3 + length;
    }
    return 0;
}
