// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/options.cpp - the options that every socket has (SOL_SOCKET, socket(7)).
#include "partitions/unikernel/net/inet/inet.hpp"
#include "partitions/unikernel/net/local/local.hpp"
#include "partitions/unikernel/net/socket.hpp"

#include <algorithm>
#include <cstring>

namespace uk::net {

namespace {

constexpr int level_socket = 1;

enum Name : int {
    debug = 1,
    reuse_address = 2,
    type = 3,
    error = 4,
    dont_route = 5,
    broadcast = 6,
    send_buffer = 7,
    receive_buffer = 8,
    keep_alive = 9,
    oob_inline = 10,
    no_check = 11,
    priority = 12,
    linger = 13,
    bsd_compatible = 14,
    reuse_port = 15,
    pass_credentials = 16,
    peer_credentials = 17,
    receive_low_water = 18,
    send_low_water = 19,
    receive_timeout = 20,
    send_timeout = 21,
    bind_to_device = 25,
    attach_filter = 26,
    detach_filter = 27,
    peer_name = 28,
    timestamp = 29,
    accept_connections = 30,
    peer_security = 31,
    send_buffer_force = 32,
    receive_buffer_force = 33,
    timestamp_ns = 35,
    mark = 36,
    protocol = 38,
    domain = 39,
    receive_queue_overflow = 40,
    peek_offset = 42,
    lock_filter = 44,
    busy_poll = 46,
    incoming_cpu = 49,
    cookie = 57,
    peer_groups = 59,
    zero_copy = 60,
};

struct UserTime { // struct timeval
    std::int64_t seconds, microseconds;
};
struct UserLinger {
    std::int32_t on, seconds;
};

// The options that are one bit here.
bool Socket::*flag_of(int name) {
    switch (name) {
    case debug:
        return &Socket::debug;
    case reuse_address:
        return &Socket::reuse_address;
    case reuse_port:
        return &Socket::reuse_port;
    case dont_route:
        return &Socket::dont_route;
    case broadcast:
        return &Socket::broadcast;
    case keep_alive:
        return &Socket::keep_alive;
    case oob_inline:
        return &Socket::oob_inline;
    case no_check:
        return &Socket::no_check;
    case pass_credentials:
        return &Socket::pass_credentials;
    case timestamp:
        return &Socket::timestamp;
    case timestamp_ns:
        return &Socket::timestamp_ns;
    default:
        return nullptr;
    }
}

// Doubled, as on Linux, for the kernel's own part; `most` is net.core.{r,w}mem_max.
std::uint32_t buffer_size(std::int32_t asked, bool forced, std::uint32_t least) {
    constexpr std::uint32_t most = Socket::default_buffer;
    constexpr std::uint32_t most_at_all = 0x3FFFFFFF;
    const auto value = static_cast<std::uint32_t>(asked);
    return std::max(std::min(value, forced ? most_at_all : most) * 2, least);
}

Result<std::uint64_t> duration_of(std::span<const std::byte> value) {
    const auto time = CAISSON_TRY(option_value<UserTime>(value));
    if (time.microseconds < 0 || time.microseconds >= 1'000'000)
        return base::Failure{Errno::dom};
    constexpr std::int64_t most_seconds = 4'000'000'000;
    if (time.seconds < 0)
        return std::uint64_t{1}; // Linux: at once
    if (time.seconds > most_seconds)
        return std::uint64_t{0};
    return static_cast<std::uint64_t>(time.seconds) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.microseconds) * 1'000;
}

Status set_number(Socket& socket, Caller& caller, int name, std::int32_t value) {
    constexpr std::uint32_t least_send = 4608, least_receive = 2304;
    switch (name) {
    case type:
    case error:
    case protocol:
    case domain:
    case accept_connections:
    case cookie:
        return base::Failure{Errno::noprotoopt};
    case send_buffer:
    case send_buffer_force:
        if (name == send_buffer_force && !caller.administers())
            return base::Failure{Errno::perm};
        socket.send_buffer = buffer_size(value, name == send_buffer_force, least_send);
        socket.send_buffer_set = true;
        socket.changed.wake(out_events);
        return base::success;
    case receive_buffer:
    case receive_buffer_force:
        if (name == receive_buffer_force && !caller.administers())
            return base::Failure{Errno::perm};
        socket.receive_buffer = buffer_size(value, name == receive_buffer_force, least_receive);
        socket.receive_buffer_set = true;
        return base::success;
    case priority:
        if ((value < 0 || value > 6) && !caller.privileged())
            return base::Failure{Errno::perm};
        socket.priority = value;
        return base::success;
    case mark:
        if (!caller.privileged())
            return base::Failure{Errno::perm};
        socket.mark = value;
        return base::success;
    case receive_low_water:
        socket.low_water = value < 0 ? INT32_MAX : std::max(value, 1);
        return base::success;
    case bsd_compatible:
    case receive_queue_overflow:
    case busy_poll:
    case incoming_cpu:
        return base::success;
    default:
        return base::Failure{Errno::noprotoopt};
    }
}

Status set_common(Socket& socket, Caller& caller, int name, std::span<const std::byte> value) {
    if (name == bind_to_device) { // there is one: "lo"
        const std::string_view text{reinterpret_cast<const char*>(value.data()),
                                    strnlen(reinterpret_cast<const char*>(value.data()), value.size())};
        return text.empty() || text == "lo" ? Status{base::success} : base::Failure{Errno::nodev};
    }
    if (name == attach_filter || name == detach_filter || name == lock_filter)
        return base::Failure{name == detach_filter ? Errno::noent : Errno::opnotsupp};
    const std::int32_t number = CAISSON_TRY(option_number(value));
    if (bool Socket::*flag = flag_of(name)) {
        if (flag == &Socket::debug && number != 0 && !caller.administers())
            return base::Failure{Errno::acces};
        if (flag == &Socket::reuse_port && number != 0 && socket.family == family::local)
            return base::Failure{Errno::opnotsupp};
        if (flag == &Socket::pass_credentials && socket.family != family::local &&
            socket.family != family::netlink)
            return base::Failure{Errno::opnotsupp};
        socket.*flag = number != 0;
        return base::success;
    }
    switch (name) {
    case linger: {
        const auto asked = CAISSON_TRY(option_value<UserLinger>(value));
        socket.lingers = asked.on != 0;
        if (socket.lingers)
            socket.linger_seconds = static_cast<std::uint32_t>(asked.seconds);
        return base::success;
    }
    case receive_timeout:
        socket.receive_timeout = CAISSON_TRY(duration_of(value));
        return base::success;
    case send_timeout:
        socket.send_timeout = CAISSON_TRY(duration_of(value));
        return base::success;
    default:
        return set_number(socket, caller, name, number);
    }
}

UserTime time_of(std::uint64_t ns) {
    return {static_cast<std::int64_t>(ns / 1'000'000'000), static_cast<std::int64_t>(ns / 1'000 % 1'000'000)};
}

Result<std::uint32_t> get_common(Socket& socket, int name, std::span<std::byte> to) {
    const auto number = [to](auto value) { return put_option(to, static_cast<std::int32_t>(value)); };
    if (bool Socket::*flag = flag_of(name)) {
        if (flag == &Socket::pass_credentials && socket.family != family::local &&
            socket.family != family::netlink)
            return base::Failure{Errno::opnotsupp};
        return number(socket.*flag ? 1 : 0);
    }
    switch (name) {
    case type:
        return number(socket.type);
    case error:
        return number(socket.take_error());
    case domain:
        return number(socket.family);
    case protocol:
        return number(socket.protocol);
    case accept_connections:
        return number(socket.listening ? 1 : 0);
    case send_buffer:
        return number(socket.send_buffer);
    case receive_buffer:
        return number(socket.receive_buffer);
    case priority:
        return number(socket.priority);
    case mark:
        return number(socket.mark);
    case linger:
        return put_option(
            to, UserLinger{socket.lingers ? 1 : 0, static_cast<std::int32_t>(socket.linger_seconds)});
    case receive_low_water:
        return number(socket.low_water);
    case send_low_water:
        return number(1);
    case receive_timeout:
        return put_option(to, time_of(socket.receive_timeout));
    case send_timeout:
        return put_option(to, time_of(socket.send_timeout));
    case bsd_compatible:
    case receive_queue_overflow:
    case busy_poll:
    case lock_filter:
    case zero_copy:
        return number(0);
    case incoming_cpu:
        return number(-1);
    case bind_to_device:
        return 0u;
    case peer_credentials:
        return put_option(to, local::peer_of(socket));
    case peer_name: {
        Address name_of_peer;
        CAISSON_TRY(socket.kind->name(socket, End::peer, name_of_peer));
        if (name_of_peer.size < to.size())
            return base::Failure{Errno::inval};
        std::memcpy(to.data(), name_of_peer.bytes.data(), to.size());
        return static_cast<std::uint32_t>(to.size());
    }
    default:
        return base::Failure{Errno::noprotoopt};
    }
}

} // namespace

Result<std::int32_t> option_number(std::span<const std::byte> value) {
    return option_value<std::int32_t>(value);
}

Status set_option(Socket& socket, Caller& caller, int level, int name, std::span<const std::byte> value) {
    if (level == level_socket)
        return set_common(socket, caller, name, value);
    if (socket.kind->set_option == nullptr)
        return base::Failure{Errno::opnotsupp};
    return socket.kind->set_option(socket, caller, level, name, value);
}

Result<std::uint32_t> get_option(Socket& socket, int level, int name, std::span<std::byte> to) {
    if (level == level_socket)
        return get_common(socket, name, to);
    if (socket.kind->get_option == nullptr)
        return base::Failure{Errno::opnotsupp};
    return socket.kind->get_option(socket, level, name, to);
}

} // namespace uk::net
