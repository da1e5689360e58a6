// SPDX-License-Identifier: Apache-2.0
// image-tools/files/sha256_pair_test.cpp - two messages at once have the hashes that each has alone.
#include "image-tools/files/digest.hpp"
#include "image-tools/files/hash_engine.hpp"
#include "image-tools/files/sha256_pair.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace files {
namespace {

class Sha256PairTest : public testing::Test {
protected:
    void SetUp() override {
        if (hash_engine() != crypto::Sha256Engine::sha_extensions)
            GTEST_SKIP() << "this CPU has no SHA extensions";
    }
    // Hashes both in parts of at most `part` bytes and compares.
    void expect_as_alone(std::size_t length, std::size_t part) {
        std::array<std::vector<std::uint8_t>, 2> messages;
        for (auto& message : messages) {
            message.resize(length);
            std::ranges::generate(message, [this] { return static_cast<std::uint8_t>(random_()); });
        }
        Sha256Pair pair;
        for (std::size_t at = 0; at < length;) {
            const std::size_t count = std::min<std::size_t>(1 + random_() % part, length - at);
            const auto from = [&](std::size_t i) {
                return std::as_bytes(std::span(messages[i])).data() + at;
            };
            pair.update({from(0), from(1)}, count);
            at += count;
        }
        const auto digests = pair.finish();
        for (std::size_t i = 0; i < 2; ++i)
            EXPECT_EQ(digests[i], sha256(messages[i]).bytes) << length << " bytes in parts of " << part;
    }

private:
    std::mt19937 random_{1};
};

TEST_F(Sha256PairTest, EveryLengthAroundABlockAndItsPadding) {
    for (std::size_t length = 0; length <= 260; ++length)
        for (const std::size_t part : {1, 40, 64, 300})
            expect_as_alone(length, part);
}

TEST_F(Sha256PairTest, LongMessagesInPieces) {
    for (const std::size_t part : {100, 4096, 1 << 20})
        expect_as_alone((1 << 20) + 41, part);
}

} // namespace
} // namespace files
