// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/ring.hpp"
#include "hypervisor/core/audit/whole_frame_test.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using audit::FrameHeader;
using audit::FrameType;

TEST(Crc32c, IsTheOneOfTheStandard) {
    const auto of = [](std::string_view text) {
        audit::Crc32c crc;
        for (const char c : text)
            crc.add(static_cast<std::uint8_t>(c));
        return crc.value();
    };
    EXPECT_EQ(of("123456789"), 0xE3069283u);
    EXPECT_EQ(of(std::string(32, '\0')), 0x8A9136AAu); // RFC 3720 appendix B.4
    EXPECT_EQ(of(std::string(32, '\xFF')), 0x62A8AB43u);
}

TEST(Frame, Bytes) {
    EXPECT_EQ(audit::encode_frame({FrameType::output, 3, 1}, 12, "hi"), "\x1Eo\x1F"
                                                                        "12\x1F"
                                                                        "3\x1F"
                                                                        "1\x1Fhi\x1F"
                                                                        "11\x1F"
                                                                        "6326880d\n");
    EXPECT_EQ(audit::encode_frame({FrameType::log}, 0, ""), "\x1El\x1F"
                                                            "0\x1Fhv\x1F"
                                                            "0\x1F\x1F"
                                                            "9\x1F"
                                                            "d7e7116c\n");
}

TEST(Frame, WhatCouldOpenOrCloseAFrameIsEscaped) {
    const std::string frame = audit::encode_frame({FrameType::errors, 0, 1}, 0, "\x1D\x1E\x1F");
    EXPECT_NE(frame.find("\x1F\x1D]\x1D^\x1D_\x1F"
                         "14\x1F"),
              std::string::npos)
        << frame;
}

TEST(Frame, LargestNumbersFitAndPiecesMakeTheWhole) {
    const FrameHeader largest{FrameType::exit, audit::hypervisor_id - 1, ~std::uint64_t{0}};
    const std::string payload(CAISSON_FRAME_MAX, '\x1E');
    const std::string whole = audit::encode_frame(largest, ~std::uint64_t{0} - 1, payload);
    EXPECT_EQ(whole.substr(0, 57), "\x1Ex\x1F"
                                   "18446744073709551614\x1F"
                                   "4294967294\x1F"
                                   "18446744073709551615\x1F\x1D");
    audit::FrameEncoder encoder;
    EXPECT_TRUE(encoder.done());
    for (std::size_t size = 1; size < 40; ++size) {
        encoder.begin(largest, ~std::uint64_t{0} - 1, payload);
        std::string out;
        std::array<char, 40> piece{};
        while (!encoder.done())
            out.append(piece.data(), encoder.fill(std::span{piece}.first(size)));
        EXPECT_EQ(out, whole);
    }
    EXPECT_DEATH(encoder.begin(largest, 0, std::string(CAISSON_FRAME_MAX + 1, 'x')), "too long");
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
