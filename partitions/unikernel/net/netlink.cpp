// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/netlink.cpp - requests and their answers.
// Spec: netlink(7), rtnetlink(7), RFC 3549.
#include "partitions/unikernel/net/netlink.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/interfaces.hpp"

#include <algorithm>
#include <cstring>

namespace uk::net::netlink {

namespace {

constexpr int protocol_route = 0, protocol_uevent = 15;

struct NetlinkSocket : Socket {
    std::uint32_t port = 0, groups = 0;
    NetlinkSocket* next = nullptr;
    PacketQueue packets;
};
NetlinkSocket& netlink_of(Socket& socket) {
    return static_cast<NetlinkSocket&>(socket);
}
NetlinkSocket* bound = nullptr;

struct Header { // struct nlmsghdr
    std::uint32_t bytes;
    std::uint16_t type, flags;
    std::uint32_t sequence, port;
};
static_assert(sizeof(Header) == 16);

namespace type {
constexpr std::uint16_t error = 2, done = 3, first_of_families = 16;
constexpr std::uint16_t new_link = 16, get_link = 18, new_address = 20, get_address = 22, new_route = 24,
                        get_route = 26, get_neighbour = 30, get_rule = 34;
} // namespace type
namespace flag {
constexpr std::uint16_t request = 1, multi = 2, acknowledge = 4, dump = 0x300;
}

constexpr std::size_t aligned(std::size_t bytes) {
    return (bytes + 3) & ~std::size_t{3};
}

// Messages one after the other, as they are received: one datagram.
class Answer {
public:
    explicit Answer(const Header& asked, std::uint32_t port) : asked_(asked), port_(port) {}

    void begin(std::uint16_t type, std::uint16_t flags) {
        start_ = size_;
        put(Header{0, type, flags, asked_.sequence, port_});
    }
    template <typename T> void put(const T& value) {
        put_bytes(std::as_bytes(std::span{&value, 1}));
        pad();
    }
    template <typename T> void attribute(std::uint16_t type, const T& value) {
        attribute_bytes(type, std::as_bytes(std::span{&value, 1}));
    }
    void attribute_bytes(std::uint16_t type, std::span<const std::byte> value) {
        const std::uint16_t head[2] = {static_cast<std::uint16_t>(sizeof(head) + value.size()), type};
        put_bytes(std::as_bytes(std::span{head}));
        put_bytes(value);
        pad();
    }
    void attribute_text(std::uint16_t type, std::string_view text) {
        std::array<char, 16> with_nul{};
        std::copy_n(text.begin(), std::min(text.size(), with_nul.size() - 1), with_nul.begin());
        attribute_bytes(type, std::as_bytes(std::span{with_nul}).first(text.size() + 1));
    }
    void end() {
        const auto bytes = static_cast<std::uint32_t>(size_ - start_);
        std::memcpy(buffer_.data() + start_, &bytes, sizeof(bytes));
    }
    [[nodiscard]] std::span<const std::byte> view() const { return {buffer_.data(), size_}; }
    [[nodiscard]] bool wants(std::uint16_t flags) const { return (asked_.flags & flags) == flags; }
    [[nodiscard]] const Header& asked() const { return asked_; }

private:
    void put_bytes(std::span<const std::byte> bytes) {
        const std::size_t part = std::min(bytes.size(), buffer_.size() - size_);
        std::memcpy(buffer_.data() + size_, bytes.data(), part);
        size_ += part;
    }
    void pad() {
        const std::size_t whole = std::min(aligned(size_), buffer_.size());
        std::memset(buffer_.data() + size_, 0, whole - size_);
        size_ = whole;
    }

    Header asked_;
    std::uint32_t port_;
    std::array<std::byte, 1024> buffer_; // everything there is to tell takes less
    std::size_t size_ = 0, start_ = 0;
};

void put_link(Answer& answer, std::uint16_t flags) {
    struct { // struct ifinfomsg
        std::uint8_t family, pad;
        std::uint16_t type;
        std::int32_t index;
        std::uint32_t flags, change;
    } const link{0, 0, loopback.type, static_cast<std::int32_t>(loopback.index), loopback.flags, 0};
    constexpr std::uint16_t address = 1, broadcast = 2, name = 3, mtu = 4, discipline = 6, queue_length = 13,
                            state = 16, mode = 17;
    constexpr std::array<std::uint8_t, 6> zero{};
    answer.begin(type::new_link, flags);
    answer.put(link);
    answer.attribute_text(name, loopback.name);
    answer.attribute(queue_length, std::uint32_t{1000});
    answer.attribute(state, std::uint8_t{0});
    answer.attribute(mode, std::uint8_t{0});
    answer.attribute(mtu, loopback.mtu);
    answer.attribute(address, zero);
    answer.attribute(broadcast, zero);
    answer.attribute_text(discipline, "noqueue");
    answer.end();
}

void put_address(Answer& answer, bool v6, std::uint16_t flags) {
    constexpr std::uint8_t permanent = 0x80, scope_host = 254;
    struct { // struct ifaddrmsg
        std::uint8_t family, prefix, flags, scope;
        std::uint32_t index;
    } const head{static_cast<std::uint8_t>(v6 ? family::inet6 : family::inet),
                 static_cast<std::uint8_t>(v6 ? loopback.v6_prefix : loopback.v4_prefix), permanent,
                 scope_host, loopback.index};
    constexpr std::uint16_t address = 1, local = 2, label = 3, long_flags = 8, cache = 6;
    constexpr std::array<std::uint32_t, 4> for_ever{~0u, ~0u, 0, 0};
    answer.begin(type::new_address, flags);
    answer.put(head);
    if (v6) {
        answer.attribute_bytes(address, std::as_bytes(std::span{loopback.v6.octets}));
    } else {
        const auto octets = std::as_bytes(std::span{loopback.v4.octets}).subspan(12);
        answer.attribute_bytes(address, octets);
        answer.attribute_bytes(local, octets);
        answer.attribute_text(label, loopback.name);
    }
    answer.attribute(cache, for_ever);
    answer.attribute(long_flags, std::uint32_t{permanent});
    answer.end();
}

void put_route(Answer& answer, std::uint8_t of_family, const IpAddress& to, std::uint8_t prefix,
               std::uint8_t kind, std::uint16_t flags) {
    constexpr std::uint8_t table_local = 255, by_kernel = 2, scope_host = 254, scope_link = 253,
                           unicast_local = 2;
    struct { // struct rtmsg
        std::uint8_t family, to_prefix, from_prefix, tos, table, protocol, scope, type;
        std::uint32_t flags;
    } const head{of_family,
                 prefix,
                 0,
                 0,
                 table_local,
                 by_kernel,
                 of_family == family::inet6 ? std::uint8_t{0}
                                            : (kind == unicast_local ? scope_host : scope_link),
                 kind,
                 0};
    constexpr std::uint16_t destination = 1, out_interface = 4, preferred = 7, table = 15;
    answer.begin(type::new_route, flags);
    answer.put(head);
    answer.attribute(table, std::uint32_t{table_local});
    const auto octets = std::as_bytes(std::span{to.octets});
    answer.attribute_bytes(destination, of_family == family::inet6 ? octets : octets.subspan(12));
    if (of_family == family::inet)
        answer.attribute_bytes(preferred, std::as_bytes(std::span{loopback.v4.octets}).subspan(12));
    answer.attribute(out_interface, loopback.index);
    answer.end();
}

void put_routes(Answer& answer, std::uint8_t of_family, std::uint16_t flags) {
    constexpr std::uint8_t kind_local = 2, kind_broadcast = 3;
    if (of_family != family::inet6) {
        put_route(answer, family::inet, IpAddress::v4(0x7F000000), 8, kind_local, flags);
        put_route(answer, family::inet, loopback.v4, 32, kind_local, flags);
        put_route(answer, family::inet, IpAddress::v4(0x7FFFFFFF), 32, kind_broadcast, flags);
    }
    if (of_family != family::inet)
        put_route(answer, family::inet6, loopback.v6, 128, kind_local, flags);
}

void put_error(Answer& answer, Errno error) {
    answer.begin(type::error, 0);
    answer.put(-static_cast<std::int32_t>(error));
    answer.put(answer.asked());
    answer.end();
}

Status deliver(NetlinkSocket& socket, const Answer& answer) {
    if (answer.view().empty())
        return base::success;
    fs::Origin from{answer.view()};
    OwnedPacket packet = CAISSON_TRY(make_packet(from));
    if (socket.packets.charged() + packet->charge > socket.receive_buffer) {
        socket.error = Errno::nobufs;
        return base::success;
    }
    socket.packets.add(std::move(packet));
    socket.changed.wake(in_events);
    return base::success;
}

// One request of `body` behind its header.
Status answer_request(NetlinkSocket& socket, const Header& asked, std::span<const std::byte> body) {
    Answer answer{asked, socket.port};
    if ((asked.flags & flag::request) == 0 || asked.type < type::first_of_families) {
        if ((asked.flags & flag::acknowledge) != 0)
            put_error(answer, Errno{});
        return deliver(socket, answer);
    }
    const std::uint8_t of_family = body.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(body[0]);
    const bool dump = answer.wants(flag::dump);
    const std::uint16_t flags = dump ? flag::multi : 0;
    switch (asked.type) {
    case type::get_link:
        put_link(answer, flags);
        break;
    case type::get_address:
        if (!dump) {
            put_error(answer, Errno::opnotsupp);
            return deliver(socket, answer);
        }
        if (of_family != family::inet6)
            put_address(answer, false, flags);
        if (of_family != family::inet)
            put_address(answer, true, flags);
        break;
    case type::get_route:
        put_routes(answer, dump ? of_family : std::uint8_t{family::inet}, flags);
        break;
    case type::get_neighbour: // nobody beside us on the loopback, no rules but the usual ones
    case type::get_rule:
        if (dump)
            break;
        [[fallthrough]];
    default:
        put_error(answer, asked.type % 4 == 2 ? Errno::opnotsupp : Errno::perm);
        return deliver(socket, answer);
    }
    if (dump) { // what there is in one datagram, the end in another
        CAISSON_TRY(deliver(socket, answer));
        Answer last{asked, socket.port};
        last.begin(type::done, flag::multi);
        last.put(std::int32_t{0});
        last.end();
        return deliver(socket, last);
    }
    if (answer.wants(flag::acknowledge))
        put_error(answer, Errno{});
    return deliver(socket, answer);
}

bool port_taken(int protocol, std::uint32_t port) {
    for (const NetlinkSocket* socket = bound; socket != nullptr; socket = socket->next)
        if (socket->protocol == protocol && socket->port == port)
            return true;
    return false;
}

void enter(NetlinkSocket& socket, std::uint32_t port) {
    socket.port = port;
    socket.next = bound;
    bound = &socket;
}

// The process's number, as everybody expects, or one that no process has.
void bind_to_free_port(NetlinkSocket& socket, int process) {
    auto port = static_cast<std::uint32_t>(process);
    for (std::uint32_t next = ~std::uint32_t{0} - 4096; port_taken(socket.protocol, port); --next)
        port = next;
    enter(socket, port);
}

struct UserAddress { // struct sockaddr_nl
    std::uint16_t family, pad;
    std::uint32_t port, groups;
};

Result<UserAddress> decode_address(const Address& address) {
    UserAddress out{};
    if (address.size < sizeof(out))
        return base::Failure{Errno::inval};
    std::memcpy(&out, address.bytes.data(), sizeof(out));
    if (out.family != family::netlink)
        return base::Failure{Errno::inval};
    return out;
}

Status bind(Socket& base_socket, Caller& caller, const Address& address) {
    NetlinkSocket& socket = netlink_of(base_socket);
    const UserAddress asked = CAISSON_TRY(decode_address(address));
    if (socket.port != 0 && asked.port != socket.port)
        return base::Failure{Errno::inval};
    if (socket.port == 0 && asked.port != 0) {
        if (port_taken(socket.protocol, asked.port))
            return base::Failure{Errno::addrinuse};
        enter(socket, asked.port);
    } else if (socket.port == 0) {
        bind_to_free_port(socket, caller.process);
    }
    socket.groups = asked.groups;
    return base::success;
}

Status connect(Socket& base_socket, Caller& caller, const Address& address, bool, WaitQueue*&) {
    NetlinkSocket& socket = netlink_of(base_socket);
    if (address.family() == family::unspecified)
        return base::success;
    const UserAddress asked = CAISSON_TRY(decode_address(address));
    if (asked.port != 0)
        return base::Failure{Errno::perm};
    if (socket.port == 0)
        bind_to_free_port(socket, caller.process);
    return base::success;
}

Status listen(Socket&, Caller&, int) {
    return base::Failure{Errno::opnotsupp};
}
Result<Socket*> accept(Socket&) {
    return base::Failure{Errno::opnotsupp};
}
Status shut_down(Socket&, unsigned) {
    return base::Failure{Errno::opnotsupp};
}

Result<std::uint64_t> send(Socket& base_socket, fs::Origin& from, Outgoing& out) {
    NetlinkSocket& socket = netlink_of(base_socket);
    constexpr std::size_t most = 4096;
    if ((out.flags & message::out_of_band) != 0)
        return base::Failure{Errno::opnotsupp};
    if (out.to != nullptr && CAISSON_TRY(decode_address(*out.to)).port != 0)
        return base::Failure{Errno::connrefused}; // to other programs: nobody receives
    if (from.left() > most)
        return base::Failure{Errno::msgsize};
    if (socket.port == 0)
        bind_to_free_port(socket, out.caller.process);
    mm::Owned<std::array<std::byte, most>> copy{mm::make<std::array<std::byte, most>>()};
    if (!copy)
        return base::Failure{Errno::nobufs};
    std::span<std::byte> rest{copy->data(), from.left()};
    const std::uint64_t bytes = rest.size();
    CAISSON_TRY(from.take(rest));
    while (socket.protocol == protocol_route && rest.size() >= sizeof(Header)) {
        Header asked{};
        std::memcpy(&asked, rest.data(), sizeof(asked));
        if (asked.bytes < sizeof(Header) || asked.bytes > rest.size())
            break;
        CAISSON_TRY(
            answer_request(socket, asked, rest.subspan(sizeof(Header), asked.bytes - sizeof(Header))));
        rest = rest.subspan(std::min(aligned(asked.bytes), rest.size()));
    }
    return bytes;
}

Result<std::uint64_t> receive(Socket& base_socket, fs::Destination& to, Incoming& in) {
    NetlinkSocket& socket = netlink_of(base_socket);
    if ((in.flags & message::out_of_band) != 0)
        return base::Failure{Errno::opnotsupp};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    Packet* packet = socket.packets.first();
    if (packet == nullptr)
        return base::Failure{Errno::again};
    const bool peek = (in.flags & message::peek) != 0;
    const std::uint64_t went = CAISSON_TRY(read_packet(*packet, to, peek));
    in.whole = packet->bytes;
    in.told |= went < packet->bytes ? message::truncated : 0;
    const UserAddress kernel{family::netlink, 0, 0, 0};
    in.from.set(std::as_bytes(std::span{&kernel, 1}));
    if (!peek)
        socket.packets.take().reset();
    return went;
}

Status name_of(Socket& base_socket, End which, Address& to) {
    const NetlinkSocket& socket = netlink_of(base_socket);
    const bool of_peer = which != End::own;
    const UserAddress name{family::netlink, 0, of_peer ? 0 : socket.port, of_peer ? 0 : socket.groups};
    to.set(std::as_bytes(std::span{&name, 1}));
    return base::success;
}

Status set_netlink_option(Socket&, Caller&, int, int name, std::span<const std::byte> value) {
    constexpr int last = 12;
    (void)CAISSON_TRY(option_number(value));
    return name >= 1 && name <= last ? Status{base::success} : base::Failure{Errno::noprotoopt};
}

Result<std::uint32_t> get_netlink_option(Socket&, int, int, std::span<std::byte>) {
    return base::Failure{Errno::noprotoopt};
}

Result<std::uint64_t> control(Socket& base_socket, std::uint32_t request) {
    NetlinkSocket& socket = netlink_of(base_socket);
    if (request == fs::control::bytes_waiting)
        return socket.packets.empty() ? 0 : socket.packets.first()->bytes;
    return base::Failure{Errno::notty};
}

std::uint32_t readiness(Socket& base_socket) {
    NetlinkSocket& socket = netlink_of(base_socket);
    return out_events | (socket.packets.empty() ? 0 : in_events) |
           (socket.error != Errno{} ? fs::ready::error : 0);
}

void release(Socket& base_socket) {
    NetlinkSocket& socket = netlink_of(base_socket);
    for (NetlinkSocket** link = &bound; *link != nullptr; link = &(*link)->next)
        if (*link == &socket) {
            *link = socket.next;
            break;
        }
    mm::destroy(&socket);
}

const SocketKind netlink_kind{.bind = bind,
                              .connect = connect,
                              .listen = listen,
                              .accept = accept,
                              .send = send,
                              .receive = receive,
                              .shut_down = shut_down,
                              .name = name_of,
                              .set_option = set_netlink_option,
                              .get_option = get_netlink_option,
                              .control = control,
                              .readiness = readiness,
                              .release = release};

} // namespace

Result<Socket*> make(Type type, int protocol) {
    if (type != Type::raw && type != Type::datagram)
        return base::Failure{Errno::socktnosupport};
    if (protocol != protocol_route && protocol != protocol_uevent)
        return base::Failure{Errno::protonosupport};
    auto* socket = mm::make<NetlinkSocket>();
    if (socket == nullptr)
        return base::Failure{Errno::nobufs};
    socket->kind = &netlink_kind;
    socket->type = type;
    socket->protocol = protocol;
    return socket;
}

} // namespace uk::net::netlink
