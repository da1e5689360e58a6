// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/ancillary.cpp - see ancillary.hpp.
#include "partitions/unikernel/net/ancillary.hpp"

#include "partitions/unikernel/net/inet/inet.hpp"
#include "partitions/unikernel/net/interfaces.hpp"

namespace uk::net {

namespace {

template <typename T>
bool put(control_data::Writer& writer, std::int32_t level, std::int32_t type, const T& value) {
    return writer.put(level, type, std::as_bytes(std::span{&value, 1}));
}

bool put_time(const Socket& socket, std::uint64_t arrived, control_data::Writer& writer) {
    constexpr std::int32_t timestamp = 29, timestamp_ns = 35;
    constexpr std::uint64_t second = 1'000'000'000;
    const std::array<std::uint64_t, 2> ns{arrived / second, arrived % second};
    if (socket.timestamp_ns)
        return put(writer, level_socket, timestamp_ns, ns);
    return put(writer, level_socket, timestamp, std::array<std::uint64_t, 2>{ns[0], ns[1] / 1000});
}

bool put_v4(const inet::InetSocket& socket, const Endpoint& target, control_data::Writer& writer) {
    constexpr std::int32_t tos = 1, ttl = 2, packet_information = 8;
    bool whole = true;
    if (socket.numbers[inet::ip_packet_information] != 0) {
        struct {
            std::uint32_t index;
            std::array<std::uint8_t, 4> local, address;
        } information{loopback.index, {}, {}};
        std::copy_n(target.address.octets.begin() + 12, 4, information.address.begin());
        information.local = information.address;
        whole = put(writer, inet::level_ip, packet_information, information) && whole;
    }
    if (socket.numbers[inet::ip_receive_ttl] != 0)
        whole = put(writer, inet::level_ip, ttl, std::int32_t{64}) && whole;
    if (socket.numbers[inet::ip_receive_tos] != 0)
        whole = put(writer, inet::level_ip, tos, std::uint8_t{0}) && whole;
    return whole;
}

bool put_v6(const inet::InetSocket& socket, const Incoming& incoming, control_data::Writer& writer) {
    constexpr std::int32_t packet_information = 50;
    bool whole = true;
    if (socket.numbers[inet::v6_receive_packet_information] != 0) {
        struct {
            IpAddress address;
            std::uint32_t index;
        } const information{incoming.target.address, loopback.index};
        whole = put(writer, inet::level_ipv6, packet_information, information) && whole;
    }
    if (socket.numbers[inet::v6_receive_hop_limit] != 0)
        whole = put(writer, inet::level_ipv6, inet::hop_limit, std::int32_t{incoming.hop_limit}) && whole;
    if (socket.numbers[inet::v6_receive_class] != 0)
        whole =
            put(writer, inet::level_ipv6, inet::traffic_class, std::int32_t{incoming.traffic_class}) && whole;
    return whole;
}

} // namespace

bool write_ancillary(const Socket& socket, const Incoming& incoming, control_data::Writer& writer) {
    bool whole = true;
    if (incoming.arrived != 0 && (socket.timestamp || socket.timestamp_ns))
        whole = put_time(socket, incoming.arrived, writer) && whole;
    if (incoming.has_target) {
        const auto& inet_socket = static_cast<const inet::InetSocket&>(socket);
        whole = put_v4(inet_socket, incoming.target, writer) && whole;
        if (inet_socket.is_v6())
            whole = put_v6(inet_socket, incoming, writer) && whole;
    }
    if (incoming.has_sender)
        whole = put(writer, level_socket, scm_credentials, incoming.sender) && whole;
    return whole;
}

} // namespace uk::net
