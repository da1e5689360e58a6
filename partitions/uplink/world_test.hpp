// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/world_test.hpp - an uplink between two containers, whose lanes a test writes and reads, and a network card that it
// plays.
#pragma once

#include "partitions/net/checksum.hpp"
#include "partitions/net/words_test.hpp"
#include "partitions/uplink/containers.hpp"
#include "partitions/uplink/gate.hpp"
#include "partitions/uplink/host_seam.hpp"
#include "partitions/uplink/memory.hpp"
#include "partitions/uplink/record_test.hpp"

#include <algorithm>
#include <array>
#include <deque>

#include <lwip/dhcp.h>
#include <lwip/ip4_frag.h>
#include <lwip/netif.h>

namespace uplink::test {

using net::test::Bytes, net::test::get, net::test::put;
using Mac = std::array<std::uint8_t, 6>;
inline constexpr Mac own_mac{2, 0, 0, 0, 0, 1}, gateway_mac{2, 0, 0, 0, 0, 2},
    all_macs{255, 255, 255, 255, 255, 255};
inline constexpr std::size_t frame_header = 14;

// ---- Packets

inline Bytes ip(std::uint8_t protocol, std::size_t payload, std::uint32_t source, std::uint32_t target) {
    Bytes out(net::ip_header + payload);
    put(out, 0, 0x45, 1);
    put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
    put(out, 8, 64 << 8 | protocol, 2);
    put(out, 12, source, 4);
    put(out, 16, target, 4);
    return out;
}
inline Bytes datagram(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to,
                      std::size_t payload = 5) {
    Bytes out = ip(net::protocol::udp, net::udp_header + payload, source, target);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 24, static_cast<std::uint32_t>(net::udp_header + payload), 2);
    return out;
}
inline Bytes segment(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to,
                     std::uint8_t flags, std::size_t payload = 0) {
    Bytes out = ip(net::protocol::tcp, net::tcp_header + payload, source, target);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 32, 0x5000u | flags, 2);
    put(out, 34, 60000, 2);
    return out;
}
inline Bytes with_sums(Bytes packet) {
    net::make_sums(packet);
    return packet;
}
inline bool sums_are_right(const Bytes& packet) {
    return net::sums_hold(packet) && net::sum_payload(packet) == 0xFFFF;
}

// ---- The card

struct Outside {
    std::deque<Bytes> arriving, sent;
    bool room = true, tells_of_room = false, link = true;
};
inline Outside outside;

inline drivers::net::Card card() {
    using drivers::net::Card;
    Card out;
    out.address = own_mac;
    out.receive = [](void*, unsigned most, Card::Place place, void (*came)()) {
        unsigned looked = 0;
        for (; looked < most && !outside.arriving.empty(); ++looked) {
            const Bytes frame = outside.arriving.front();
            outside.arriving.pop_front();
            const std::span<std::byte> to = place(static_cast<std::uint32_t>(frame.size()));
            if (to.size() != frame.size())
                continue;
            std::copy(frame.begin(), frame.end(), to.begin());
            came();
        }
        return looked;
    };
    out.send = [](void*, std::uint32_t bytes, Card::Fill fill, void* context) {
        if (!outside.room)
            return false;
        Bytes frame(bytes);
        fill(context, frame);
        outside.sent.push_back(frame);
        return true;
    };
    out.has_room = [](void*) { return outside.room; };
    out.tell_of_room = [](void*, bool on) { outside.tells_of_room = on; };
    out.listen = [](void*, bool) { return false; };
    out.has_link = [](void*) { return outside.link; };
    return out;
}

inline Bytes frame_of(const Bytes& packet, std::uint32_t type = 0x0800, const Mac& to = own_mac) {
    Bytes out(frame_header);
    for (std::size_t i = 0; i < to.size(); ++i) {
        out[i] = std::byte{to[i]};
        out[to.size() + i] = std::byte{gateway_mac[i]};
    }
    put(out, 12, type, 2);
    out.insert(out.end(), packet.begin(), packet.end());
    if (out.size() < 60)
        out.resize(60); // as Ethernet pads
    return out;
}
inline Bytes packet_of(const Bytes& frame) {
    return Bytes(frame.begin() + frame_header,
                 frame.begin() + frame_header + get(frame, frame_header + 2, 2));
}

// ---- A container

struct Far {
    static constexpr std::uint32_t ring_bytes = CAISSON_LANE_RING_MIN;
    using Memory = std::vector<std::uint64_t>;
    std::array<Memory, 2> memory{Memory((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8),
                                 Memory((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8)};
    std::uint64_t life = 0;
    unsigned rings = 0; // that reached it
    caisson_end end{};

    caisson_lane* lane(unsigned which) { return reinterpret_cast<caisson_lane*>(memory[which].data()); }
    void begin() { // as the hypervisor and a new kernel do
        std::fill(memory[1].begin(), memory[1].end(), 0);
        ++life;
        end = {};
        end.send = lane(1);
        end.receive = lane(0);
        end.ring_bytes = ring_bytes;
        end.life = life;
        end.peer_state = [](void*) { return 1ull; };
        end.ring = [](void*) {};
        caisson_end_open(&end);
    }
    void connect(caisson_end& other) {
        std::fill(memory[0].begin(), memory[0].end(), 0);
        other.send = lane(0);
        other.receive = lane(1);
        other.ring_bytes = ring_bytes;
        other.life = 1;
        other.peer_state = [](void* of) {
            return static_cast<unsigned long long>(static_cast<Far*>(of)->life);
        };
        other.ring = [](void* of) { ++static_cast<Far*>(of)->rings; };
        other.context = this;
    }
    bool put_into_lane(const Bytes& packet) {
        const bool went = caisson_end_send(&end, packet.data(), static_cast<unsigned>(packet.size()), 0) != 0;
        caisson_end_flush(&end);
        return went;
    }
    std::deque<Bytes> take_all() {
        std::deque<Bytes> all;
        Bytes packet(CAISSON_LANE_PACKET_MAX);
        unsigned flags = 0;
        while (const unsigned bytes = caisson_end_receive(&end, packet.data(), &flags))
            all.emplace_back(packet.begin(), packet.begin() + bytes);
        return all;
    }
};

// ---- The uplink

inline void poll_all() {
    while (poll()) {
    }
}

struct World {
    explicit World(const RecordParts& parts) : bytes(parts.bytes()), record(Record::parse(bytes).value()) {
        outside = {};
        host::state().notes.clear();
        host::state().lines.clear();
        const auto tables = make_tables(record).value();
        wires = make_list<Wire>(record.header().container_count).value();
        for (unsigned i = 0; i < wires.size(); ++i) {
            fars[i].begin();
            fars[i].connect(wires[i].end);
            wires[i].name = record.name(i);
        }
        station.card = card();
        station.leased = record.is_leased();
        if (!station.leased) {
            station.address = record.header().outside_address;
            station.gateway = record.header().gateway;
        }
        Configuration all;
        all.address = record.header().address;
        all.prefix = record.header().prefix;
        all.wires = wires;
        all.containers = tables.containers;
        all.publications = tables.publications;
        all.translations = tables.translations;
        all.waiting = tables.waiting;
        all.name_servers = {record.header().name_servers[0], 0, 0};
        all.outside = &station;
        all.seed = 1;
        if (!start(all))
            std::abort();
        poll_all();
    }
    ~World() { // lwIP's memory is given back before that of everything else
        constexpr unsigned longer_than_any_fragment = 20;
        for (unsigned i = 0; i < longer_than_any_fragment; ++i)
            ip_reass_tmr();
        dhcp_stop(&station::interface());
        dhcp_cleanup(&station::interface());
        netif_remove(&station::interface());
        host::give_memory_back();
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    std::vector<std::byte> bytes;
    Record record;
    std::array<Far, 2> fars;
    std::span<Wire> wires;
    station::Station station;
};

} // namespace uplink::test
