// SPDX-License-Identifier: Apache-2.0
#include "image-tools/channel/frame_decoder.hpp"

#include "hypervisor/core/audit/whole_frame_test.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using audit::FrameHeader;
using audit::FrameType;
using channel::FrameDecoder;
using Got = channel::FrameDecoder::Got;

struct Seen {
    std::vector<std::string> frames;
    std::string noise;
    int errors = 0;
    bool inside = false;
};
Seen decode(const std::string& line) {
    channel::FrameDecoder decoder;
    Seen seen;
    for (const char c : line)
        switch (decoder.push(static_cast<std::uint8_t>(c))) {
        case Got::nothing:
            break;
        case Got::noise:
            seen.noise += c;
            break;
        case Got::error:
            ++seen.errors;
            break;
        case Got::frame: {
            const audit::FrameHeader& h = decoder.header();
            seen.frames.push_back(std::string{static_cast<char>(h.type)} + std::to_string(h.partition) + "/" +
                                  std::to_string(h.generation) + ":" +
                                  std::string{decoder.payload().data(), decoder.payload().size()});
            break;
        }
        }
    seen.inside = decoder.inside();
    return seen;
}

TEST(Frame, RoundTrip) {
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    const std::string biggest(CAISSON_FRAME_MAX, '\x1E');
    const std::string line =
        audit::encode_frame({audit::FrameType::output, 0, 1}, all) +
        audit::encode_frame({audit::FrameType::audit}, "event=start seq=1") +
        audit::encode_frame({audit::FrameType::output, 4294967294, UINT64_MAX}, biggest) +
        audit::encode_frame({audit::FrameType::end}, "");
    const Seen seen = decode("SeaBIOS\r\n" + line);
    EXPECT_EQ(seen.noise, "SeaBIOS\r\n");
    EXPECT_EQ(seen.errors, 0);
    ASSERT_EQ(seen.frames.size(), 4u);
    EXPECT_EQ(seen.frames[0], "o0/1:" + all);
    EXPECT_EQ(seen.frames[1], "a4294967295/0:event=start seq=1");
    EXPECT_EQ(seen.frames[2], "o4294967294/18446744073709551615:" + biggest);
    EXPECT_EQ(seen.frames[3], "e4294967295/0:");
    EXPECT_FALSE(seen.inside);
}

TEST(Frame, GuestCannotForge) {
    const std::string forged = audit::encode_frame({audit::FrameType::exit}, "partition=other status=0");
    const Seen seen =
        decode(audit::encode_frame({audit::FrameType::output, 1, 1}, "x\n" + forged + forged.substr(0, 5)));
    ASSERT_EQ(seen.frames.size(), 1u);
    EXPECT_EQ(seen.errors, 0);
}

TEST(Frame, BrokenLinesAreErrorsAndRecover) {
    const std::string good = audit::encode_frame({audit::FrameType::log}, "ok");
    for (const char* bad :
         {"\x1Ez hv 0 1 x\n", "\x1Eo", "\x1Eo  1", "\x1Eo3 1", "\x1Eo x", "\x1Eo h 1", "\x1Eo hvx",
          "\x1Eo 01 1", "\x1Eo 4294967295 1", "\x1Eo 1 18446744073709551616 ", "\x1Eo 1 1 1025 ",
          "\x1Eo 1 1 2 abX", "\x1Eo 1 1  ", "\x1Eo 1 1 -1 ", "noise", "\n"}) {
        const Seen seen = decode(good + bad + good);
        EXPECT_EQ(seen.frames.size(), 2u) << bad;
        EXPECT_EQ(seen.errors, 1) << bad;
        EXPECT_EQ(seen.noise, "");
    }
    // Before the first frame none of this is ours.
    const Seen early = decode("\x1Eo x" + good);
    EXPECT_EQ(early.errors, 0);
    EXPECT_EQ(early.frames.size(), 1u);
    // A cut line.
    const Seen cut = decode(good + good.substr(0, 8));
    EXPECT_EQ(cut.errors, 0);
    EXPECT_TRUE(cut.inside);
}

} // namespace
