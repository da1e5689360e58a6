// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/waiting_test.cpp - in which order packets go, whose places are whose.
#include "partitions/uplink/waiting.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace uplink {
namespace {

struct Room {
    explicit Room(std::size_t count) : places(count), order(count), waiting(places, order, each) {}
    static constexpr std::size_t each = 48;
    bool add(std::uint8_t container, bool enters, std::uint64_t at, std::uint8_t mark = 0) {
        const std::array<std::byte, 3> bytes{std::byte{mark}, std::byte{mark}, std::byte{7}};
        return waiting.add(container, enters, 5, bytes, at);
    }
    std::vector<WaitingPacket> places;
    std::vector<std::uint16_t> order;
    Waiting waiting;
};

TEST(UplinkWaiting, TheNextOneIsTheOneWithTheLeastTime) {
    Room room(200);
    EXPECT_EQ(room.waiting.next_at(), Waiting::never);
    for (std::uint64_t i = 0; i < 90; ++i)
        ASSERT_TRUE(
            room.add(static_cast<std::uint8_t>(i % 2), false, i * 37 % 91, static_cast<std::uint8_t>(i)));
    std::uint64_t last = 0;
    for (unsigned i = 0; i < 90; ++i) {
        ASSERT_GE(room.waiting.next_at(), last);
        last = room.waiting.next_at();
        WaitingPacket& packet = room.waiting.first();
        EXPECT_EQ(static_cast<std::uint64_t>(packet.bytes()[0]) * 37 % 91, last);
        EXPECT_EQ(packet.bytes().size(), 3u);
        EXPECT_EQ(packet.container, static_cast<unsigned>(packet.bytes()[0]) % 2);
        EXPECT_EQ(packet.target, 5u);
        room.waiting.remove_first();
    }
    EXPECT_EQ(room.waiting.next_at(), Waiting::never);
}

TEST(UplinkWaiting, EachContainerHasItsOwnPlacesEachWay) {
    Room room(4 * Room::each);
    for (const bool enters : {false, true})
        for (unsigned i = 0; i < 2 * Room::each; ++i)
            EXPECT_EQ(room.add(0, enters, i), i < Room::each);
    EXPECT_TRUE(room.add(1, false, 9));
    EXPECT_TRUE(room.waiting.has(1, false));
    EXPECT_FALSE(room.waiting.has(1, true));
    EXPECT_FALSE(room.waiting.add(1, true, 5, std::vector<std::byte>(1501), 9));
    room.waiting.remove_first();
    EXPECT_TRUE(room.add(0, false, 3)); // its place is free again
}

TEST(UplinkWaiting, WhatIsForgottenGoesAndTheOthersKeepTheirOrder) {
    Room room(200);
    for (std::uint64_t i = 0; i < 60; ++i)
        ASSERT_TRUE(room.add(static_cast<std::uint8_t>(i % 3), i % 2 != 0, 100 - i));
    room.waiting.forget(1);
    EXPECT_FALSE(room.waiting.has(1, false));
    EXPECT_FALSE(room.waiting.has(1, true));
    std::uint64_t last = 0;
    for (unsigned i = 0; i < 40; ++i) {
        EXPECT_NE(room.waiting.first().container, 1);
        EXPECT_GT(room.waiting.next_at(), last);
        last = room.waiting.next_at();
        room.waiting.remove_first();
    }
    EXPECT_EQ(room.waiting.next_at(), Waiting::never);
    for (unsigned i = 0; i < 200; ++i) // no place was lost
        EXPECT_TRUE(room.add(static_cast<std::uint8_t>(i / Room::each), false, i));
    room.waiting.forget_all();
    EXPECT_EQ(room.waiting.next_at(), Waiting::never);
    EXPECT_TRUE(room.add(0, false, 1));
}

TEST(UplinkWaiting, SharesAreNeverMoreThanThereIs) {
    EXPECT_EQ(Waiting::share_of(0), Waiting::most_each);
    EXPECT_EQ(Waiting::share_of(1), Waiting::most_each);
    for (std::size_t containers = 1; containers <= CAISSON_UPLINK_CONTAINERS; ++containers) {
        EXPECT_LE(2 * containers * Waiting::share_of(containers), Waiting::most_in_all);
        EXPECT_GE(Waiting::share_of(containers), 32u);
    }
}

TEST(UplinkWaiting, WithoutPlacesNothingWaits) {
    Waiting none;
    EXPECT_FALSE(none.add(0, false, 0, {}, 1));
    EXPECT_EQ(none.next_at(), Waiting::never);
}

} // namespace
} // namespace uplink
