// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/inet_test.cpp - TCP and UDP over the loopback.
#include "partitions/unikernel/net/describe.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/inet/tcp.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"

namespace uk::net::test {
namespace {

using inet::TcpState;
constexpr int again = 11, inval = 22, pipe_error = 32, addrinuse = 98, addrnotavail = 99, netunreach = 101,
              connreset = 104, isconn = 106, notconn = 107, connrefused = 111, already = 114,
              inprogress = 115;

struct Inet : SocketTest {
    TcpState state(int descriptor) { return inet::tcp_of(at(descriptor)).state; }
    std::int32_t error_of(int descriptor) {
        std::int32_t value = -1;
        (void)get_option(at(descriptor), 1, 4, std::as_writable_bytes(std::span{&value, 1}));
        return value;
    }
    int set(int descriptor, int level, int name, std::int32_t value) {
        Caller me = caller();
        return code(set_option(at(descriptor), me, level, name, std::as_bytes(std::span{&value, 1})));
    }
};

TEST_F(Inet, APortThatIsChosenMayListen) {
    allowed_objects += 1; // which ports are kept
    const int ended = make(family::inet, Type::stream);
    inet::InetSocket& kept = inet::inet_of(at(ended));
    for (std::uint16_t port = 40000; port < 41000; ++port) {
        kept.local = {IpAddress::v4(lo), port};
        inet::tcp_ports.keep_for_a_while(kept); // as after a connection that it closed
    }
    kept.local = {};
    for (int i = 0; i < 1000; ++i) {
        const int listener = make(family::inet, Type::stream);
        EXPECT_EQ(bind(listener, inet_address(0, 0)), 0);
        EXPECT_EQ(listen(listener), 0);
        close(listener);
    }
    host::now() += 61'000'000'000;
}

TEST_F(Inet, AConnectionThatSaysNothingIsHeldBackForItsTime) {
    constexpr int level_tcp = 6, defer_accept = 9;
    const int listener = make(family::inet, Type::stream);
    EXPECT_EQ(bind(listener, inet_address(lo, 191)), 0);
    EXPECT_EQ(set(listener, level_tcp, defer_accept, 2), 0);
    EXPECT_EQ(listen(listener), 0);
    std::array<int, 3> clients{};
    for (int& client : clients) {
        client = make(family::inet, Type::stream);
        EXPECT_EQ(connect(client, inet_address(lo, 191)), 0);
    }
    EXPECT_EQ(accept(listener), -again);
    EXPECT_EQ(send(clients[1], "first"), 5);
    const int second = accept(listener);
    EXPECT_EQ(receive(second), "first");
    close(clients[2]);
    host::now() += 2'900'000'000;
    host::run_timers();
    const int closed = accept(listener); // its end came before its time
    EXPECT_EQ(receive(closed), "");
    EXPECT_EQ(accept(listener), -again);
    host::now() += 200'000'000; // three seconds: the answers after one and two more
    host::run_timers();
    EXPECT_NE(ready(listener) & in_events, 0u);
    const int first = accept(listener);
    EXPECT_EQ(receive(first), "error " + std::to_string(again));
    const int last = make(family::inet, Type::stream);
    EXPECT_EQ(connect(last, inet_address(lo, 191)), 0);
    close(listener);
    host::now() += 10'000'000'000;
    host::run_timers();
    for (const int end : {first, second, closed, clients[0], clients[1], last})
        close(end);
}

TEST_F(Inet, ASocketMayBeItsOwnPeer) {
    const int one = make(family::inet, Type::stream);
    EXPECT_EQ(bind(one, inet_address(lo, 192)), 0);
    EXPECT_EQ(connect(one, inet_address(lo, 192)), 0);
    EXPECT_EQ(send(one, "to me"), 5);
    EXPECT_EQ(receive(one), "to me");
    EXPECT_EQ(shut(one, shut_send), 0);
    EXPECT_EQ(receive(one), "");
    EXPECT_EQ(state(one), TcpState::closed);
    close(one);
    const int other = make(family::inet, Type::stream);
    EXPECT_EQ(bind(other, inet_address(lo, 193)), 0);
    EXPECT_EQ(connect(other, inet_address(lo, 193)), 0);
    EXPECT_EQ(send(other, "unread"), 6);
    close(other);
}

TEST_F(Inet, AConnectionCarriesBytesBothWays) {
    const auto [a, b] = tcp_pair(80);
    EXPECT_EQ(state(a), TcpState::established);
    EXPECT_EQ(send(a, "request"), 7);
    EXPECT_EQ(receive(b), "request");
    EXPECT_EQ(send(b, std::string(1 << 20, 'x')), 256 * 1024);
    EXPECT_EQ(send(b, "x"), -again);
    EXPECT_EQ(ready(b) & out_events, 0u);
    EXPECT_EQ(receive(a, 1 << 20).size(), 256u * 1024);
    EXPECT_NE(ready(b) & out_events, 0u);
}

TEST_F(Inet, NonBlockingConnectTellsItsEndOnce) {
    const int c = make(family::inet, Type::stream);
    EXPECT_EQ(connect(c, inet_address(lo, 81), true), inprogress);
    EXPECT_EQ(ready(c) & end_events, end_events);
    EXPECT_EQ(error_of(c), connrefused);
    EXPECT_EQ(error_of(c), 0);
    const int l = make(family::inet, Type::stream);
    EXPECT_EQ(bind(l, inet_address(lo, 81)), 0);
    EXPECT_EQ(listen(l), 0);
    const int d = make(family::inet, Type::stream);
    EXPECT_EQ(connect(d, inet_address(lo, 81), true), inprogress);
    EXPECT_EQ(connect(d, inet_address(lo, 81), true), 0);
    EXPECT_EQ(connect(d, inet_address(lo, 81), true), isconn);
    EXPECT_EQ(connect(d, inet_address(0x0A000001, 81), true), isconn);
    const int e = make(family::inet, Type::stream);
    EXPECT_EQ(connect(e, inet_address(0x0A000001, 81)), netunreach);
}

TEST_F(Inet, AFullBacklogHoldsConnectorsUntilThereIsAPlace) {
    const int l = make(family::inet, Type::stream);
    EXPECT_EQ(bind(l, inet_address(lo, 82)), 0);
    EXPECT_EQ(listen(l, 0), 0);
    const int a = make(family::inet, Type::stream), b = make(family::inet, Type::stream),
              c = make(family::inet, Type::stream);
    EXPECT_EQ(connect(a, inet_address(lo, 82), true), inprogress);
    EXPECT_EQ(connect(b, inet_address(lo, 82), true), inprogress);
    EXPECT_EQ(connect(c, inet_address(lo, 82), true), inprogress);
    EXPECT_EQ(state(b), TcpState::syn_sent);
    EXPECT_EQ(connect(b, inet_address(lo, 82), true), already);
    close(b); // goes out of the middle of the list
    EXPECT_GE(accept(l), 0);
    EXPECT_EQ(state(c), TcpState::established);
    const int d = make(family::inet, Type::stream);
    EXPECT_EQ(connect(d, inet_address(lo, 82), true), inprogress);
    close(l);
    EXPECT_EQ(error_of(d), connrefused);
    EXPECT_EQ(error_of(c), connreset);
}

TEST_F(Inet, BothSidesEndOneAfterTheOther) {
    const auto [a, b] = tcp_pair(83);
    EXPECT_EQ(shut(a, shut_send), 0);
    EXPECT_EQ(state(a), TcpState::fin_wait2);
    EXPECT_EQ(state(b), TcpState::close_wait);
    EXPECT_EQ(send(a, "x"), -pipe_error);
    EXPECT_EQ(receive(b), "");
    EXPECT_EQ(send(b, "late"), 4);
    EXPECT_EQ(receive(a), "late");
    EXPECT_EQ(shut(b, shut_send), 0);
    EXPECT_EQ(state(a), TcpState::closed);
    EXPECT_EQ(receive(a), "");
    EXPECT_EQ(shut(a, shut_both), notconn);
}

TEST_F(Inet, AResetIsToldOnceBehindTheBytes) {
    const auto [a, b] = tcp_pair(84);
    EXPECT_EQ(send(a, "unread"), 6);
    EXPECT_EQ(send(b, "kept"), 4);
    close(b);
    EXPECT_EQ(receive(a), "kept");
    EXPECT_EQ(receive(a), "error " + std::to_string(connreset));
    EXPECT_EQ(receive(a), "");
    const auto [c, d] = tcp_pair(85);
    close(d);
    EXPECT_EQ(send(c, "answered with a reset"), 21);
    EXPECT_EQ(send(c, "x"), -pipe_error);
}

TEST_F(Inet, UrgentBytesAreBesideTheStream) {
    const auto [a, b] = tcp_pair(86);
    EXPECT_EQ(send(a, "abC", message::out_of_band), 3);
    EXPECT_EQ(send(a, "de"), 2);
    EXPECT_NE(ready(b) & fs::ready::priority, 0u);
    EXPECT_EQ(receive(b), "ab");
    EXPECT_EQ(receive(b, 1, message::out_of_band), "C");
    EXPECT_EQ(receive(b, 1, message::out_of_band), "error " + std::to_string(inval));
    EXPECT_EQ(receive(b), "de");
    EXPECT_EQ(set(b, 1, 10, 1), 0);
    EXPECT_EQ(send(a, "12", message::out_of_band), 2);
    EXPECT_EQ(receive(b), "1");
    EXPECT_EQ(receive(b), "2");
}

TEST_F(Inet, PortsAreSharedOnlyWhenBothAgree) {
    const int a = make(family::inet, Type::stream), b = make(family::inet, Type::stream),
              c = make(family::inet6, Type::stream);
    EXPECT_EQ(bind(a, inet_address(0, 87)), 0);
    EXPECT_EQ(bind(b, inet_address(lo, 87)), addrinuse);
    EXPECT_EQ(bind(c, inet6_address(any_v6, 87)), addrinuse);
    EXPECT_EQ(set(c, 41, 26, 1), 0); // IPV6_V6ONLY
    EXPECT_EQ(bind(c, inet6_address(any_v6, 87)), 0);
    EXPECT_EQ(bind(b, inet_address(0x0A000001, 87)), addrnotavail);
    EXPECT_EQ(set(a, 1, 2, 1), 0);
    EXPECT_EQ(set(b, 1, 2, 1), 0); // SO_REUSEADDR
    EXPECT_EQ(bind(b, inet_address(lo, 87)), 0);
    EXPECT_EQ(listen(a), 0);
    EXPECT_EQ(listen(b), addrinuse);
}

TEST_F(Inet, WhoClosesFirstKeepsThePortForAMinute) {
    auto [a, b] = tcp_pair(88);
    close(b);
    close(a);
    const int s = make(family::inet, Type::stream);
    EXPECT_EQ(bind(s, inet_address(lo, 88)), addrinuse);
    host::now() += 61'000'000'000;
    EXPECT_EQ(bind(s, inet_address(lo, 88)), 0);
    auto [c, d] = tcp_pair(89);
    close(c);
    close(d);
    EXPECT_EQ(bind(make(family::inet, Type::stream), inet_address(lo, 89)), 0);
}

TEST_F(Inet, DataAdmitsADeferredConnection) {
    const int l = make(family::inet, Type::stream), c = make(family::inet, Type::stream);
    EXPECT_EQ(bind(l, inet_address(lo, 90)), 0);
    EXPECT_EQ(set(l, 6, 9, 5), 0);
    EXPECT_EQ(listen(l), 0);
    EXPECT_EQ(connect(c, inet_address(lo, 90)), 0);
    EXPECT_EQ(accept(l), -again);
    EXPECT_EQ(send(c, "now"), 3);
    EXPECT_EQ(receive(accept(l)), "now");
    const int d = make(family::inet, Type::stream);
    EXPECT_EQ(connect(d, inet_address(lo, 90)), 0);
    close(l); // with one that was never told
    EXPECT_EQ(error_of(d), connreset);
}

TEST_F(Inet, DatagramsReachTheBestReceiver) {
    const int any = make(family::inet6, Type::datagram), one = make(family::inet, Type::datagram),
              c = make(family::inet, Type::datagram);
    EXPECT_EQ(set(any, 1, 2, 1), 0);
    EXPECT_EQ(set(one, 1, 2, 1), 0);
    EXPECT_EQ(bind(any, inet6_address(any_v6, 91)), 0);
    EXPECT_EQ(bind(one, inet_address(lo, 91)), 0);
    const Address to_one = inet_address(lo, 91), to_any = inet_address(0x7F000002, 91),
                  to_nobody = inet_address(lo, 92);
    EXPECT_EQ(send(c, "one", 0, &to_one), 3);
    EXPECT_EQ(send(c, "any", 0, &to_any), 3);
    EXPECT_EQ(receive(one), "one");
    Incoming in;
    EXPECT_EQ(receive(any, in), "any");
    EXPECT_EQ(in.from.size, inet6_bytes);
    EXPECT_EQ(send(c, "lost", 0, &to_nobody), 4);
    EXPECT_EQ(connect(c, to_nobody), 0);
    EXPECT_EQ(send(c, "refused"), 7);
    EXPECT_EQ(send(c, "x"), -connrefused);
    EXPECT_EQ(send(c, std::string(65508, 'x'), 0, &to_one), -90);
    EXPECT_EQ(send(c, std::string(65507, 'x'), 0, &to_one), 65507);
    EXPECT_EQ(receive(one, 70'000).size(), 65507u);
}

// RFC 3828: a protocol of its own.
TEST_F(Inet, UdpLiteHasPortsOfItsOwn) {
    const int plain = make(family::inet, Type::datagram), lite = make(family::inet, Type::datagram, 136),
              from_plain = make(family::inet, Type::datagram, 17),
              from_lite = make(family::inet, Type::datagram, 136);
    const Address to = inet_address(lo, 94);
    EXPECT_EQ(bind(lite, to), 0);
    EXPECT_EQ(send(from_plain, "nobody", 0, &to), 6);
    EXPECT_EQ(bind(plain, to), 0);
    EXPECT_EQ(send(from_plain, "plain", 0, &to), 5);
    EXPECT_EQ(send(from_lite, "lite", 0, &to), 4);
    EXPECT_EQ(receive(plain), "plain");
    EXPECT_EQ(receive(lite), "lite");
    EXPECT_EQ(receive(lite, 10, 0x40), "error 11");
    EXPECT_EQ(bind(make(family::inet, Type::datagram, 136), to), addrinuse);
    EXPECT_EQ(make(family::inet, Type::datagram, 132), -93);
}

TEST_F(Inet, TheTextsNameEnds) {
    const int l = make(family::inet, Type::stream);
    EXPECT_EQ(bind(l, inet_address(lo, 93)), 0);
    EXPECT_EQ(listen(l), 0);
    fs::TextSink text;
    describe_tcp(false, text);
    EXPECT_NE(text.view().find("0: 0100007F:005D 00000000:0000 0A 00000000:00000000"), std::string_view::npos)
        << text.view();
}

TEST_F(Inet, NumbersAreCheckedAndTold) {
    const int s = make(family::inet, Type::stream);
    EXPECT_EQ(set(s, 6, 4, 0), inval); // TCP_KEEPIDLE
    EXPECT_EQ(set(s, 6, 4, 40), 0);
    std::int32_t value = 0;
    EXPECT_EQ(get_option(at(s), 6, 4, std::as_writable_bytes(std::span{&value, 1})).value(), 4u);
    EXPECT_EQ(value, 40);
    EXPECT_EQ(set(s, 41, 26, 1), 92); // no option of IPv6 on a socket of IPv4
    EXPECT_EQ(set(s, 1, 99, 1), 92);
}

} // namespace
} // namespace uk::net::test
