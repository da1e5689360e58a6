// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/record.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace {

using namespace std::string_view_literals;

TEST(Record, PairsAndEscapes) {
    audit::Record record;
    record.add("event", "refused")
        .add("seq", 12)
        .add("kind", "msr")
        .add_hex("msr", 0xC0000080)
        .add("text", "a b=c%\n\xFF"sv);
    EXPECT_EQ(record.view(), "event=refused seq=12 kind=msr msr=0xc0000080 text=a%20b%3Dc%25%0A%FF");
    record.add("long", std::string(CAISSON_FRAME_MAX, 'x'));
    EXPECT_EQ(record.view().size(), CAISSON_FRAME_MAX) << "what does not fit is cut";
    record.clear();
    record.add_bytes("hash", std::array<std::uint8_t, 3>{0, 0x5a, 0xff}).add("n", 0).shorten(11);
    EXPECT_EQ(record.view(), "hash=005aff");
    record.clear();
    record.add("edges", "!~\x7F");
    EXPECT_EQ(record.view(), "edges=!~%7F");
}

} // namespace
