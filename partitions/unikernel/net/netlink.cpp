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

void put_link(Answer& answer, const Shown& of, std::uint16_t flags) {
    struct { // struct ifinfomsg
        std::uint8_t family, pad;
        std::uint16_t type;
        std::int32_t index;
        std::uint32_t flags, change;
    } const link{0, 0, of.type, static_cast<std::int32_t>(of.index), of.flags, 0};
    constexpr std::uint16_t address = 1, broadcast = 2, name = 3, mtu = 4, discipline = 6, queue_length = 13,
                            state = 16, mode = 17;
    constexpr std::uint8_t state_unknown = 0, state_down = 2, state_up = 6;
    std::array<std::uint8_t, 6> everybody{};
    std::uint8_t now = state_unknown;
    if (of.type == type_ethernet) {
        everybody.fill(0xFF);
        now = (of.flags & flags_running) != 0 ? state_up : state_down;
    }
    answer.begin(type::new_link, flags);
    answer.put(link);
    answer.attribute_text(name, of.name);
    answer.attribute(queue_length, std::uint32_t{1000});
    answer.attribute(state, now);
    answer.attribute(mode, std::uint8_t{0});
    answer.attribute(mtu, of.mtu);
    answer.attribute(address, of.hardware);
    answer.attribute(broadcast, everybody);
    answer.attribute_text(discipline, "noqueue");
    answer.end();
}

std::array<std::uint8_t, 4> broadcast_of(const Shown& of) {
    const IpAddress all = IpAddress::v4(of.v4.v4_value() | ~std::uint32_t{0} >> of.v4_prefix);
    return {all.octets[12], all.octets[13], all.octets[14], all.octets[15]};
}

void put_address(Answer& answer, const Shown& of, bool v6, std::uint16_t flags,
                 std::uint16_t message = type::new_address) {
    constexpr std::uint8_t permanent = 0x80, scope_host = 254, scope_universe = 0;
    constexpr std::uint32_t is_loopback = 8; // IFF_LOOPBACK
    struct {                                 // struct ifaddrmsg
        std::uint8_t family, prefix, flags, scope;
        std::uint32_t index;
    } const head{static_cast<std::uint8_t>(v6 ? family::inet6 : family::inet),
                 static_cast<std::uint8_t>(v6 ? of.v6_prefix : of.v4_prefix), permanent,
                 (of.flags & is_loopback) != 0 ? scope_host : scope_universe, of.index};
    constexpr std::uint16_t address = 1, local = 2, label = 3, broadcast = 4, long_flags = 8, cache = 6;
    constexpr std::array<std::uint32_t, 4> for_ever{~0u, ~0u, 0, 0};
    answer.begin(message, flags);
    answer.put(head);
    if (v6) {
        answer.attribute_bytes(address, std::as_bytes(std::span{of.v6.octets}));
    } else {
        const auto octets = std::as_bytes(std::span{of.v4.octets}).subspan(12);
        answer.attribute_bytes(address, octets);
        answer.attribute_bytes(local, octets);
        if (of.type == type_ethernet)
            answer.attribute(broadcast, broadcast_of(of));
        answer.attribute_text(label, of.name);
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

#if CAISSON_NETWORK
void put_more_address(Answer& answer, const Interface& of, const Interface::More& one, std::uint16_t flags,
                      std::uint16_t message = type::new_address) {
    constexpr std::uint8_t permanent = 0x80, deprecated = 0x20, scope_link = 253, scope_universe = 0,
                           subnet = 64;
    const auto address_flags =
        static_cast<std::uint8_t>((one.for_ever ? permanent : 0) | (one.old ? deprecated : 0));
    struct { // struct ifaddrmsg
        std::uint8_t family, prefix, flags, scope;
        std::uint32_t index;
    } const head{static_cast<std::uint8_t>(family::inet6), subnet, address_flags,
                 one.address.link_local() ? scope_link : scope_universe, of.index};
    constexpr std::uint16_t address = 1, long_flags = 8;
    answer.begin(message, flags);
    answer.put(head);
    answer.attribute_bytes(address, std::as_bytes(std::span{one.address.octets}));
    answer.attribute(long_flags, std::uint32_t{address_flags});
    answer.end();
}

// `to` with 0 bits: everywhere, by a gateway. `from`: the own address that is preferred for it; any: none is.
struct FarRoute {
    IpAddress to{};
    unsigned prefix = 0;
    IpAddress gateway{}, from{};
};

void put_far_route(Answer& answer, const Interface& by, const FarRoute& route, bool v6, std::uint16_t flags) {
    constexpr std::uint8_t table_main = 254, by_kernel = 2, by_boot = 3, scope_link = 253, scope_universe = 0,
                           unicast = 1;
    const bool via_gateway = route.prefix == 0;
    struct { // struct rtmsg
        std::uint8_t family, to_prefix, from_prefix, tos, table, protocol, scope, type;
        std::uint32_t flags;
    } const head{static_cast<std::uint8_t>(v6 ? family::inet6 : family::inet),
                 static_cast<std::uint8_t>(route.prefix),
                 0,
                 0,
                 table_main,
                 via_gateway ? by_boot : by_kernel,
                 via_gateway || v6 ? scope_universe : scope_link,
                 unicast,
                 0};
    constexpr std::uint16_t destination = 1, out_interface = 4, gateway = 5, preferred = 7, table = 15;
    const auto number = [&answer, v6](std::uint16_t attribute, const IpAddress& address) {
        answer.attribute_bytes(attribute, std::as_bytes(std::span{address.octets}).subspan(v6 ? 0 : 12));
    };
    answer.begin(type::new_route, flags);
    answer.put(head);
    answer.attribute(table, std::uint32_t{table_main});
    if (route.prefix != 0)
        number(destination, route.to);
    if (via_gateway)
        number(gateway, route.gateway);
    else if (!v6)
        number(preferred, route.from);
    answer.attribute(out_interface, by.index);
    answer.end();
}

// Subnets, and the gateway where there is one: what is behind none of them is not reached.
void put_far_routes(Answer& answer, std::uint16_t flags) {
    for (const Interface& by : interfaces().subspan(1)) {
        if (!by.has_v4)
            continue;
        const std::uint32_t mask = ~std::uint32_t{0} << (32 - by.v4_prefix);
        put_far_route(answer, by, {IpAddress::v4(by.v4.v4_value() & mask), by.v4_prefix, {}, by.v4}, false,
                      flags);
        if (by.has_gateway)
            put_far_route(answer, by, {{}, 0, by.gateway, {}}, false, flags);
    }
}
void put_far_routes6(Answer& answer, std::uint16_t flags) {
    constexpr unsigned subnet = 64;
    for (const Interface& by : interfaces().subspan(1)) {
        for (const Interface::More& one : by.more_v6) {
            if (one.address.any())
                continue;
            IpAddress network = one.address;
            std::fill(network.octets.begin() + subnet / 8, network.octets.end(), std::uint8_t{0});
            put_far_route(answer, by, {network, subnet, {}, {}}, true, flags);
        }
        if (!by.gateway_v6.any())
            put_far_route(answer, by, {{}, 0, by.gateway_v6, {}}, true, flags);
    }
}

// Of a request of one: its index, else its name among the attributes.
bool is_asked_for(const Interface& of, std::span<const std::byte> body) {
    constexpr std::size_t index_at = 4, attributes_at = 16, head_bytes = 4;
    constexpr std::uint16_t name = 3;
    std::uint32_t index = 0;
    if (body.size() >= attributes_at)
        std::memcpy(&index, body.data() + index_at, sizeof(index));
    if (index != 0)
        return of.index == index;
    for (auto rest = body.subspan(std::min(body.size(), attributes_at)); rest.size() >= head_bytes;) {
        std::uint16_t head[2] = {};
        std::memcpy(&head, rest.data(), sizeof(head));
        if (head[0] < head_bytes || head[0] > rest.size())
            break;
        const auto* text = static_cast<const char*>(static_cast<const void*>(rest.data())) + head_bytes;
        if (head[1] == name)
            return std::string_view{text, strnlen(text, head[0] - head_bytes)} == of.name;
        rest = rest.subspan(std::min(aligned(head[0]), rest.size()));
    }
    return of.index == loopback.index;
}
#endif

// False: there is none like that.
bool put_links(Answer& answer, [[maybe_unused]] std::span<const std::byte> body, std::uint16_t flags) {
#if CAISSON_NETWORK
    bool any = false;
    each_interface([&](const Shown& of) {
        if (answer.wants(flag::dump) || is_asked_for(of, body)) {
            put_link(answer, of, flags);
            any = true;
        }
    });
    return any;
#else
    put_link(answer, loopback, flags);
    return true;
#endif
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
        if (!put_links(answer, body, flags)) {
            put_error(answer, Errno::nodev);
            return deliver(socket, answer);
        }
        break;
    case type::get_address:
        if (!dump) {
            put_error(answer, Errno::opnotsupp);
            return deliver(socket, answer);
        }
        each_interface([&](const Shown& of) {
            if (of_family != family::inet6 && of.has_v4)
                put_address(answer, of, false, flags);
            if (of_family != family::inet && of.has_v6)
                put_address(answer, of, true, flags);
#if CAISSON_NETWORK
            for (const Interface::More& one : of.more_v6)
                if (of_family != family::inet && !one.address.any())
                    put_more_address(answer, of, one, flags);
#endif
        });
        break;
    case type::get_route:
        put_routes(answer, dump ? of_family : std::uint8_t{family::inet}, flags);
#if CAISSON_NETWORK
        if (of_family != family::inet6)
            put_far_routes(answer, flags);
        if (dump && of_family != family::inet)
            put_far_routes6(answer, flags);
#endif
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

Status set_netlink_option([[maybe_unused]] Socket& socket, Caller&, int, int name,
                          std::span<const std::byte> value) {
    constexpr int last = 12;
    [[maybe_unused]] const int number = CAISSON_TRY(option_number(value));
#if CAISSON_NETWORK
    constexpr int add = 1, leave = 2, bits = 32; // a group by its number, from 1 on
    if (name == add || name == leave) {
        if (number < 1 || number > bits)
            return base::Failure{Errno::inval};
        const std::uint32_t group = std::uint32_t{1} << (number - 1);
        std::uint32_t& groups = netlink_of(socket).groups;
        groups = name == add ? groups | group : groups & ~group;
    }
#endif
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

#if CAISSON_NETWORK
namespace {

constexpr std::uint16_t del_address = 21; // RTM_DELADDR

template <typename Put> void tell_members(std::uint32_t group, Put put) {
    for (NetlinkSocket* socket = bound; socket != nullptr; socket = socket->next) {
        if (socket->protocol != protocol_route || (socket->groups & group) == 0)
            continue;
        Answer message{Header{}, 0};
        put(message);
        if (!deliver(*socket, message).ok())
            socket->error = Errno::nobufs; // some were lost: that is what it hears
    }
}

} // namespace

void tell(const Interface& of, News news) {
    constexpr std::uint32_t of_links = 1, of_v4_addresses = 0x10; // RTMGRP_...
    tell_members(news == News::link ? of_links : of_v4_addresses, [&](Answer& message) {
        if (news == News::link)
            put_link(message, of, 0);
        else
            put_address(message, of, false, 0, news == News::address ? type::new_address : del_address);
    });
}

void tell(const Interface& of, const Interface::More& address, News news) {
    constexpr std::uint32_t of_v6_addresses = 0x100;
    tell_members(of_v6_addresses, [&](Answer& message) {
        put_more_address(message, of, address, 0, news == News::address ? type::new_address : del_address);
    });
}
#endif

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
