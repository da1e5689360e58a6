// SPDX-License-Identifier: Apache-2.0
#include "partitions/lane/wire_test.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>

namespace {

using namespace lane_test;
using Bytes = std::vector<unsigned char>;

Bytes packet_of(std::uint64_t number, std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i)
        out[i] = static_cast<unsigned char>(number * 131 + i * 7 + (i >> 8));
    return out;
}

bool send(Wire& wire, unsigned from, const Bytes& packet, unsigned flags = 0) {
    return caisson_end_send(&wire.ends[from], packet.data(), static_cast<unsigned>(packet.size()), flags) !=
           0;
}

// The next packet; nothing where none is there. The buffer is exactly as long as it must be.
std::optional<Bytes> receive(Wire& wire, unsigned at, unsigned* flags = nullptr) {
    const auto buffer = std::make_unique<unsigned char[]>(CAISSON_LANE_PACKET_MAX);
    unsigned got = 0;
    const unsigned size = caisson_end_receive(&wire.ends[at], buffer.get(), &got);
    if (flags != nullptr)
        *flags = got;
    return size == 0 ? std::nullopt : std::optional<Bytes>{Bytes(buffer.get(), buffer.get() + size)};
}

struct Lane : testing::Test {
    Wire wire;
    void SetUp() override {
        wire.start(0);
        wire.start(1);
    }
    void TearDown() override { between = nullptr; }
};

TEST_F(Lane, PacketsComeAsTheyWereSent) {
    std::uint64_t sent = 0, received = 0, state = 1;
    const auto size_of = [](std::uint64_t number) { return 1 + number * 2741 % CAISSON_LANE_PACKET_MAX; };
    while (received < 4000) {
        state = state * 6364136223846793005 + 1;
        if ((state >> 60) < 8 && send(wire, 0, packet_of(sent, size_of(sent)), static_cast<unsigned>(sent)))
            ++sent;
        unsigned flags = 0;
        if (const auto packet = (state >> 40 & 1) != 0 ? receive(wire, 1, &flags) : std::nullopt) {
            ASSERT_EQ(*packet, packet_of(received, size_of(received)));
            ASSERT_EQ(flags, static_cast<unsigned>(received));
            ++received;
        }
    }
    EXPECT_GT(wire.ends[0].head, std::uint64_t{100} * ring_bytes); // and around
    EXPECT_EQ(wire.ends[1].lies + wire.ends[0].lies, 0u);
}

TEST_F(Lane, NoRoomIsAnAnswer) {
    const Bytes packet = packet_of(1, 8000);
    unsigned sent = 0;
    while (send(wire, 0, packet))
        ++sent;
    EXPECT_EQ(sent, ring_bytes / 8008);
    EXPECT_TRUE(receive(wire, 1));
    EXPECT_TRUE(send(wire, 0, packet_of(2, 4000)));
    EXPECT_FALSE(send(wire, 0, packet_of(1, CAISSON_LANE_PACKET_MAX + 1)));
    EXPECT_FALSE(send(wire, 0, {}));
    for (unsigned i = 1; i < sent; ++i)
        EXPECT_EQ(receive(wire, 1), packet);
    EXPECT_EQ(receive(wire, 1), packet_of(2, 4000));
    EXPECT_FALSE(receive(wire, 1));
}

TEST_F(Lane, ARingOnlyWhereItIsWished) {
    caisson_end& one = wire.ends[0];
    caisson_end& other = wire.ends[1];
    ASSERT_TRUE(send(wire, 0, packet_of(1, 10)));
    caisson_end_flush(&one);
    EXPECT_EQ(wire.rings[1], 1u); // it knows nothing of the other yet
    EXPECT_TRUE(receive(wire, 1));
    EXPECT_FALSE(receive(wire, 0)); // reads, so that it has met the other
    wire.rings = {};
    for (unsigned i = 0; i < 5; ++i)
        ASSERT_TRUE(send(wire, 0, packet_of(i, 10)));
    caisson_end_flush(&one);
    EXPECT_EQ(wire.rings[1], 0u); // the other is awake
    EXPECT_NE(caisson_end_arm(&other, 0), 0);
    while (receive(wire, 1)) {
    }
    EXPECT_EQ(caisson_end_arm(&other, 0), 0); // it may sleep
    for (unsigned i = 0; i < 5; ++i)
        ASSERT_TRUE(send(wire, 0, packet_of(i, 10)));
    caisson_end_flush(&one);
    caisson_end_flush(&one);
    EXPECT_EQ(wire.rings[1], 1u);
    ASSERT_TRUE(send(wire, 0, packet_of(6, 10)));
    caisson_end_flush(&one);
    EXPECT_EQ(wire.rings[1], 1u); // its wish is done with
    caisson_end_disarm(&other);
    // Room.
    while (send(wire, 0, packet_of(7, 5000))) {
    }
    EXPECT_EQ(caisson_end_arm(&one, 5000), 0);
    wire.rings = {};
    caisson_end_flush(&other);
    EXPECT_EQ(wire.rings[0], 0u); // nothing was read
    ASSERT_TRUE(receive(wire, 1));
    caisson_end_flush(&other);
    EXPECT_EQ(wire.rings[0], 1u);
    while (receive(wire, 1)) {
    }
    EXPECT_NE(caisson_end_arm(&one, 5000), 0);
}

TEST_F(Lane, ANewLifeReadsNothingOfTheOld) {
    ASSERT_TRUE(send(wire, 0, packet_of(1, 100)));
    ASSERT_TRUE(receive(wire, 1));
    ASSERT_TRUE(send(wire, 0, packet_of(2, 100)));
    wire.start(1); // the reader: what was for its last life is gone
    EXPECT_FALSE(receive(wire, 1));
    ASSERT_TRUE(send(wire, 0, packet_of(3, 100)));
    EXPECT_EQ(receive(wire, 1), packet_of(3, 100));
    ASSERT_TRUE(send(wire, 0, packet_of(4, 100)));
    wire.start(0); // the writer: what it had not delivered is gone
    EXPECT_FALSE(receive(wire, 1));
    EXPECT_FALSE(receive(wire, 0));
    ASSERT_TRUE(send(wire, 0, packet_of(5, 100)));
    EXPECT_EQ(receive(wire, 1), packet_of(5, 100));
    ASSERT_TRUE(send(wire, 1, packet_of(6, 100)));
    EXPECT_EQ(receive(wire, 0), packet_of(6, 100));
    EXPECT_EQ(wire.ends[0].lies + wire.ends[1].lies, 0u);
}

TEST_F(Lane, AFullRingForADeadReaderIsGivenToTheNext) {
    ASSERT_TRUE(send(wire, 0, packet_of(1, 100)));
    ASSERT_TRUE(receive(wire, 1));
    while (send(wire, 0, packet_of(2, 5000))) {
    }
    wire.start(1);
    EXPECT_FALSE(send(wire, 0, packet_of(3, 5000))); // it has not said yet where it reads
    EXPECT_FALSE(receive(wire, 1));
    EXPECT_TRUE(send(wire, 0, packet_of(3, 5000)));
    EXPECT_EQ(receive(wire, 1), packet_of(3, 5000));
}

struct Lie {
    const char* name;
    std::function<void(Wire&)>
        tell; // by end 0, of the packet of 100 bytes at position 0 or of what lies behind
};
void set_record(Wire& wire, unsigned length, unsigned flags) {
    const std::array<unsigned, 2> record{length, flags};
    std::memcpy(wire.ring(0), record.data(), sizeof record);
}
const std::array lies{
    Lie{"head beyond the ring", [](Wire& w) { w.lane(0).header.head = ring_bytes + 8; }},
    Lie{"head far beyond", [](Wire& w) { w.lane(0).header.head = ~0ull << 3; }},
    Lie{"head off", [](Wire& w) { w.lane(0).header.head += 1; }},
    Lie{"no length", [](Wire& w) { set_record(w, 0, 0); }},
    Lie{"too long", [](Wire& w) { set_record(w, CAISSON_LANE_PACKET_MAX + 1, 0); }},
    Lie{"endless", [](Wire& w) { set_record(w, ~0u, 0); }},
    Lie{"beyond what is there", [](Wire& w) { set_record(w, 113, 0); }},
    Lie{"a filler of the whole ring",
        [](Wire& w) {
            set_record(w, 0, CAISSON_LANE_FILLER);
            w.lane(0).header.head = ring_bytes;
        }},
    Lie{"another life", [](Wire& w) { w.lane(0).header.life += 1; }},
    Lie{"no life", [](Wire& w) { w.lane(0).header.life = 0; }},
    Lie{"no magic", [](Wire& w) { w.lane(0).header.magic = 0; }},
    Lie{"version", [](Wire& w) { w.lane(0).header.version = 2; }},
    Lie{"size", [](Wire& w) { w.lane(0).header.ring_bytes *= 2; }},
};

// Told before the lane has been looked at, and afterwards where it still matters then.
TEST(Lanes, WhoLiesIsNotBelievedInThatLife) {
    for (const bool met : {false, true})
        for (const Lie& lie : lies) {
            const std::string name = lie.name;
            if (met ? name == "version" || name == "size" : name == "no magic")
                continue; // looked at only once; nothing published yet
            Wire wire;
            wire.start(0);
            wire.start(1);
            if (met) {
                EXPECT_FALSE(receive(wire, 1));
            }
            ASSERT_TRUE(send(wire, 0, packet_of(1, 100)));
            const caisson_lane_header good = wire.lane(0).header;
            lie.tell(wire);
            for (unsigned i = 0; i < 4; ++i)
                EXPECT_FALSE(receive(wire, 1)) << name;
            EXPECT_EQ(wire.ends[1].lies, 1u) << name << met;
            // Amends change nothing, and neither does a generation that it made up.
            wire.lane(0).header = good;
            set_record(wire, 100, 0);
            EXPECT_FALSE(receive(wire, 1)) << name;
            wire.lane(0).header.life += 1;
            EXPECT_FALSE(receive(wire, 1)) << name;
            EXPECT_EQ(wire.ends[1].lies, 1u) << name;
            wire.start(0);
            ASSERT_TRUE(send(wire, 0, packet_of(2, 100)));
            EXPECT_EQ(receive(wire, 1), packet_of(2, 100)) << name;
        }
}

TEST_F(Lane, ARecordAcrossTheEndIsALie) {
    const std::uint64_t at = ring_bytes - 64;
    while (wire.ends[0].head < at) {
        const auto bytes = static_cast<unsigned>(std::min<std::uint64_t>(at - wire.ends[0].head - 8, 8000));
        ASSERT_TRUE(send(wire, 0, packet_of(1, bytes)));
        ASSERT_TRUE(receive(wire, 1));
    }
    const std::array<unsigned, 2> record{100, 0};
    std::memcpy(wire.ring(0) + at, record.data(), sizeof record);
    wire.lane(0).header.head = at + 108 + 4;
    EXPECT_FALSE(receive(wire, 1));
    EXPECT_EQ(wire.ends[1].lies, 1u);
}

TEST_F(Lane, WhoHasReadMoreThanThereIsLies) {
    EXPECT_FALSE(receive(wire, 1));
    while (send(wire, 0, packet_of(9, 8000))) {
    }
    wire.lane(1).header.read = wire.ends[0].head + 8;
    EXPECT_FALSE(send(wire, 0, packet_of(9, 8000)));
    EXPECT_EQ(wire.ends[0].lies, 1u);
    wire.lane(1).header.read = 8008; // too late
    EXPECT_FALSE(send(wire, 0, packet_of(9, 8000)));
}

// The writer's life ends between any two steps of the reader, and its next one begins some steps later: nothing of both lives
// is mixed up, and nobody is called a liar for it.
TEST(Lanes, TheWriterDiesAtAnyStep) {
    for (unsigned when = 0; when < 40; ++when)
        for (unsigned at_once = 1; at_once <= 6; ++at_once) {
            Wire wire;
            wire.start(0);
            wire.start(1);
            if (when % 2 == 0) {
                EXPECT_FALSE(receive(wire, 1)); // has met it
            }
            ASSERT_TRUE(send(wire, 0, packet_of(1, 200)));
            ASSERT_TRUE(send(wire, 0, packet_of(2, 200)));
            const std::array<std::function<void()>, 6> death{
                [&] { wire.stop(0); },       [&] { wire.clear_header(0); },
                [&] { wire.clear_ring(0); }, [&] { wire.begin(0); },
                [&] { wire.open(0); },       [&] { ASSERT_TRUE(send(wire, 0, packet_of(3, 200))); }};
            std::size_t next = 0;
            unsigned steps = 0;
            between = [&] {
                for (unsigned i = 0;
                     steps >= when && next < death.size() && i < (steps == when ? at_once : 1); ++i)
                    death[next++]();
                ++steps;
            };
            std::vector<Bytes> seen;
            for (unsigned i = 0; i < 12; ++i)
                if (const auto packet = receive(wire, 1))
                    seen.push_back(*packet);
            between = nullptr;
            while (next < death.size())
                death[next++]();
            while (const auto packet = receive(wire, 1))
                seen.push_back(*packet);
            ASSERT_FALSE(seen.empty()) << when;
            EXPECT_EQ(seen.back(), packet_of(3, 200)) << when << ' ' << at_once;
            seen.pop_back();
            for (std::size_t i = 0; i < seen.size(); ++i)
                EXPECT_EQ(seen[i], packet_of(i + 1, 200)) << when << ' ' << at_once;
            EXPECT_EQ(wire.ends[1].lies, 0u) << when << ' ' << at_once;
        }
}

// The same for the reader of what is sent: its peer begins anew at any step of sending and flushing.
TEST(Lanes, TheReaderDiesAtAnyStep) {
    for (unsigned when = 0; when < 60; ++when) {
        Wire wire;
        wire.start(0);
        wire.start(1);
        ASSERT_TRUE(send(wire, 1, packet_of(9, 10)));
        ASSERT_TRUE(receive(wire, 0));
        EXPECT_FALSE(receive(wire, 1));
        unsigned steps = 0;
        between = [&] {
            if (steps++ == when)
                wire.start(1);
        };
        for (unsigned i = 0; i < 20; ++i) {
            (void)send(wire, 0, packet_of(i, 5000));
            caisson_end_flush(&wire.ends[0]);
            (void)receive(wire, 0);
        }
        between = nullptr;
        if (wire.life(1) == 1)
            wire.start(1);
        EXPECT_FALSE(receive(wire, 1) && wire.ends[1].lies != 0);
        while (receive(wire, 1)) {
        }
        ASSERT_TRUE(send(wire, 0, packet_of(77, 5000))) << when;
        EXPECT_EQ(receive(wire, 1), packet_of(77, 5000)) << when;
        EXPECT_EQ(wire.ends[0].lies + wire.ends[1].lies, 0u) << when;
    }
}

// A writer that changes anything at any step gets, at most, other bytes into a packet of a possible length.
TEST(Lanes, WhatChangesMeanwhileIsUsedOnce) {
    const std::array<std::uint64_t, 6> values{0, 1, 8, 112, CAISSON_LANE_PACKET_MAX + 1, ~std::uint64_t{0}};
    for (unsigned when = 0; when < 12; ++when)
        for (const unsigned word : {0u, 1u, 2u, 8u, 9u, 16u, 17u, 512u, 513u, 526u})
            for (const std::uint64_t value : values) {
                Wire wire;
                wire.start(0);
                wire.start(1);
                ASSERT_TRUE(send(wire, 0, packet_of(1, 100)));
                ASSERT_TRUE(send(wire, 0, packet_of(2, 100)));
                unsigned steps = 0;
                between = [&] {
                    if (steps++ == when)
                        std::memcpy(reinterpret_cast<unsigned char*>(&wire.lane(0)) + word * 8, &value, 8);
                };
                unsigned got = 0;
                for (unsigned i = 0; i < 4; ++i)
                    if (const auto packet = receive(wire, 1)) {
                        ++got;
                        EXPECT_LE(packet->size(), 112u); // what is there at most, with its head
                    }
                between = nullptr;
                EXPECT_LE(got, 3u);
                EXPECT_LE(wire.ends[1].lies, 1u);
            }
}

TEST(Lanes, OneWayLosesAndCounts) {
    Wire wire{true};
    wire.start(0);
    wire.start(1);
    for (unsigned i = 0; i < 3; ++i)
        ASSERT_TRUE(send(wire, 0, packet_of(i, 1000)));
    caisson_end_flush(&wire.ends[0]);
    EXPECT_EQ(wire.rings[1], 1u);
    for (unsigned i = 0; i < 3; ++i)
        EXPECT_EQ(receive(wire, 1), packet_of(i, 1000));
    for (unsigned i = 0; i < 200; ++i) // three times around: there is always room
        ASSERT_TRUE(send(wire, 0, packet_of(i, 1000)));
    EXPECT_FALSE(receive(wire, 1));
    EXPECT_EQ(wire.ends[1].lost, 200u * 1008 + (wire.ends[0].head - 203u * 1008)); // with fillers
    ASSERT_TRUE(send(wire, 0, packet_of(7, 1000)));
    EXPECT_EQ(receive(wire, 1), packet_of(7, 1000));
    // Overtaken in the middle of the copy: not delivered.
    ASSERT_TRUE(send(wire, 0, packet_of(8, 1000)));
    bool once = false;
    between = [&] {
        for (unsigned i = 0; i < 70 && !once; ++i)
            ASSERT_TRUE(send(wire, 0, packet_of(9, 1000)));
        once = true;
    };
    EXPECT_FALSE(receive(wire, 1));
    between = nullptr;
    EXPECT_EQ(wire.ends[1].lies, 0u);
    wire.start(0);
    ASSERT_TRUE(send(wire, 0, packet_of(10, 1000)));
    EXPECT_EQ(receive(wire, 1), packet_of(10, 1000));
    wire.lane(0).header.head = 0; // back
    EXPECT_FALSE(receive(wire, 1));
    EXPECT_EQ(wire.ends[1].lies, 1u);
}

} // namespace
