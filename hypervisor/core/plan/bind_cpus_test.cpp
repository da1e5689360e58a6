// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/bind_fixture_test.hpp"

#include <algorithm>

namespace {

using namespace plan;
using test::apic_id_of;
using test::bind_bad;
using test::bind_good;
using test::mebibyte;
using test::Wish;

TEST(BindCpus, RanksBootCpuFirst) {
    Wish wish{2};
    wish.partitions[0].cpu_set = 0b110;
    wish.partitions[0].cpus = 0;
    test::Board board{wish};
    board.cpus = {{7, 1, 0, 0, false}, {3, 0, 1, 0, false}, {9, 1, 1, 0, true}, {1, 0, 0, 0, false}};
    const auto outcome = bind_good(wish, board);
    ASSERT_EQ(outcome.bound->cpus.size(), 4u);
    EXPECT_EQ(outcome.bound->cpus[0].apic_id, 9u);
    EXPECT_EQ(outcome.bound->cpus[1].apic_id, 1u);
    EXPECT_EQ(outcome.bound->cpus[2].apic_id, 3u);
    EXPECT_EQ(outcome.bound->cpus[3].apic_id, 7u);
    EXPECT_EQ(apic_id_of(*outcome.bound, 0, 0), 1u);
    EXPECT_EQ(apic_id_of(*outcome.bound, 0, 1), 3u);
    EXPECT_EQ(apic_id_of(*outcome.bound, 1, 0), 9u);
    EXPECT_EQ(outcome.bound->cpus[3].partition, no_index);
}

TEST(BindCpus, SiblingsAreNeverShared) {
    Wish wish{3};
    wish.partitions[1].cpus = 2;
    test::Board board{wish};
    board.cpus.clear();
    for (std::uint32_t i = 0; i < 8; ++i)
        board.cpus.push_back({i, 0, i / 2, i % 2, i == 0});
    const auto outcome = bind_good(wish, board);
    EXPECT_EQ(outcome.bound->cpus[0].partition, 0u);
    EXPECT_EQ(outcome.bound->cpus[1].partition, no_index) << "the sibling of p0's CPU stays parked";
    EXPECT_EQ(outcome.bound->cpus[2].partition, 1u);
    EXPECT_EQ(outcome.bound->cpus[3].partition, 1u);
    EXPECT_EQ(outcome.bound->cpus[4].partition, 2u);

    wish.partitions[0].cpu_set = 0b01;
    wish.partitions[2].cpu_set = 0b10;
    const auto issue = bind_bad(wish, board);
    EXPECT_EQ(issue.error, Error::core_shared);
    EXPECT_EQ(issue.partition, 2u);
    EXPECT_EQ(issue.other, 0u);
    EXPECT_EQ(issue.needed, 1u);

    // Eight threads on four cores do not carry five partitions.
    Wish five{5};
    test::Board same{five};
    same.cpus = board.cpus;
    const auto missing = bind_bad(five, same);
    EXPECT_EQ(missing.error, Error::not_enough_cpus);
    EXPECT_EQ(missing.partition, 4u);
}

TEST(BindCpus, SiblingsAreSharedWhereBothWantIt) {
    Wish wish{3};
    wish.partitions[0].cpu_set = 0b01;
    wish.partitions[1].cpu_set = 0b10;
    test::Board board{wish};
    board.cpus.clear();
    for (std::uint32_t i = 0; i < 8; ++i)
        board.cpus.push_back({i, 0, i / 2, i % 2, i == 0});
    wish.partitions[0].behaviour.set(flag_smt_shared, true);
    EXPECT_EQ(bind_bad(wish, board).error, Error::core_shared) << "one side's word is not enough";
    wish.partitions[1].behaviour.set(flag_smt_shared, true);
    const auto outcome = bind_good(wish, board);
    EXPECT_EQ(outcome.bound->cpus[0].partition, 0u);
    EXPECT_EQ(outcome.bound->cpus[1].partition, 1u);
    EXPECT_EQ(outcome.bound->cpus[2].partition, 2u);

    // Counts fill cores with those that agree, and only with those.
    wish.partitions[0].cpu_set = wish.partitions[1].cpu_set = 0;
    wish.partitions[1].behaviour.set(flag_smt_shared, false);
    wish.partitions[2].behaviour.set(flag_smt_shared, true);
    const auto counted = bind_good(wish, board);
    EXPECT_EQ(counted.bound->cpus[0].partition, 0u);
    EXPECT_EQ(counted.bound->cpus[1].partition, 2u);
    EXPECT_EQ(counted.bound->cpus[2].partition, 1u);
    EXPECT_EQ(counted.bound->cpus[3].partition, no_index);
}

TEST(BindCpus, OfFiveHundredThreadsTheFirstAreRanked) {
    Wish wish{16};
    test::Board board{wish};
    board.cpus.clear();
    for (std::uint32_t i = 512; i-- > 0;)
        board.cpus.push_back({i, i / 128, i / 2 % 64, i % 2, i == 130});
    const auto outcome = bind_good(wish, board);
    ASSERT_EQ(outcome.bound->cpus.size(), max_cpus);
    EXPECT_EQ(outcome.bound->cpus[0].apic_id, 130u);
    EXPECT_EQ(outcome.bound->cpus[63].apic_id, 62u);
    Wish many{34, 16 * mebibyte};
    test::Board same{many};
    same.cpus = board.cpus;
    EXPECT_EQ(bind_bad(many, same).error, Error::not_enough_cpus)
        << "64 ranks are 32 cores and the boot CPU's";
}

TEST(BindCpus, BadLists) {
    Wish wish{1};
    test::Board board{wish};
    board.cpus[3].apic_id = 1;
    EXPECT_EQ(bind_bad(wish, board).error, Error::bad_cpu_list);
    test::Board none{wish};
    none.cpus[0].boot = false;
    EXPECT_EQ(bind_bad(wish, none).error, Error::bad_cpu_list);
    test::Board two{wish};
    two.cpus[1].boot = true;
    EXPECT_EQ(bind_bad(wish, two).error, Error::bad_cpu_list);
    test::Board rank{wish, 2};
    wish.partitions[0].cpu_set = 4;
    EXPECT_EQ(bind_bad(wish, rank).error, Error::not_enough_cpus);
}

TEST(BindCpus, MoreThanRanks) {
    Wish wish{64, 2 * mebibyte};
    test::Board board{wish, 200};
    const auto outcome = bind_good(wish, board);
    EXPECT_EQ(outcome.bound->cpus.size(), max_cpus);
    EXPECT_EQ(outcome.bound->pieces.size(), 128u);
}

} // namespace
