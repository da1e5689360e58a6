// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/record_test.cpp - records that are sound, and every way in which one is not; what is made of them.
#include "partitions/uplink/record_test.hpp"

#include "partitions/uplink/containers.hpp"
#include "partitions/uplink/host_seam.hpp"

#include <functional>
#include <gtest/gtest.h>

namespace uplink {
namespace {

using test::RecordParts, test::two_containers;

bool is_sound(const RecordParts& parts) {
    return Record::parse(parts.bytes()).has_value();
}

TEST(UplinkRecord, SaysWhatTheToolWrote) {
    const auto bytes = two_containers().bytes();
    const auto record = Record::parse(bytes);
    ASSERT_TRUE(record);
    EXPECT_FALSE(record->is_leased());
    EXPECT_EQ(record->inside_mask(), 0xFFFFFF00u);
    EXPECT_EQ(record->name(0), "web");
    EXPECT_EQ(record->name(1), "db");
    EXPECT_EQ(record->container(1).address, test::db);
    EXPECT_EQ(record->rule(3).rate, 100'000u);
    EXPECT_EQ(record->published(0).outside, 8080);
    EXPECT_TRUE(is_sound(two_containers(true)));
}

struct Fault {
    const char* name;
    std::function<void(RecordParts&)> make;
};
void PrintTo(const Fault& fault, std::ostream* out) {
    *out << fault.name;
}

class UnsoundRecord : public testing::TestWithParam<Fault> {};

TEST_P(UnsoundRecord, IsNone) {
    RecordParts parts = two_containers();
    ASSERT_TRUE(is_sound(parts));
    GetParam().make(parts);
    EXPECT_FALSE(is_sound(parts));
}

INSTANTIATE_TEST_SUITE_P(
    All, UnsoundRecord,
    testing::Values(
        Fault{"magic", [](RecordParts& p) { ++p.header.magic; }},
        Fault{"flags", [](RecordParts& p) { p.header.flags = 1; }},
        Fault{"no_prefix", [](RecordParts& p) { p.header.prefix = 0; }},
        Fault{"prefix_31", [](RecordParts& p) { p.header.prefix = 31; }},
        Fault{"own_address_none", [](RecordParts& p) { p.header.address = 0; }},
        Fault{"own_address_group", [](RecordParts& p) { p.header.address = 0xE0000001; }},
        Fault{"outside_none", [](RecordParts& p) { p.header.outside = CAISSON_OUTSIDE_NONE; }},
        Fault{"outside_another_uplink", [](RecordParts& p) { p.header.outside = CAISSON_OUTSIDE_UPLINK; }},
        Fault{"outside_address_none", [](RecordParts& p) { p.header.outside_address = 0; }},
        Fault{"outside_prefix_none", [](RecordParts& p) { p.header.outside_prefix = 0; }},
        Fault{"outside_is_inside",
              [](RecordParts& p) {
                  p.header.outside_address = 0x64404D50;
                  p.header.gateway = 0;
              }},
        Fault{"outside_holds_the_inside",
              [](RecordParts& p) {
                  p.header.outside_address = 0x6440000A;
                  p.header.outside_prefix = 16;
                  p.header.gateway = 0;
              }},
        Fault{"gateway_elsewhere", [](RecordParts& p) { p.header.gateway = test::far_away; }},
        Fault{"no_containers", [](RecordParts& p) { p.containers.clear(); }},
        Fault{"many_containers",
              [](RecordParts& p) {
                  for (unsigned i = 0; i < CAISSON_UPLINK_CONTAINERS; ++i)
                      p.containers.push_back({0, test::inside + 10 + i, 2 + i, 0});
              }},
        Fault{"link_out_of_range", [](RecordParts& p) { p.containers[1].link = CAISSON_LINK_MAX; }},
        Fault{"link_twice", [](RecordParts& p) { p.containers[1].link = 0; }},
        Fault{"address_twice", [](RecordParts& p) { p.containers[1].address = test::web; }},
        Fault{"address_of_the_uplink", [](RecordParts& p) { p.containers[1].address = test::inside; }},
        Fault{"address_elsewhere", [](RecordParts& p) { p.containers[1].address = test::far_away; }},
        Fault{"name_out_of_range",
              [](RecordParts& p) {
                  p.names.clear();
                  p.containers[0].name = 0x7FFFFFFF;
              }},
        Fault{"more_rules_than_own", [](RecordParts& p) { p.containers[0].rule_count = 2; }},
        Fault{"fewer_rules_than_own", [](RecordParts& p) { p.containers[0].rule_count = 0xFFFFFFFF; }},
        Fault{"ports_backwards", [](RecordParts& p) { p.rules[0].first_port = 444; }},
        Fault{"direction", [](RecordParts& p) { p.rules[0].inbound = 2; }},
        Fault{"network_beyond_mask", [](RecordParts& p) { p.rules[0].network = test::far_away; }},
        Fault{"rate", [](RecordParts& p) { p.rules[3].rate = Record::most_rate + 1; }},
        Fault{"rate_without_limit", [](RecordParts& p) { p.rules[0].rate = 1000; }},
        Fault{"limit_without_rate", [](RecordParts& p) { p.rules[0].limit = 1; }},
        Fault{"limits_with_a_gap", [](RecordParts& p) { p.rules[3].limit = 2; }},
        Fault{"limit_with_two_rates",
              [](RecordParts& p) {
                  p.rules[0].limit = p.rules[1].limit = 1;
                  p.rules[0].rate = 1000;
                  p.rules[1].rate = 1001;
              }},
        Fault{"many_rules",
              [](RecordParts& p) {
                  p.rules.resize(Record::most_rules + 1, p.rules[0]);
                  p.containers[1].rule_count = Record::most_rules - 2;
              }},
        Fault{"published_of_nobody", [](RecordParts& p) { p.published[0].container = 2; }},
        Fault{"published_none", [](RecordParts& p) { p.published[0].outside = 0; }},
        Fault{"published_to_none", [](RecordParts& p) { p.published[0].inside = 0; }},
        Fault{"published_icmp", [](RecordParts& p) { p.published[0].protocol = 1; }},
        Fault{"published_twice", [](RecordParts& p) { p.published.push_back(p.published[0]); }}),
    [](const auto& of) { return std::string{of.param.name}; });

TEST(UplinkRecord, NoByteOfItLeadsOutOfIt) {
    const auto whole = two_containers().bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(Record::parse(cut));
    }
    // Whatever one of its words is: a record is refused, or all of it can be read.
    for (std::size_t at = 0; at + 4 <= whole.size(); at += 4)
        for (const std::uint32_t value : {0u, 1u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFF8u, 0xFFFFFFFFu}) {
            auto bytes = whole;
            std::memcpy(bytes.data() + at, &value, sizeof(value));
            const auto record = Record::parse(bytes);
            if (!record)
                continue;
            for (unsigned i = 0; i < record->header().container_count; ++i)
                EXPECT_LE(record->name(i).size(), bytes.size());
            EXPECT_TRUE(make_tables(*record));
            host::give_memory_back();
        }
}

TEST(UplinkRecord, WithoutMemoryNothingIsMade) {
    const auto bytes = two_containers().bytes();
    const auto record = Record::parse(bytes);
    ASSERT_TRUE(record);
    unsigned tries = 0;
    for (bool made = false; !made; ++tries) {
        host::state().allocations_left = tries;
        made = make_tables(*record).has_value();
        host::give_memory_back();
    }
    host::state().allocations_left = SIZE_MAX;
    EXPECT_GT(tries, 10u);
}

} // namespace
} // namespace uplink
