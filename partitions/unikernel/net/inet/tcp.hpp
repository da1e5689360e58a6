// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/tcp.hpp - a TCP socket, whose other end is in the same kernel or reached through far.hpp.
// Spec: RFC 9293 for the states; tcp(7) and what Linux answers for the rest.
#pragma once

#include "partitions/unikernel/net/inet/inet.hpp"
#include "partitions/unikernel/sched/timer.hpp"

namespace uk::net::inet {

// Linux's numbers: tcpi_state, /proc/net/tcp.
enum class TcpState : std::uint8_t {
    established = 1,
    syn_sent = 2,
    syn_received = 3,
    fin_wait1 = 4,
    fin_wait2 = 5,
    time_wait = 6,
    closed = 7,
    close_wait = 8,
    last_ack = 9,
    listen = 10,
    closing = 11,
};

struct TcpSocket;
// One that was held back (TCP_DEFER_ACCEPT) is accepted without data when Linux would send its answer for the last time.
struct DeferTimer : sched::Timer {
    explicit DeferTimer(TcpSocket& of);
    ~DeferTimer() {
        if (armed)
            sched::disarm(*this);
    }
    TcpSocket& socket;
};

struct TcpSocket : InetSocket {
    TcpState state = TcpState::closed;
    bool attached = false;   // connect(2) began and was not taken back: SS_CONNECTING and SS_CONNECTED
    bool connecting = false; // of that: connect(2) has not told the end of it yet
    bool ending = false;     // shut down before connect(2) told: nothing but AF_UNSPEC is taken
    bool fin_received = false;
    bool wants_room = false; // it was told `again` when it sent
    TcpSocket* peer = nullptr;
    bool far_listens = false;
    void* far = nullptr; // the network's, of a connection that leaves this kernel (far.hpp)

    ByteQueue in;
    std::uint64_t sent = 0, received = 0; // bytes in all; received: what was taken out of `in`
    // Urgent data: one byte of the stream that is read by itself.
    enum class Urgent : std::uint8_t { none, valid, read } urgent = Urgent::none;
    std::uint64_t urgent_at = 0; // as `received` counts
    std::byte urgent_byte{};

    // A listener: connections to accept, those that have sent nothing yet (TCP_DEFER_ACCEPT), and sockets that
    // wait for a place among them.
    std::uint32_t backlog = 0;
    std::uint32_t waiting = 0;
    std::int32_t defer_seconds = 0;
    TcpSocket* first_waiting = nullptr;
    TcpSocket* last_waiting = nullptr;
    TcpSocket* deferred = nullptr;
    TcpSocket* first_connecting = nullptr;
    TcpSocket* last_connecting = nullptr;
    // Of one in these lists.
    TcpSocket* listener = nullptr;
    TcpSocket* next_waiting = nullptr;
    bool is_deferred = false;
    DeferTimer defer_timer{*this};

    // A marked read: urgent data stops it.
    [[nodiscard]] std::uint64_t bytes_to_mark() const {
        return urgent != Urgent::none && urgent_at >= received ? urgent_at - received : ~std::uint64_t{0};
    }
    [[nodiscard]] bool has_ended() const { return state == TcpState::closed; }
};
[[nodiscard]] inline TcpSocket& tcp_of(Socket& socket) {
    return static_cast<TcpSocket&>(socket);
}

// Bytes that may lie between two ends: a send and a receive buffer.
[[nodiscard]] std::uint64_t capacity(const TcpSocket& sender);
[[nodiscard]] bool writable(const TcpSocket& socket);

// The connection is reset: `error` is told once (tcp_data.cpp uses it for a write to nobody).
void end_with(TcpSocket& socket, Errno error);
// The times at which Linux sends its answer to a SYN again, as far as they are needed for `seconds`.
[[nodiscard]] std::int32_t in_retransmissions(std::int32_t seconds);
// The first data for a connection that was held back, or the end of its time.
void admit_deferred(TcpSocket& socket);

[[nodiscard]] Result<std::uint64_t> tcp_send(Socket& socket, fs::Origin& from, Outgoing& out);
[[nodiscard]] Result<std::uint64_t> tcp_receive(Socket& socket, fs::Destination& to, Incoming& in);
[[nodiscard]] std::uint32_t tcp_readiness(Socket& socket);
[[nodiscard]] Result<std::uint64_t> tcp_control(Socket& socket, std::uint32_t request);
[[nodiscard]] Status set_tcp_option(Socket& socket, Caller& caller, int level, int name,
                                    std::span<const std::byte> value);
[[nodiscard]] Result<std::uint32_t> get_tcp_option(Socket& socket, int level, int name,
                                                   std::span<std::byte> to);

} // namespace uk::net::inet
