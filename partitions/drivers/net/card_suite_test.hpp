// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/card_suite_test.hpp - what every driver keeps, whatever its card: tests over a Fake with
//   Driver; driver(); receive(frame): false where it has no buffer; sent; sends; go_on(); messages; lie(length).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace drivers::net::test {

using Frame = std::vector<std::byte>;

inline Frame frame(std::size_t bytes, unsigned seed) {
    Frame out(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
        out[i] = static_cast<std::byte>(seed + i * 7);
    return out;
}

// The memory that a card and its driver share, as the card sees it: words at offsets, frames at addresses.
class SharedWords {
public:
    static constexpr std::uint64_t base = 0x1234'5000;
    explicit SharedWords(std::size_t bytes) : bytes_(bytes) {}
    [[nodiscard]] std::uint64_t word(std::uint32_t at) const {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes_.data() + at, sizeof(value));
        return value;
    }
    void set_word(std::uint32_t at, std::uint64_t value) {
        std::memcpy(bytes_.data() + at, &value, sizeof(value));
    }
    void put_frame(std::uint64_t address, const Frame& frame) {
        std::copy(frame.begin(), frame.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(address - base));
    }
    [[nodiscard]] Frame frame_at(std::uint64_t address, std::size_t count) const {
        const std::byte* const from = bytes_.data() + (address - base);
        return {from, from + count};
    }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) {
        return std::span{bytes_}.subspan(at, count);
    }

private:
    std::vector<std::byte> bytes_;
};
// The same as the driver sees it.
struct CardMemory {
    SharedWords* words;
    [[nodiscard]] std::uint64_t address() const { return SharedWords::base; }
    [[nodiscard]] std::uint64_t load64(std::uint32_t at) const { return words->word(at); }
    void store64(std::uint32_t at, std::uint64_t value) const { words->set_word(at, value); }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
        return words->bytes(at, count);
    }
};

template <typename Fake> class CardSuite : public testing::Test {
protected:
    using Driver = typename Fake::Driver;
    Fake card;
    Driver driver = card.driver();
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
TYPED_TEST_SUITE_P(CardSuite);

TYPED_TEST_P(CardSuite, KnowsItsAddressAndItsLink) {
    ASSERT_TRUE(this->driver.start());
    EXPECT_EQ(this->driver.address(), (std::array<std::uint8_t, 6>{0x00, 0x12, 0x34, 0x56, 0x78, 0x9A}));
    this->card.set_link(true);
    EXPECT_TRUE(this->driver.has_link());
    this->card.set_link(false);
    EXPECT_FALSE(this->driver.has_link());
}

TYPED_TEST_P(CardSuite, ReceivesInOrderManyTimesAround) {
    ASSERT_TRUE(this->driver.start());
    for (unsigned i = 0; i < 1000; ++i) {
        ASSERT_TRUE(this->card.receive(frame(14 + i % 1501, i))) << i;
        if (i % 5 == 0) {
            EXPECT_LE(this->poll(), 5u);
        }
    }
    this->poll();
    ASSERT_EQ(this->came.size(), 1000u);
    for (unsigned i = 0; i < this->came.size(); ++i)
        ASSERT_EQ(this->came[i], frame(14 + i % 1501, i));
    EXPECT_EQ(this->driver.counters().received, 1000u);
}

TYPED_TEST_P(CardSuite, LooksAtNoMoreThanItIsTold) {
    ASSERT_TRUE(this->driver.start());
    unsigned given = 0;
    while (given < 1000 && this->card.receive(frame(60, given)))
        ++given;
    EXPECT_EQ(given, TypeParam::Driver::receive_count - TypeParam::left_empty);
    EXPECT_EQ(this->poll(3), 3u);
    EXPECT_TRUE(this->card.receive(frame(60, 1)));
    EXPECT_EQ(this->poll(), given - 2);
    EXPECT_EQ(this->poll(), 0u);
}

TYPED_TEST_P(CardSuite, LengthsThatNoFrameHasAreLies) {
    ASSERT_TRUE(this->driver.start());
    for (const std::uint32_t bytes : {0u, 1u, 13u, 1519u, 2048u, 2049u, 65535u})
        this->card.lie(bytes);
    ASSERT_TRUE(this->card.receive(frame(60, 3)));
    EXPECT_EQ(this->poll(), 8u);
    EXPECT_EQ(this->came, std::vector<Frame>{frame(60, 3)});
    EXPECT_EQ(this->driver.counters().lies, 7u);
}

TYPED_TEST_P(CardSuite, WithoutMemoryAFrameIsLost) {
    ASSERT_TRUE(this->driver.start());
    this->has_memory = false;
    ASSERT_TRUE(this->card.receive(frame(60, 1)));
    EXPECT_EQ(this->poll(), 1u);
    this->has_memory = true;
    ASSERT_TRUE(this->card.receive(frame(60, 2)));
    EXPECT_EQ(this->poll(), 1u);
    EXPECT_EQ(this->came, std::vector<Frame>{frame(60, 2)});
    EXPECT_EQ(this->driver.counters().no_place, 1u);
}

TYPED_TEST_P(CardSuite, SendsWholeFramesManyTimesAround) {
    ASSERT_TRUE(this->driver.start());
    for (unsigned i = 0; i < 500; ++i)
        ASSERT_TRUE(this->send(frame(14 + i * 3, i))) << i;
    ASSERT_EQ(this->card.sent.size(), 500u);
    for (unsigned i = 0; i < 500; ++i)
        ASSERT_EQ(this->card.sent[i], frame(14 + i * 3, i));
    EXPECT_FALSE(this->send(frame(13, 0)));
    EXPECT_FALSE(this->send(frame(1515, 0)));
}

TYPED_TEST_P(CardSuite, ACardThatDoesNotSendFillsTheRingAndNoMore) {
    ASSERT_TRUE(this->driver.start());
    this->card.sends = false;
    unsigned given = 0;
    while (given < 1000 && this->send(frame(60, given)))
        ++given;
    EXPECT_EQ(given, TypeParam::Driver::transmit_count - TypeParam::left_empty);
    EXPECT_FALSE(this->driver.has_room());
    EXPECT_FALSE(this->driver.listen(true)); // who waits for room waits for frames too
    this->driver.tell_of_room(true);
    this->card.sends = true;
    this->card.go_on();
    EXPECT_EQ(this->card.messages, 1u);
    EXPECT_TRUE(this->driver.has_room());
    EXPECT_TRUE(this->send(frame(60, 0)));
}

TYPED_TEST_P(CardSuite, WhatCameWhileItWasSilentIsToldLater) {
    ASSERT_TRUE(this->driver.start());
    ASSERT_TRUE(this->card.receive(frame(60, 1)));
    EXPECT_EQ(this->card.messages, 0u);
    EXPECT_TRUE(this->driver.listen(true) || this->card.messages == 1);
    const unsigned told = this->card.messages;
    ASSERT_TRUE(this->card.receive(frame(60, 2)));
    EXPECT_EQ(this->card.messages, told + 1);
    EXPECT_FALSE(this->driver.listen(false));
    ASSERT_TRUE(this->card.receive(frame(60, 3)));
    EXPECT_EQ(this->card.messages, told + 1);
}

REGISTER_TYPED_TEST_SUITE_P(CardSuite, KnowsItsAddressAndItsLink, ReceivesInOrderManyTimesAround,
                            LooksAtNoMoreThanItIsTold, LengthsThatNoFrameHasAreLies,
                            WithoutMemoryAFrameIsLost, SendsWholeFramesManyTimesAround,
                            ACardThatDoesNotSendFillsTheRingAndNoMore, WhatCameWhileItWasSilentIsToldLater);

} // namespace drivers::net::test
