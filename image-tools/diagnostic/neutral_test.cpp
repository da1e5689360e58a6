// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/neutral_test.cpp - nothing that drives a terminal passes, however it is cut.
#include "image-tools/diagnostic/neutral.hpp"

#include <gtest/gtest.h>

namespace {

using diagnostic::neutral;

TEST(Neutral, EveryControlByteIsShown) {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string text = neutral(std::string(1, static_cast<char>(byte)));
        if (byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7F))
            EXPECT_EQ(text, std::string(1, static_cast<char>(byte)));
        else
            EXPECT_GE(text.size(), 2u) << byte;
        for (const char c : text)
            EXPECT_TRUE(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7F)) << byte;
    }
    EXPECT_EQ(neutral("a\033[2Jb\x07\x7F\t\n"), "a^[[2Jb^G^?\t\n");
    EXPECT_EQ(neutral(std::string_view("\0x", 2)), "^@x");
}

TEST(Neutral, CarriageReturnOnlyBeforeALineFeed) {
    EXPECT_EQ(neutral("100 %\r200 %\r\n\r"), "100 %^M200 %\r\n^M");
    EXPECT_EQ(neutral("\r\r\n"), "^M\r\n");
}

TEST(Neutral, TricksOfUtf8) {
    EXPECT_EQ(neutral("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    EXPECT_EQ(neutral("\xC2\x9B"
                      "31m"),
              "\\x9b31m");                                 // C1 control sequence introducer
    EXPECT_EQ(neutral("\x9B[31m"), "\\x9b[31m");           // as a single byte
    EXPECT_EQ(neutral("\xC0\x9B"), "\\xc0\\x9b");          // overlong ESC
    EXPECT_EQ(neutral("\xE0\x80\x9B"), "\\xe0\\x80\\x9b"); // overlong again
    EXPECT_EQ(neutral("\xED\xA0\x80"), "\\xed\\xa0\\x80"); // a surrogate
    EXPECT_EQ(neutral("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    EXPECT_EQ(neutral("a\xE2\x80\xAE"
                      "b"),
              "a\\u202eb");                        // right-to-left override
    EXPECT_EQ(neutral("\xE2\x80\xA8"), "\\u2028"); // line separator
    EXPECT_EQ(neutral("\xC2"), "\\xc2");
    EXPECT_EQ(neutral("\xC2\033[m"), "\\xc2^[[m"); // a lead byte swallows nothing
}

TEST(Neutral, TheSameWhereverItIsCut) {
    const std::string text = "a\xC2\x9B\r\nb\rc\xE2\x80\xAE\xC3\xA9\033]0;x\x07\xF0\x9F\x98\x80\xFF\r";
    const std::string whole = neutral(text);
    for (std::size_t one = 0; one <= text.size(); ++one)
        for (std::size_t two = one; two <= text.size(); ++two) {
            diagnostic::Neutral pieces;
            std::string out = pieces.feed(text.substr(0, one));
            out += pieces.feed(text.substr(one, two - one));
            out += pieces.feed(text.substr(two));
            out += pieces.finish();
            EXPECT_EQ(out, whole) << one << " " << two;
        }
}

} // namespace
