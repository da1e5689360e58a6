// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/ring.hpp"
#include "hypervisor/core/audit/whole_frame_test.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using audit::FrameHeader;
using audit::FrameType;

TEST(Frame, Bytes) {
    EXPECT_EQ(audit::encode_frame({FrameType::output, 3, 1}, "hi"), "\x1Eo 3 1 2 hi\n");
    EXPECT_EQ(audit::encode_frame({FrameType::log}, ""), "\x1El hv 0 0 \n");
}

TEST(Frame, LargestNumbersFit) {
    const FrameHeader largest{FrameType::exit, audit::hypervisor_id - 1, ~std::uint64_t{0}};
    EXPECT_EQ(audit::encode_head(largest, CAISSON_FRAME_MAX).view(),
              "\x1Ex 4294967294 18446744073709551615 1024 ");
    EXPECT_FALSE(audit::encode_head(largest, CAISSON_FRAME_MAX).truncated());
    EXPECT_DEATH((void)audit::encode_head(largest, CAISSON_FRAME_MAX + 1), "too long");
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
