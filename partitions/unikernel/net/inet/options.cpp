// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/options.cpp - the options of IP, IPv6, TCP and UDP that are numbers. What they
// would change on a wire, a loopback has not; they are kept, checked and told as on Linux.
#include "partitions/unikernel/net/inet/inet.hpp"

#include <algorithm>

namespace uk::net::inet {

namespace {

struct Row {
    Number number;
    std::int8_t level;
    std::uint8_t name;
    std::int32_t least, most; // einval outside
    std::int32_t initial;
    bool flag = false;       // anything but 0 is 1
    bool for_streams = true; // else inval there
};

constexpr std::int32_t lowest = INT32_MIN, highest = INT32_MAX;
constexpr Row rows[] = {
    {ip_tos, level_ip, 1, lowest, highest, 0},
    {ip_ttl, level_ip, 2, -1, 255, 64},
    {ip_receive_options, level_ip, 6, lowest, highest, 0, true},
    {ip_packet_information, level_ip, 8, lowest, highest, 0, true},
    {ip_mtu_discover, level_ip, 10, 0, 5, 1},
    {ip_receive_errors, level_ip, 11, lowest, highest, 0, true},
    {ip_receive_ttl, level_ip, 12, lowest, highest, 0, true},
    {ip_receive_tos, level_ip, 13, lowest, highest, 0, true},
    {ip_free_bind, level_ip, 15, lowest, highest, 0, true},
    {ip_transparent, level_ip, 19, lowest, highest, 0, true},
    {ip_original_target, level_ip, 20, lowest, highest, 0, true},
    {ip_minimum_ttl, level_ip, 21, 0, 255, 0},
    {ip_bind_no_port, level_ip, 24, lowest, highest, 0, true},
    {ip_multicast_ttl, level_ip, 33, -1, 255, 1, false, false},
    {ip_multicast_loop, level_ip, 34, lowest, highest, 1, true},
    {ip_multicast_all, level_ip, 49, 0, 1, 1, true},
    {v6_unicast_hops, level_ipv6, 16, -1, 255, 64},
    {v6_multicast_interface, level_ipv6, 17, 0, 1, 0, false, false},
    {v6_multicast_hops, level_ipv6, 18, -1, 255, 1, false, false},
    {v6_multicast_loop, level_ipv6, 19, 0, 1, 1},
    {v6_mtu_discover, level_ipv6, 23, 0, 5, 1},
    {v6_receive_errors, level_ipv6, 25, lowest, highest, 0, true},
    {v6_receive_packet_information, level_ipv6, 49, lowest, highest, 0, true},
    {v6_receive_hop_limit, level_ipv6, 51, lowest, highest, 0, true},
    {v6_do_not_fragment, level_ipv6, 62, lowest, highest, 0, true},
    {v6_receive_class, level_ipv6, 66, lowest, highest, 0, true},
    {v6_class, level_ipv6, 67, -1, 255, 0},
    {v6_free_bind, level_ipv6, 78, lowest, highest, 0, true},
    {tcp_no_delay, level_tcp, 1, lowest, highest, 0, true},
    {tcp_maximum_segment, level_tcp, 2, 0, 32767, 536},
    {tcp_cork, level_tcp, 3, lowest, highest, 0, true},
    {tcp_keep_idle, level_tcp, 4, 1, 32767, 7200},
    {tcp_keep_interval, level_tcp, 5, 1, 32767, 75},
    {tcp_keep_count, level_tcp, 6, 1, 127, 9},
    {tcp_syn_count, level_tcp, 7, 1, 127, 6},
    {tcp_linger2, level_tcp, 8, lowest, highest, 60},
    {tcp_window_clamp, level_tcp, 10, lowest, highest, 0},
    {tcp_quick_ack, level_tcp, 12, lowest, highest, 1, true},
    {tcp_user_timeout, level_tcp, 18, 0, highest, 0},
    {tcp_fast_open, level_tcp, 23, 0, highest, 0},
    {tcp_unsent_low_water, level_tcp, 25, lowest, highest, 0},
    {tcp_save_syn, level_tcp, 27, 0, 2, 0},
    {tcp_fast_open_connect, level_tcp, 30, 0, 1, 0},
    {tcp_inquire, level_tcp, 36, 0, 1, 0},
    {udp_cork, level_udp, 1, lowest, highest, 0, true},
};
static_assert(std::size(rows) == number_count);

const Row* find_row(const InetSocket& socket, int level, int name) {
    const bool stream = socket.type == Type::stream;
    if ((level == level_tcp && !stream) || (level == level_udp && stream) ||
        (level == level_ipv6 && !socket.is_v6()))
        return nullptr;
    for (const Row& row : rows)
        if (row.level == level && row.name == name)
            return &row;
    return nullptr;
}

// Options of IP may be one byte.
Result<std::int32_t> number_in(int level, std::span<const std::byte> value) {
    if (level == level_ip && value.size() < sizeof(std::int32_t) && !value.empty())
        return std::to_integer<std::int32_t>(value[0]);
    return option_number(value);
}

Status set_v6_only(InetSocket& socket, std::span<const std::byte> value) {
    const std::int32_t on = CAISSON_TRY(option_number(value));
    if (socket.in_table)
        return base::Failure{Errno::inval};
    socket.v6_only = on != 0;
    return base::success;
}

struct GroupRequest { // struct ip_mreqn, the last field may be missing
    std::array<std::uint8_t, 4> group, address;
};

IpAddress v4_of(const std::array<std::uint8_t, 4>& octets) {
    return IpAddress::v4(std::uint32_t{octets[0]} << 24 | std::uint32_t{octets[1]} << 16 |
                         std::uint32_t{octets[2]} << 8 | octets[3]);
}

constexpr int ip_multicast_if = 32, ip_add_membership = 35, ip_drop_membership = 36, v6_only_name = 26,
              v6_join = 20, v6_leave = 21;

Status set_group(const IpAddress& group, bool names_interface, bool join) {
    if (!group.multicast())
        return base::Failure{Errno::inval};
    if (!join)
        return base::Failure{Errno::addrnotavail};
    return names_interface ? Status{base::success} : base::Failure{Errno::nodev};
}

Status set_other(InetSocket& socket, int level, int name, std::span<const std::byte> value) {
    if (level == level_ipv6 && socket.is_v6()) {
        if (name == v6_only_name)
            return set_v6_only(socket, value);
        if (name == v6_join || name == v6_leave) {
            struct {
                IpAddress group;
                std::int32_t interface;
            } request{};
            if (value.size() < sizeof(request))
                return base::Failure{Errno::inval};
            std::memcpy(&request, value.data(), sizeof(request));
            if (request.interface > 1)
                return base::Failure{Errno::nodev};
            return set_group(request.group, request.interface == 1, name == v6_join);
        }
    }
    if (level == level_ip && (name == ip_add_membership || name == ip_drop_membership)) {
        if (socket.type == Type::stream)
            return base::Failure{Errno::proto};
        const auto request = CAISSON_TRY(option_value<GroupRequest>(value));
        const IpAddress at = v4_of(request.address);
        if (!v4_of(request.group).multicast())
            return base::Failure{Errno::inval};
        if (!at.any() && !at.loopback())
            return base::Failure{Errno::nodev};
        return set_group(v4_of(request.group), at.loopback(), name == ip_add_membership);
    }
    if (level == level_ip && name == ip_multicast_if) {
        const bool with_group = value.size() >= sizeof(GroupRequest);
        if (!with_group && value.size() < 4)
            return base::Failure{Errno::inval};
        std::array<std::uint8_t, 4> octets{};
        std::memcpy(octets.data(), value.data() + (with_group ? 4 : 0), 4);
        const IpAddress at = v4_of(octets);
        if (!at.any() && !at.loopback())
            return base::Failure{Errno::addrnotavail};
        socket.multicast_from = at;
        return base::success;
    }
    return base::Failure{Errno::noprotoopt};
}

// What of a value a socket keeps.
std::int32_t as_kept(const InetSocket& socket, Number what, std::int32_t value) {
    constexpr std::int32_t not_congestion = 0xFC, longest_linger = 120, least_window = 1152;
    const bool stream = socket.type == Type::stream;
    switch (what) {
    case ip_tos:
        return stream ? (value & not_congestion) | (socket.numbers[ip_tos] & 3) : value & 0xFF;
    case v6_class:
        return stream ? value & not_congestion : value;
    case tcp_linger2:
        return value < 0 ? -1 : value == 0 ? 60 : std::min(value, longest_linger);
    case tcp_window_clamp:
        return value == 0 ? 0 : std::max(value, least_window);
    default:
        return value;
    }
}

} // namespace

void set_defaults(InetSocket& socket) {
    for (const Row& row : rows)
        socket.numbers[row.number] = row.initial;
}

Status set_number_option(InetSocket& socket, Caller& caller, int level, int name,
                         std::span<const std::byte> value) {
    const Row* row = find_row(socket, level, name);
    if (row == nullptr)
        return set_other(socket, level, name, value);
    std::int32_t number = CAISSON_TRY(number_in(level, value));
    const bool possible = row->for_streams || socket.type != Type::stream;
    if (!possible && level == level_ipv6)
        return base::Failure{Errno::noprotoopt};
    if (!possible || number < row->least || number > row->most)
        return base::Failure{Errno::inval};
    if (row->number == ip_transparent && number != 0 && !caller.privileged())
        return base::Failure{Errno::perm};
    if (row->number == ip_ttl && number == 0)
        return base::Failure{Errno::inval};
    if (number == -1 && row->least == -1) // the default again
        number = row->initial;
    number = as_kept(socket, row->number, number);
    if (row->number == tcp_maximum_segment && number != 0 && number < 88)
        return base::Failure{Errno::inval};
    socket.numbers[row->number] = row->flag ? (number != 0 ? 1 : 0) : number;
    return base::success;
}

Result<std::uint32_t> get_number_option(InetSocket& socket, int level, int name, std::span<std::byte> to) {
    std::int32_t number = 0;
    const bool of_socket =
        level == level_ip || (level == level_ipv6 && socket.is_v6()) || level == socket.protocol;
    if (!of_socket)
        return base::Failure{socket.is_v6() ? Errno::noprotoopt : Errno::opnotsupp};
    constexpr int ip_mtu = 14, v6_mtu = 24;
    if (name == (level == level_ip ? ip_mtu : level == level_ipv6 ? v6_mtu : -1))
        return socket.remote.port != 0 ? Result<std::uint32_t>{put_option(to, std::int32_t{65535})}
                                       : base::Failure{Errno::notconn};
    if (const Row* row = find_row(socket, level, name)) {
        number = socket.numbers[row->number];
    } else if (level == level_ipv6 && socket.is_v6() && name == v6_only_name) {
        number = socket.v6_only ? 1 : 0;
    } else if (level == level_ip && name == ip_multicast_if) {
        std::array<std::uint8_t, 4> octets{};
        std::copy_n(socket.multicast_from.octets.begin() + 12, 4, octets.begin());
        return put_option(to, octets);
    } else {
        return base::Failure{Errno::noprotoopt};
    }
    if (level == level_ip && to.size() < sizeof(number) && !to.empty() && number >= 0 && number <= 255)
        return put_option(to.first(1), static_cast<std::uint8_t>(number));
    return put_option(to, number);
}

} // namespace uk::net::inet
