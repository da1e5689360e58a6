// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/outside_fuzz.cpp - frames of any bytes from a network card, into a kernel with a server, a client and a
// lease that it waits for: through our port, lwIP's ARP, DHCP, neighbours of IPv6 and TCP, to sockets.
//
// A frame is as the input says, or is made whole first: addresses, length and sums, so that bytes reach what lies behind them.
#include "partitions/net/checksum.hpp"
#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/socket.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <cstring>
#include <vector>

namespace uk::wires {
namespace {

using Bytes = std::vector<std::byte>;
constexpr std::uint32_t own = 0xC000020A, other = 0xC0000214;

std::vector<Bytes> arriving;

Card card() {
    Card out;
    out.address = {2, 0, 0, 0, 0, 1};
    out.receive = [](void*, unsigned most, Card::Place place, void (*came)()) {
        unsigned looked = 0;
        for (; looked < most && !arriving.empty(); ++looked) {
            const Bytes frame = arriving.back();
            arriving.pop_back();
            const std::span<std::byte> to = place(static_cast<std::uint32_t>(frame.size()));
            if (to.size() != frame.size())
                continue;
            std::memcpy(to.data(), frame.data(), frame.size());
            came();
        }
        return looked;
    };
    out.send = [](void*, std::uint32_t bytes, Card::Fill fill, void* context) {
        Bytes frame(bytes);
        fill(context, frame);
        return true;
    };
    out.has_room = [](void*) { return true; };
    out.tell_of_room = [](void*, bool) {};
    out.listen = [](void*, bool) { return false; };
    return out;
}

const std::array<::net::PublishedPort, 1> published{{{::net::protocol::tcp, 8080, 80}}};
std::array<::net::Peer, 1> peers{{{.outside = true, .own = own}}};
Outside outside{
    {.card = card(), .address = own, .published = published, .six = {.way = station::Six::Way::advertised}},
    peers.data()};
std::array<::net::Rule, 6> rules{
    {{0, true, ::net::protocol::tcp, 80, 80},
     {0, true, ::net::protocol::udp, 53, 53},
     {0, false, ::net::protocol::any, 0, 0xFFFF},
     {.inbound = true, .protocol = ::net::protocol::tcp, .first_port = 80, .last_port = 80, .v6 = true},
     {.inbound = true, .protocol = ::net::protocol::udp, .first_port = 53, .last_port = 53, .v6 = true},
     {.v6 = true}}};

void put(Bytes& to, std::size_t at, std::uint32_t value, unsigned bytes) {
    while (bytes-- > 0)
        to[at++] = static_cast<std::byte>(value >> 8 * bytes);
}

void make_whole(Bytes& frame) {
    constexpr std::size_t header = 14;
    if (frame.size() < header + ::net::ip_header + ::net::tcp_header)
        return;
    put(frame, 0, 0x02000000, 4);
    put(frame, 4, 1, 2);
    put(frame, 12, 0x0800, 2);
    put(frame, header, 0x45, 1);
    put(frame, header + 2, static_cast<std::uint32_t>(frame.size() - header), 2);
    put(frame, header + 6, 0x4000, 2);
    put(frame, header + 12, other, 4);
    put(frame, header + 16, own, 4);
    const auto protocol = static_cast<std::uint8_t>(frame[header + 9]);
    if (protocol == ::net::protocol::udp)
        put(frame, header + 24, static_cast<std::uint32_t>(frame.size() - header - ::net::ip_header), 2);
    if (::net::place_of_sum(protocol) != 0)
        ::net::make_sums(std::span{frame}.subspan(header));
}

// To this station, or to a group of them where the input says so; the hops are the input's.
void make_whole6(Bytes& frame) {
    constexpr std::size_t header = 14;
    constexpr ::net::Address6 link{0xFE80ull << 48, 0x0000'00FF'FE00'0001}, peer{0xFE80ull << 48, 9};
    if (frame.size() < header + ::net::ip6_header + ::net::icmp_header)
        return;
    const bool group = (static_cast<unsigned>(frame[0]) & 1) != 0;
    const std::span<std::byte> packet = std::span{frame}.subspan(header);
    put(frame, 0, group ? 0x33330000 : 0x02000000, 4);
    put(frame, 4, 1, 2);
    put(frame, 12, 0x86DD, 2);
    put(frame, header, 0x60, 1);
    put(frame, header + 4, static_cast<std::uint32_t>(packet.size() - ::net::ip6_header), 2);
    ::net::write_address6(peer, packet.subspan(8));
    ::net::write_address6(group ? ::net::Address6{0xFF02ull << 48, 1} : link, packet.subspan(24));
    const auto protocol = static_cast<std::uint8_t>(packet[6]);
    const std::size_t at = ::net::place_of_sum(protocol, ::net::ip6_header);
    if (protocol == ::net::protocol::udp)
        put(frame, header + 44, static_cast<std::uint32_t>(packet.size() - ::net::ip6_header), 2);
    if (at != 0 && packet.size() >= at + 2)
        ::net::make_sums(packet);
}

struct World {
    World() : tree({{}, 1 << 20, false}) {
        tree.tree.finish();
        tree.run_as(0, 0);
        net::Caller me{tree.context.credentials, 1, &tree.context};
        for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{81}}) {
            net::Socket* socket =
                net::make_socket(me, net::family::inet6, static_cast<std::uint32_t>(net::Type::stream), 0)
                    .value();
            net::Address address;
            net::encode({net::any_v6, port}, net::family::inet6, address);
            (void)socket->kind->bind(*socket, me, address);
            (void)socket->kind->listen(*socket, me, 5);
        }
        (void)start({0, 0, {}, peers, rules, &outside});
    }
    fs::test::TestTree tree;
};

} // namespace
} // namespace uk::wires

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace uk::wires;
    static World world;
    outside.leased = size > 0 && (data[0] & 1) != 0;
    // Frames: how, length, bytes.
    while (size >= 3) {
        const std::size_t said = static_cast<std::size_t>(data[1]) << 8 | data[2];
        const std::size_t length = std::min<std::size_t>({said, 1514, size - 3});
        Bytes frame(std::max<std::size_t>(length, 14));
        std::memcpy(frame.data(), data + 3, length);
        if ((data[0] & 2) != 0)
            (data[0] & 8) != 0 ? make_whole6(frame) : make_whole(frame);
        arriving.push_back(std::move(frame));
        while (poll()) {
        }
        if ((data[0] & 4) != 0) {
            uk::net::host::now() += 500'000'000;
            uk::net::host::run_timers();
        }
        data += 3 + length;
        size -= 3 + length;
    }
    return 0;
}
