// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/record.hpp"

#include <gtest/gtest.h>

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
    EXPECT_FALSE(record.truncated());
    record.add("long", std::string(CAISSON_FRAME_MAX, 'x'));
    EXPECT_TRUE(record.truncated());
    EXPECT_EQ(record.view().size(), CAISSON_FRAME_MAX);
}

TEST(Record, Exit) {
    const audit::ExitRecord exit{.partition = "web",
                                 .generation = 2,
                                 .status = 137,
                                 .reason = "stopped",
                                 .detail = "npf",
                                 .exits = 3,
                                 .refusals = 4,
                                 .dropped = 5,
                                 .started = 6,
                                 .first_output = 7,
                                 .ended = 8,
                                 .last = false};
    const audit::Record record = audit::build(exit);
    EXPECT_EQ(record.view(),
              "partition=web generation=2 status=137 reason=stopped detail=npf exits=3 refusals=4 dropped=5 "
              "started=6 first_output=7 ended=8 last=0");
}

TEST(Record, EndAndBoot) {
    const audit::Record end = audit::build(audit::EndRecord{"all-stopped", "poweroff"});
    EXPECT_EQ(end.view(), "reason=all-stopped action=poweroff");

    const audit::BootRecord boot{.entry = 1,
                                 .verified = 2,
                                 .ready = 3,
                                 .memory_hypervisor = 4,
                                 .memory_bundle = 5,
                                 .memory_partitions = 6,
                                 .cpus = 8,
                                 .abi = 0x10002,
                                 .build_id = "abc123"};
    const audit::Record record = audit::build(boot);
    EXPECT_EQ(record.view(),
              "entry=1 verified=2 ready=3 memory_hypervisor=4 memory_bundle=5 memory_partitions=6 cpus=8 "
              "abi=1.2 build=abc123");
}

} // namespace
