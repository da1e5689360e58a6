// SPDX-License-Identifier: Apache-2.0
// partitions/net/sntp_test.cpp - answers by the byte; whom a clock asks when, and how it follows.
#include "partitions/net/sntp.hpp"

#include <array>
#include <gtest/gtest.h>

namespace net {
namespace {

using Bytes = std::array<std::byte, sntp_bytes>;
constexpr std::uint64_t second = 1'000'000'000, nonce = 0x0123456789ABCDEF;
constexpr std::uint64_t in_2033 = 2'000'000'000; // Unix seconds

void put(Bytes& to, std::size_t at, std::uint64_t value, std::size_t bytes) {
    while (bytes-- > 0)
        to[at++] = static_cast<std::byte>(value >> 8 * bytes);
}

Bytes answer(std::uint64_t unix_seconds = in_2033, std::uint64_t to = nonce, unsigned stratum = 2) {
    Bytes out{};
    put(out, 0, 0x24, 1); // version 4, server
    put(out, 1, stratum, 1);
    put(out, 24, to, 8);
    put(out, 40, (unix_seconds + 2'208'988'800) << 32 | 0x80000000, 8); // and a half
    return out;
}

TimeAnswer::Kind kind(const Bytes& bytes) {
    return read_time_answer(bytes, nonce, second).kind;
}

TEST(Sntp, AQuestionSaysNothingButItsNonce) {
    Bytes question;
    question.fill(std::byte{0xAA});
    write_time_question(question, nonce);
    EXPECT_EQ(question[0], std::byte{0x23});
    for (std::size_t i = 1; i < 40; ++i)
        EXPECT_EQ(question[i], std::byte{0});
    EXPECT_EQ(question[40], std::byte{0x01});
    EXPECT_EQ(question[47], std::byte{0xEF});
}

TEST(Sntp, AnAnswerIsHalfItsWayOld) {
    const TimeAnswer read = read_time_answer(answer(), nonce, second);
    EXPECT_EQ(read.kind, TimeAnswer::Kind::time);
    EXPECT_EQ(read.unix_ns, in_2033 * second + second / 2 + second / 2);
    // The numbers begin anew in 2036.
    EXPECT_EQ(read_time_answer(answer(2'100'000'000), nonce, 0).unix_ns, 2'100'000'000 * second + second / 2);
}

TEST(Sntp, WhatIsNoAnswer) {
    EXPECT_EQ(kind(answer()), TimeAnswer::Kind::time);
    EXPECT_EQ(kind(answer(in_2033, nonce + 1)), TimeAnswer::Kind::none) << "to another question";
    EXPECT_EQ(kind(answer(in_2033, nonce, 16)), TimeAnswer::Kind::none) << "a server that has no time";
    EXPECT_EQ(kind(answer(in_2033, nonce, 0)), TimeAnswer::Kind::go_away);
    EXPECT_EQ(kind(answer(1'500'000'000)), TimeAnswer::Kind::none) << "long past";
    EXPECT_EQ(read_time_answer(answer(), nonce, 3 * second).kind, TimeAnswer::Kind::none) << "too slow";
    const Bytes whole = answer();
    EXPECT_EQ(read_time_answer(std::span{whole}.first(47), nonce, 0).kind, TimeAnswer::Kind::none);
    for (const unsigned head : {0x23U, 0x25U, 0xE4U, 0x14U, 0x2CU}) {
        Bytes other = answer();
        put(other, 0, head, 1);
        EXPECT_EQ(kind(other), TimeAnswer::Kind::none) << head;
    }
    Bytes far = answer();
    put(far, 8, 2 << 16, 4); // root dispersion 2 s
    EXPECT_EQ(kind(far), TimeAnswer::Kind::none);
}

TEST(Sntp, ServersAreAskedInTurnAndEverLessOften) {
    TimeKeeper keeper(2);
    EXPECT_EQ(keeper.due(0, nonce), 0u);
    EXPECT_FALSE(keeper.due(second, nonce));
    EXPECT_EQ(keeper.due(2 * second, nonce), 1u);
    EXPECT_FALSE(keeper.due(5 * second, nonce));
    EXPECT_EQ(keeper.due(6 * second, nonce), 0u);
    EXPECT_FALSE(TimeKeeper(0).due(0, nonce));
    std::uint64_t asked = 0, at = 6 * second;
    for (; at < 2000 * second; at += second)
        asked += keeper.due(at, nonce) ? 1 : 0;
    EXPECT_LT(asked, 36u) << "once in 64 s";
}

TEST(Sntp, AFarClockStepsAndANearOneFollows) {
    TimeKeeper keeper(2);
    (void)keeper.due(0, nonce);
    EXPECT_FALSE(keeper.take(1, answer(), 0, 0)) << "who was not asked";
    EXPECT_FALSE(keeper.has_time());
    EXPECT_EQ(keeper.refused(), 1u);
    EXPECT_EQ(keeper.take(0, answer(), 0, in_2033 * second), static_cast<std::int64_t>(second / 2));
    EXPECT_TRUE(keeper.has_time());
    EXPECT_FALSE(keeper.take(0, answer(), 0, 0)) << "once is enough";
    EXPECT_EQ(keeper.move(second), 0);
    EXPECT_FALSE(keeper.due(1023 * second, nonce));
    EXPECT_EQ(keeper.due(1024 * second, nonce + 1), 0u) << "who answered is asked again";
    // 100 ms behind: 500 microseconds a second.
    EXPECT_FALSE(keeper.take(0, answer(in_2033, nonce + 1), 1024 * second, in_2033 * second + 400'000'000));
    std::int64_t moved = 0;
    for (std::uint64_t at = 1025; at < 1325; ++at) {
        const std::int64_t by = keeper.move(at * second);
        EXPECT_LE(by, 500'000);
        moved += by;
        EXPECT_EQ(moved, std::min<std::int64_t>(static_cast<std::int64_t>(at - 1024) * 500'000, 100'000'000));
    }
}

TEST(Sntp, WhoSendsAwayIsLeftAlone) {
    TimeKeeper both(2), one(1);
    (void)both.due(0, nonce);
    (void)one.due(0, nonce);
    EXPECT_FALSE(both.take(0, answer(in_2033, nonce, 0), 0, 0));
    EXPECT_FALSE(one.take(0, answer(in_2033, nonce, 0), 0, 0));
    EXPECT_EQ(both.due(2 * second, nonce), 1u);
    EXPECT_FALSE(one.due(1000 * second, nonce));
}

} // namespace
} // namespace net
