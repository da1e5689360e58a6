// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/notes_test.cpp - one note in its period, and what it says.
#include "partitions/uplink/notes.hpp"

#include <gtest/gtest.h>

namespace uplink {
namespace {

TEST(UplinkNotes, OneInAPeriodCountsTheOthers) {
    Notes notes{1000};
    std::uint64_t unnoted = 7;
    EXPECT_TRUE(notes.take(5000, unnoted));
    EXPECT_EQ(unnoted, 0u);
    for (unsigned i = 0; i < 20; ++i)
        EXPECT_FALSE(notes.take(5000 + i, unnoted));
    EXPECT_FALSE(notes.take(5999, unnoted));
    EXPECT_TRUE(notes.take(6000, unnoted));
    EXPECT_EQ(unnoted, 21u);
    EXPECT_TRUE(notes.take(9000, unnoted));
    EXPECT_EQ(unnoted, 0u);
}

TEST(UplinkNotes, SayWhatWasRefused) {
    net::Packet packet;
    packet.source = 0x64404D02;
    packet.source_port = 40000;
    packet.target = 0xC6336407;
    packet.target_port = 443;
    packet.protocol = 6;
    EXPECT_EQ(note_of(net::Verdict::no_rule, "web", packet, 3).view(),
              "uplink=no_rule container=web protocol=6 from=100.64.77.2:40000 to=198.51.100.7:443 more=3");
    EXPECT_EQ(note_of(net::Verdict::malformed, {}, {}, 0).view(),
              "uplink=malformed protocol=0 from=0.0.0.0:0 to=0.0.0.0:0");
}

} // namespace
} // namespace uplink
