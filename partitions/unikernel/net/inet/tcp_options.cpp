// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/tcp_options.cpp - options of TCP that are more than a number.
#include "partitions/unikernel/net/inet/tcp.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace uk::net::inet {

namespace {

constexpr int defer_accept = 9, information = 11, congestion = 13, upper_layer = 31, maximum_segment = 2;
constexpr std::uint32_t segment = 65483; // of the loopback's 65,536 bytes: headers and time stamps off

struct Information { // struct tcp_info, up to tcpi_total_retrans and what followed until 4.13
    std::uint8_t state = 0, ca_state = 0, retransmits = 0, probes = 0, backoff = 0, options = 0,
                 window_scales = 0, delivery = 0;
    std::uint32_t rto = 0, ato = 0, send_segment = 0, receive_segment = 0;
    std::uint32_t unacknowledged = 0, sacked = 0, lost = 0, retransmitted = 0, forward = 0;
    std::uint32_t last_data_sent = 0, last_ack_sent = 0, last_data_received = 0, last_ack_received = 0;
    std::uint32_t path_mtu = 0, receive_threshold = 0, rtt = 0, rtt_variance = 0, send_threshold = 0,
                  send_window = 0, advertised_segment = 0, reordering = 0;
    std::uint32_t receive_rtt = 0, receive_space = 0, all_retransmitted = 0;
    std::uint64_t pacing = 0, most_pacing = 0, bytes_acknowledged = 0, bytes_received = 0;
    std::uint32_t segments_out = 0, segments_in = 0, not_sent = 0, least_rtt = 0, data_in = 0, data_out = 0;
    std::uint64_t delivery_rate = 0, busy = 0, receive_limited = 0, send_limited = 0;
};
static_assert(sizeof(Information) == 192);

Information information_of(const TcpSocket& socket) {
    constexpr std::uint8_t time_stamps = 1, selective = 2, scaled = 4;
    Information out;
    out.state = static_cast<std::uint8_t>(socket.state);
    const bool connected = socket.attached && socket.state != TcpState::syn_sent;
    out.options = connected ? time_stamps | selective | scaled : 0;
    out.window_scales = connected ? 0x77 : 0;
    out.rto = 200'000;
    out.ato = connected ? 40'000 : 0;
    out.send_segment = connected ? segment : 536;
    out.receive_segment = out.send_segment;
    out.advertised_segment = connected ? segment : 536;
    out.path_mtu = connected ? 65535 : 0;
    out.rtt = out.rtt_variance = connected ? 10 : 0;
    out.send_threshold = 0x7FFFFFFF;
    out.send_window = 10;
    out.reordering = 3;
    out.receive_space = socket.receive_buffer / 2;
    out.pacing = out.most_pacing = ~std::uint64_t{0};
    out.bytes_acknowledged = socket.sent;
    out.bytes_received = socket.received + socket.in.bytes();
    if (socket.listening) { // of a listener: its queue and how long that may be
        out.unacknowledged = socket.waiting;
        out.sacked = socket.backlog;
    }
    return out;
}

Status set_congestion(std::span<const std::byte> value) {
    const auto* text = reinterpret_cast<const char*>(value.data());
    const std::string_view name{text, strnlen(text, std::min<std::size_t>(value.size(), 16))};
    if (name.empty())
        return base::Failure{Errno::inval};
    return name == "cubic" || name == "reno" ? Status{base::success} : base::Failure{Errno::noent};
}

} // namespace

std::int32_t in_retransmissions(std::int32_t seconds) {
    constexpr std::int32_t longest = 120, most = 255;
    std::int32_t told = 0;
    for (std::int32_t step = 1, times = 0; told < seconds && times < most; ++times) {
        told += step;
        step = std::min(2 * step, longest);
    }
    return told;
}

Status set_tcp_option(Socket& base_socket, Caller& caller, int level, int name,
                      std::span<const std::byte> value) {
    TcpSocket& socket = tcp_of(base_socket);
    if (level == level_tcp && name == congestion)
        return set_congestion(value);
    if (level == level_tcp && name == upper_layer)
        return base::Failure{Errno::noent};
    if (level == level_tcp && name == defer_accept) {
        const std::int32_t seconds = CAISSON_TRY(option_number(value));
        socket.defer_seconds = std::max(seconds, 0);
        return base::success;
    }
    return set_number_option(socket, caller, level, name, value);
}

Result<std::uint32_t> get_tcp_option(Socket& base_socket, int level, int name, std::span<std::byte> to) {
    TcpSocket& socket = tcp_of(base_socket);
    if (level == level_tcp) {
        switch (name) {
        case information:
            return put_option(to, information_of(socket));
        case congestion: {
            constexpr std::array<char, 16> cubic{'c', 'u', 'b', 'i', 'c'};
            return put_option(to, cubic);
        }
        case defer_accept:
            return put_option(to, in_retransmissions(socket.defer_seconds));
        case maximum_segment:
            return put_option(to, socket.peer != nullptr ? static_cast<std::int32_t>(segment) : 536);
        default:
            break;
        }
    }
    return get_number_option(socket, level, name, to);
}

} // namespace uk::net::inet
