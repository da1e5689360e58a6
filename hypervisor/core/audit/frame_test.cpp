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

TEST(Ring, WrapsDropsAndKeepsOrderAndStreams) {
    using audit::Stream;
    auto ring = std::make_unique<audit::ConsoleRing<16>>();
    const auto take = [&](std::size_t most) {
        Stream stream{};
        std::string out(most, '\0');
        out.resize(ring->take(stream, out, 16));
        return (stream == Stream::errors ? "2:" : "1:") + out;
    };
    EXPECT_EQ(ring->push(Stream::output, std::string{"abcdef"}), 6u);
    EXPECT_TRUE(ring->empty());                                   // not offered yet
    EXPECT_EQ(ring->push(Stream::output, std::string{"gh"}), 2u); // the same record
    ring->offer();
    EXPECT_EQ(ring->push(Stream::errors, std::string{"ijklm"}), 4u); // full: 2 + 8 + 2 + 4
    EXPECT_EQ(ring->push(Stream::errors, std::string{"m"}), 0u);
    ring->drop(1);
    EXPECT_EQ(ring->dropped(), 1u);
    EXPECT_EQ(take(3), "1:abc");
    EXPECT_EQ(ring->push(Stream::errors, std::string{"nopqrs"}), 5u);
    ring->offer();
    EXPECT_EQ(take(100), "1:defgh"); // a stream at a time
    EXPECT_EQ(take(100), "2:ijklnopqr");
    EXPECT_TRUE(ring->empty());
    EXPECT_EQ(ring->push(Stream::output, std::string(20, 'x')), 14u);
    ring->offer();
    ring->discard();
    EXPECT_EQ(ring->dropped(), 1u + 16u);
    EXPECT_EQ(take(100).substr(2), "");
}

TEST(Ring, AnyPatternComesOutAsItWentIn) {
    using audit::Stream;
    for (unsigned seed = 1; seed < 200; ++seed) {
        auto ring = std::make_unique<audit::ConsoleRing<64>>();
        std::string in[2], out[2];
        std::uint32_t random = seed;
        const auto next = [&](std::uint32_t most) {
            return (random = random * 1664525 + 1013904223) >> 8 & most;
        };
        for (unsigned step = 0; step < 2000; ++step) {
            const Stream stream = next(3) == 0 ? Stream::errors : Stream::output;
            std::string text(next(31), static_cast<char>('a' + step % 26));
            in[static_cast<int>(stream)] += text.substr(0, ring->push(stream, text));
            if (next(1) != 0)
                ring->offer();
            std::string got(next(31), '\0');
            Stream of{};
            got.resize(ring->take(of, got, 1 + next(3)));
            out[static_cast<int>(of)] += got;
        }
        ring->offer();
        while (!ring->empty()) {
            std::string got(64, '\0');
            Stream of{};
            got.resize(ring->take(of, got, 4));
            out[static_cast<int>(of)] += got;
        }
        EXPECT_EQ(out[0], in[0]) << seed;
        EXPECT_EQ(out[1], in[1]) << seed;
    }
}

} // namespace
