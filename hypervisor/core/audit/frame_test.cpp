// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/frame.hpp"

#include "hypervisor/core/audit/ring.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using audit::FrameHeader;
using audit::FrameType;

std::string encode(const FrameHeader& header, const std::string& payload) {
    std::array<char, audit::frame_max> out{};
    const std::size_t length = audit::encode_frame(out, header, payload);
    EXPECT_GT(length, 0u);
    return {out.data(), length};
}

TEST(Frame, Bytes) {
    EXPECT_EQ(encode({FrameType::output, 3, 1}, "hi"), "\x1Eo 3 1 2 hi\n");
    EXPECT_EQ(encode({FrameType::log}, ""), "\x1El hv 0 0 \n");
}

TEST(Frame, DoesNotFit) {
    std::array<char, 16> out{};
    EXPECT_EQ(audit::encode_frame(out, {FrameType::output, 1, 1}, std::string(6, 'x')), 16u);
    EXPECT_EQ(audit::encode_frame(out, {FrameType::output, 1, 1}, std::string(7, 'x')), 0u);
    EXPECT_EQ(audit::encode_header(std::span{out}.first(5), {FrameType::output, 1, 1}, 1), 0u);
    std::vector<char> large(4096);
    EXPECT_EQ(audit::encode_frame(large, {}, std::string(CAISSON_FRAME_MAX + 1, 'x')), 0u);
}

TEST(Ring, WrapsDropsAndKeepsOrder) {
    auto ring = std::make_unique<audit::ConsoleRing<8>>();
    EXPECT_TRUE(ring->empty());
    EXPECT_EQ(ring->push(std::string{"abcdef"}), 6u);
    EXPECT_EQ(ring->room(), 2u);
    ring->consume(4);
    EXPECT_EQ(ring->push(std::string{"ghijklm"}), 6u);
    ring->drop(1);
    EXPECT_EQ(ring->dropped(), 1u);
    std::string out;
    while (!ring->empty()) {
        const auto run = ring->peek();
        out.append(run.data(), run.size());
        ring->consume(run.size());
    }
    EXPECT_EQ(out, "efghijkl");
    EXPECT_EQ(ring->room(), 8u);
}

} // namespace
