// SPDX-License-Identifier: Apache-2.0
#include "partitions/drivers/net/igb_fake_test.hpp"

#include <gtest/gtest.h>

namespace drivers::net::test {
namespace {

using Frame = std::vector<std::byte>;

Frame frame(std::size_t bytes, unsigned seed) {
    Frame out(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
        out[i] = static_cast<std::byte>(seed + i * 7);
    return out;
}

class IgbTest : public testing::Test {
protected:
    IgbFake card;
    Driver driver{{&card}, {&card}};
    std::vector<Frame> came;
    Frame place;
    bool has_memory = true;

    unsigned poll(unsigned most = 1000) {
        return driver.receive(
            most,
            [this](std::uint32_t bytes) {
                place.assign(has_memory ? bytes : 0, std::byte{0});
                return std::span<std::byte>{place};
            },
            [this] { came.push_back(place); });
    }
    bool send(const Frame& bytes) {
        return driver.send(static_cast<std::uint32_t>(bytes.size()), [&bytes](std::span<std::byte> to) {
            std::memcpy(to.data(), bytes.data(), to.size());
        });
    }
};

TEST_F(IgbTest, StartsAndKnowsItsAddress) {
    ASSERT_TRUE(driver.start());
    EXPECT_EQ(driver.address(), (std::array<std::uint8_t, 6>{0x00, 0x12, 0x34, 0x56, 0x78, 0x9A}));
    EXPECT_EQ(card.registers[0xC018], Driver::receive_count - 1);
    EXPECT_EQ(card.registers[0x20] >> 16, 0x0420u); // write, PHY 1, register 0
    card.registers[0x8] = 2;
    EXPECT_TRUE(driver.has_link());
}

TEST_F(IgbTest, GivesUpOnACardThatDoesNotAnswer) {
    card.is_there = false;
    EXPECT_FALSE(driver.start());
    EXPECT_FALSE(driver.has_link());
    card.is_there = true;
    card.phy_answers = false;
    EXPECT_FALSE(driver.start());
    card.phy_answers = true;
    card.queues_answer = false;
    EXPECT_FALSE(driver.start());
}

TEST_F(IgbTest, ReceivesInOrderManyTimesAround) {
    ASSERT_TRUE(driver.start());
    for (unsigned i = 0; i < 1000; ++i) {
        ASSERT_TRUE(card.receive(frame(14 + i % 1501, i))) << i;
        if (i % 5 == 0) {
            EXPECT_LE(poll(), 5u);
        }
    }
    poll();
    ASSERT_EQ(came.size(), 1000u);
    for (unsigned i = 0; i < came.size(); ++i)
        ASSERT_EQ(came[i], frame(14 + i % 1501, i));
    EXPECT_EQ(driver.counters().received, 1000u);
}

TEST_F(IgbTest, LooksAtNoMoreThanItIsTold) {
    ASSERT_TRUE(driver.start());
    unsigned given = 0;
    while (card.receive(frame(60, given)))
        ++given;
    EXPECT_EQ(given, Driver::receive_count - 1);
    EXPECT_EQ(poll(3), 3u);
    EXPECT_TRUE(card.receive(frame(60, 1)));
    EXPECT_EQ(poll(), Driver::receive_count - 3);
    EXPECT_EQ(poll(), 0u);
}

TEST_F(IgbTest, LengthsThatNoFrameHasAreLies) {
    ASSERT_TRUE(driver.start());
    for (const std::uint64_t bytes : {0u, 1u, 13u, 1519u, 2048u, 2049u, 65535u}) {
        ASSERT_TRUE(card.receive({}, bytes << 32 | 3));
    }
    ASSERT_TRUE(card.receive(frame(60, 1), 1)); // not the end of a packet
    ASSERT_TRUE(card.receive(frame(60, 2), 3 | std::uint64_t{1} << 31));
    ASSERT_TRUE(card.receive(frame(60, 3)));
    EXPECT_EQ(poll(), 10u);
    EXPECT_EQ(came, std::vector<Frame>{frame(60, 3)});
    EXPECT_EQ(driver.counters().lies, 8u);
    EXPECT_EQ(driver.counters().errors, 1u);
}

TEST_F(IgbTest, WithoutMemoryAFrameIsLost) {
    ASSERT_TRUE(driver.start());
    has_memory = false;
    ASSERT_TRUE(card.receive(frame(60, 1)));
    EXPECT_EQ(poll(), 1u);
    has_memory = true;
    ASSERT_TRUE(card.receive(frame(60, 2)));
    EXPECT_EQ(poll(), 1u);
    EXPECT_EQ(came, std::vector<Frame>{frame(60, 2)});
    EXPECT_EQ(driver.counters().no_place, 1u);
}

TEST_F(IgbTest, SendsWholeFramesManyTimesAround) {
    ASSERT_TRUE(driver.start());
    for (unsigned i = 0; i < 500; ++i)
        ASSERT_TRUE(send(frame(14 + i * 3, i))) << i;
    ASSERT_EQ(card.sent.size(), 500u);
    for (unsigned i = 0; i < 500; ++i)
        ASSERT_EQ(card.sent[i], frame(14 + i * 3, i));
    EXPECT_FALSE(send(frame(13, 0)));
    EXPECT_FALSE(send(frame(1515, 0)));
}

TEST_F(IgbTest, ACardThatDoesNotSendFillsTheRingAndNoMore) {
    ASSERT_TRUE(driver.start());
    card.sends = false;
    unsigned given = 0;
    while (given < 1000 && send(frame(60, given)))
        ++given;
    EXPECT_EQ(given, Driver::transmit_count - 1);
    EXPECT_FALSE(driver.has_room());
    driver.tell_of_room(true);
    driver.listen(true);
    card.sends = true;
    card.write(0xE018, card.registers[0xE018]);
    EXPECT_EQ(card.messages, 1u);
    EXPECT_TRUE(driver.has_room());
    EXPECT_TRUE(send(frame(60, 0)));
}

TEST_F(IgbTest, WhatCameWhileItWasSilentIsToldLater) {
    ASSERT_TRUE(driver.start());
    ASSERT_TRUE(card.receive(frame(60, 1)));
    EXPECT_EQ(card.messages, 0u);
    driver.listen(true);
    EXPECT_EQ(card.messages, 1u);
    ASSERT_TRUE(card.receive(frame(60, 2)));
    EXPECT_EQ(card.messages, 2u);
}

TEST(Messages, AreWrittenMasked) {
    IgbFake table;
    set_message(FakeRegisters{&table}, 0x100, 2, 0x1'FEE0'1000, 0x45);
    EXPECT_EQ(table.registers[0x120], 0xFEE01000u);
    EXPECT_EQ(table.registers[0x124], 1u);
    EXPECT_EQ(table.registers[0x128], 0x45u);
    EXPECT_EQ(table.registers[0x12C], 0u);
}

} // namespace
} // namespace drivers::net::test
