// SPDX-License-Identifier: Apache-2.0
#include "image-tools/channel/record_reader.hpp"

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
    EXPECT_EQ(audit::find(record.view(), "kind"), "msr");
    EXPECT_EQ(audit::find(record.view(), "seq"), "12");
    EXPECT_FALSE(audit::find(record.view(), "nothing"));
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
    const auto back = audit::parse_exit(record.view());
    ASSERT_TRUE(back);
    EXPECT_EQ(audit::build(*back).view(), record.view());

    const std::string text{record.view()};
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string copy = text;
        copy.replace(copy.find(from), from.size(), to);
        return audit::parse_exit(copy).has_value();
    };
    EXPECT_TRUE(changed("status=137", "status=255"));
    EXPECT_FALSE(changed("status=137", "status=256"));
    EXPECT_FALSE(changed("status=137", "status=-1"));
    EXPECT_FALSE(changed("status=137", "status=007"));
    EXPECT_FALSE(changed("status=137", "status="));
    EXPECT_FALSE(changed("last=0", "last=2"));
    EXPECT_FALSE(changed("last=0", "last=0 more=1"));
    EXPECT_FALSE(changed("last=0", "last=0 "));
    EXPECT_FALSE(changed(" last=0", ""));
    EXPECT_FALSE(changed("reason=", "season="));
    EXPECT_FALSE(changed("detail=npf", "detail=n=f"));
    EXPECT_FALSE(changed("detail=npf", " detail=npf"));
    EXPECT_FALSE(changed("detail=npf", "=npf"));
    EXPECT_FALSE(changed("detail=npf", "detail"));
    EXPECT_FALSE(audit::parse_exit(""));
}

TEST(Record, EndAndBoot) {
    const audit::Record end = audit::build(audit::EndRecord{"all-stopped", "poweroff"});
    EXPECT_EQ(end.view(), "reason=all-stopped action=poweroff");
    ASSERT_TRUE(audit::parse_end(end.view()));
    EXPECT_EQ(audit::parse_end(end.view())->action, "poweroff");
    EXPECT_FALSE(audit::parse_end("reason=panic"));

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
    const auto back = audit::parse_boot(record.view());
    ASSERT_TRUE(back);
    EXPECT_EQ(audit::build(*back).view(), record.view());
    const std::string text{record.view()};
    for (const char* abi : {"1", "1.", ".2", "1.65536", "65536.1", "x.1"}) {
        std::string copy = text;
        copy.replace(copy.find("1.2"), 3, abi);
        EXPECT_FALSE(audit::parse_boot(copy)) << abi;
    }
    EXPECT_FALSE(audit::parse_boot("entry=1"));
}

TEST(Record, Numbers) {
    EXPECT_EQ(audit::number("0"), 0u);
    EXPECT_EQ(audit::number("18446744073709551615"), UINT64_MAX);
    for (const char* bad : {"", "00", "01", "18446744073709551616", "99999999999999999999", "1x", " 1"})
        EXPECT_FALSE(audit::number(bad)) << bad;
}

} // namespace
