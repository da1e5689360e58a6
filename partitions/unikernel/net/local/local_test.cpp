// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/local_test.cpp - local sockets: streams, packets, names, files in flight.
#include "partitions/unikernel/net/test_sockets.hpp"

namespace uk::net::test {
namespace {

constexpr int perm = 1, again = 11, acces = 13, inval = 22, pipe_error = 32, msgsize = 90, prototype = 91,
              addrinuse = 98, connreset = 104, isconn = 106, notconn = 107, connrefused = 111,
              inprogress = 115, nobufs = 105;
using Local = SocketTest;

TEST_F(Local, StreamsCarryBytesInOrderAndGiveRoomBack) {
    const auto [a, b] = pair(Type::stream);
    EXPECT_EQ(send(a, "hello "), 6);
    EXPECT_EQ(send(a, "world"), 5);
    EXPECT_EQ(receive(b, 8, message::peek), "hello wo");
    EXPECT_EQ(receive(b, 8), "hello wo");
    EXPECT_EQ(receive(b), "rld");
    EXPECT_EQ(receive(b), "error 11");
    const std::string large(300'000, 'x');
    EXPECT_EQ(send(a, large), Socket::default_buffer);
    EXPECT_EQ(send(a, large), -again);
    EXPECT_EQ(ready(a) & out_events, 0u);
    EXPECT_EQ(receive(b, 200'000).size(), 200'000u);
    EXPECT_NE(ready(a) & out_events, 0u);
    EXPECT_EQ(send(b, "and back"), 8);
    EXPECT_EQ(receive(a), "and back");
}

TEST_F(Local, AnEndIsSeenAfterTheBytes) {
    const auto [a, b] = pair(Type::stream);
    EXPECT_EQ(send(a, "last"), 4);
    close(a);
    EXPECT_EQ(receive(b), "last");
    EXPECT_EQ(receive(b), "");
    EXPECT_EQ(send(b, "x"), -pipe_error);
    const auto [c, d] = pair(Type::stream);
    EXPECT_EQ(send(d, "unread"), 6);
    close(c);
    EXPECT_EQ(receive(d), "error " + std::to_string(connreset));
    EXPECT_EQ(receive(d), "");
}

TEST_F(Local, NamesAreNodesOrAbstract) {
    const int s = make(family::local, Type::stream), c = make(family::local, Type::stream);
    EXPECT_EQ(bind(s, local_address("/sock")), 0);
    EXPECT_EQ(bind(s, local_address("/other")), inval);
    EXPECT_EQ(bind(c, local_address("/sock")), addrinuse);
    EXPECT_EQ(t.node("/sock")->type(), fs::mode::socket);
    EXPECT_EQ(connect(c, local_address("/sock")), connrefused);
    EXPECT_EQ(listen(s, 0), 0);
    const int d = make(family::local, Type::datagram);
    EXPECT_EQ(connect(d, local_address("/sock")), prototype);
    t.run_as(1000, 1000);
    EXPECT_EQ(connect(c, local_address("/sock")), acces);
    t.run_as(0, 0);
    EXPECT_EQ(connect(c, local_address("/sock")), 0);
    EXPECT_EQ(connect(c, local_address("/sock")), isconn);
    const int e = make(family::local, Type::stream);
    EXPECT_EQ(connect(e, local_address("/sock"), true), again);
    EXPECT_EQ(connect(e, local_address("/sock"), false), inprogress);
    const int n = accept(s);
    EXPECT_EQ(send(c, "through"), 7);
    EXPECT_EQ(receive(n), "through");
    EXPECT_EQ(connect(e, local_address("/sock")), 0);
    close(s);
    EXPECT_EQ(receive(e), "error " + std::to_string(connreset));
    EXPECT_EQ(connect(d, local_address("/sock")), connrefused);
    const int x = make(family::local, Type::stream), y = make(family::local, Type::stream);
    EXPECT_EQ(bind(x, local_address("@name")), 0);
    EXPECT_EQ(bind(y, local_address("@name")), addrinuse);
    close(x);
    EXPECT_EQ(bind(y, local_address("@name")), 0);
    allowed_objects = 6; // /sock stays in the tree
}

TEST_F(Local, DatagramsKeepTheirEndsAndTheirSender) {
    const int a = make(family::local, Type::datagram), b = make(family::local, Type::datagram);
    const Address to = local_address("@a");
    EXPECT_EQ(bind(a, to), 0);
    EXPECT_EQ(bind(b, local_address("@b")), 0);
    EXPECT_EQ(send(b, "first", 0, &to), 5);
    EXPECT_EQ(send(b, std::string(5000, 'y'), 0, &to), 5000);
    Incoming in;
    EXPECT_EQ(receive(a, in, 3), "fir");
    EXPECT_NE(in.told & message::truncated, 0u);
    EXPECT_EQ(in.whole, 5u);
    EXPECT_EQ(in.from.size, 4u);
    EXPECT_EQ(receive(a, 4000, message::peek).size(), 4000u);
    EXPECT_EQ(receive(a, 6000), std::string(5000, 'y'));
    EXPECT_EQ(send(b, std::string(212961, 'z'), 0, &to), -msgsize);
    EXPECT_EQ(connect(b, to), 0);
    int sent = 0;
    while (send(b, "x") == 1)
        ++sent;
    EXPECT_EQ(sent, 11); // max_dgram_qlen and one
    close(a);
    EXPECT_EQ(send(b, "x"), -connrefused);
    EXPECT_EQ(send(b, "x"), -notconn);
}

TEST_F(Local, ASenderIsChargedUntilItsPacketsAreReceived) {
    const auto [a, b] = pair(Type::sequenced);
    int sent = 0;
    while (send(a, "x") == 1)
        ++sent;
    EXPECT_EQ(sent, 278); // as Linux: 768 bytes each of 212,992
    EXPECT_EQ(receive(b), "x");
    EXPECT_EQ(send(a, "x"), 1);
    EXPECT_EQ(send(a, "x"), -again);
    close(a); // its account outlives it
    EXPECT_EQ(receive(b), "x");
}

TEST_F(Local, RightsArriveWithTheirBytesAndEndAMessage) {
    const auto [a, b] = pair(Type::stream);
    const auto [c, d] = pair(Type::stream);
    EXPECT_EQ(send(a, "before "), 7);
    EXPECT_EQ(send(a, "with", 0, nullptr, rights_of({c, d})), 4);
    EXPECT_EQ(send(a, "after"), 5);
    EXPECT_EQ(files_in_flight(), 2u);
    Incoming peek;
    peek.flags = message::peek;
    EXPECT_EQ(receive(b, peek), "before with");
    EXPECT_EQ(peek.rights->count, 2u);
    Incoming in;
    EXPECT_EQ(receive(b, in), "before with");
    EXPECT_EQ(in.rights->files()[0], &file(c));
    EXPECT_EQ(files_in_flight(), 0u);
    EXPECT_EQ(receive(b), "after");
}

TEST_F(Local, CirclesThatNobodyHoldsGo) {
    const auto [a, b] = pair(Type::stream);
    const auto [c, d] = pair(Type::datagram);
    EXPECT_EQ(send(a, "b in its own queue", 0, nullptr, rights_of({b, c})), 18);
    EXPECT_EQ(send(c, "a and d in d's", 0, nullptr, rights_of({a, d})), 14);
    for (const int descriptor : {a, b, c})
        close(descriptor);
    EXPECT_EQ(files_in_flight(), 4u); // d is held, and with it all
    close(d);
    close(make(family::local, Type::stream)); // the end of any local socket is when they are looked for
    EXPECT_EQ(files_in_flight(), 0u);
}

TEST_F(Local, ADeepNestGoesWithoutRecursion) {
    auto [a, b] = pair(Type::datagram);
    for (int i = 0; i < 20'000; ++i) {
        const auto [c, d] = pair(Type::datagram);
        ASSERT_EQ(send(c, "x", 0, nullptr, rights_of({a, b})), 1);
        close(a);
        close(b);
        a = c;
        b = d;
    }
    close(a);
    close(b);
    EXPECT_EQ(files_in_flight(), 0u);
}

TEST_F(Local, WithoutMemoryNothingIsLost) {
    for (std::int64_t left = 0; left < 12; ++left) {
        const auto [a, b] = pair(Type::stream);
        const auto [c, d] = pair(Type::sequenced);
        fs::host::state().allocations_left = left;
        const long sent = send(a, std::string(20'000, 'x')), packet = send(c, std::string(20'000, 'y'));
        fs::host::state().allocations_left = -1;
        EXPECT_TRUE(sent > 0 || sent == -nobufs) << sent;
        EXPECT_TRUE(packet == 20'000 || packet == -nobufs) << packet;
        if (sent > 0) {
            EXPECT_EQ(receive(b, 30'000), std::string(static_cast<std::size_t>(sent), 'x'));
        }
        if (packet > 0) {
            EXPECT_EQ(receive(d, 30'000).size(), 20'000u);
        }
        for (const int descriptor : {a, b, c, d})
            close(descriptor);
    }
}

} // namespace
} // namespace uk::net::test
