// SPDX-License-Identifier: Apache-2.0
#include "image-tools/channel/record_reader.hpp"

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
    EXPECT_EQ(channel::find(record.view(), "kind"), "msr");
    EXPECT_EQ(channel::find(record.view(), "seq"), "12");
    EXPECT_FALSE(channel::find(record.view(), "nothing"));
}

TEST(Record, Exit) {
    const std::string text =
        "partition=web generation=2 status=137 reason=stopped detail=npf exits=3 refusals=4 dropped=5 "
        "started=6 first_output=7 ended=8 last=0";
    const auto exit = channel::parse_exit(text);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->partition, "web");
    EXPECT_EQ(exit->generation, 2u);
    EXPECT_EQ(exit->status, 137);
    EXPECT_EQ(exit->reason, "stopped");
    EXPECT_EQ(exit->detail, "npf");
    EXPECT_EQ((std::array{exit->exits, exit->refusals, exit->dropped}),
              (std::array<std::uint64_t, 3>{3, 4, 5}));
    EXPECT_EQ((std::array{exit->started, exit->first_output, exit->ended}),
              (std::array<std::uint64_t, 3>{6, 7, 8}));
    EXPECT_FALSE(exit->last);

    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string copy = text;
        copy.replace(copy.find(from), from.size(), to);
        return channel::parse_exit(copy).has_value();
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
    EXPECT_FALSE(channel::parse_exit(""));
}

TEST(Record, EndAndBoot) {
    const auto end = channel::parse_end("reason=all-stopped action=poweroff");
    ASSERT_TRUE(end);
    EXPECT_EQ(end->reason, "all-stopped");
    EXPECT_EQ(end->action, "poweroff");
    EXPECT_FALSE(channel::parse_end("reason=panic"));

    const std::string text =
        "entry=1 verified=2 ready=3 memory_hypervisor=4 memory_bundle=5 memory_partitions=6 cpus=8 "
        "abi=1.2 build=abc123";
    const auto boot = channel::parse_boot(text);
    ASSERT_TRUE(boot);
    EXPECT_EQ((std::array{boot->entry, boot->verified, boot->ready}),
              (std::array<std::uint64_t, 3>{1, 2, 3}));
    EXPECT_EQ((std::array{boot->memory_hypervisor, boot->memory_bundle, boot->memory_partitions}),
              (std::array<std::uint64_t, 3>{4, 5, 6}));
    EXPECT_EQ(boot->cpus, 8u);
    EXPECT_EQ(boot->abi, 0x10002u);
    EXPECT_EQ(boot->build_id, "abc123");
    for (const char* abi : {"1", "1.", ".2", "1.65536", "65536.1", "x.1"}) {
        std::string copy = text;
        copy.replace(copy.find("1.2"), 3, abi);
        EXPECT_FALSE(channel::parse_boot(copy)) << abi;
    }
    EXPECT_FALSE(channel::parse_boot("entry=1"));
}

TEST(Record, Numbers) {
    EXPECT_EQ(channel::number("0"), 0u);
    EXPECT_EQ(channel::number("18446744073709551615"), UINT64_MAX);
    for (const char* bad : {"", "00", "01", "18446744073709551616", "99999999999999999999", "1x", " 1"})
        EXPECT_FALSE(channel::number(bad)) << bad;
}

} // namespace
