// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bind_fixture_test.hpp - binds a wish to a board and checks the outcome.
#pragma once

#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/fixture_test.hpp"
#include "image-tools/plan/board.hpp"

#include <memory>

namespace plan::test {

inline constexpr Options options{
    .frames_fixed = 200, .frames_per_cpu = 16, .frames_per_partition = 8, .frames_per_vcpu = 8};
inline constexpr Options with_huge_pages{.huge_pages = true,
                                         .frames_fixed = 200,
                                         .frames_per_cpu = 16,
                                         .frames_per_partition = 8,
                                         .frames_per_vcpu = 8};

inline std::uint32_t apic_id_of(const BoundPlan& bound, std::uint32_t partition, std::uint32_t vcpu) {
    for (const BoundCpu& cpu : bound.cpus)
        if (cpu.partition == partition && cpu.vcpu == vcpu)
            return cpu.apic_id;
    return no_index;
}

// bind, then check; the bound plan, or the issue.
struct Outcome {
    std::unique_ptr<BoundPlan> bound = std::make_unique<BoundPlan>();
    Issue issue{Error::no_partitions};
    bool good = false;
};

inline Outcome bind_and_check(Wish& wish, Board& board, const Options& how = options) {
    Outcome outcome;
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    EXPECT_TRUE(read.ok());
    const Machine& machine = board.ready();
    const auto status = bind(*read, machine, how, *outcome.bound);
    outcome.good = status.ok();
    if (!status.ok()) {
        outcome.issue = status.error();
        EXPECT_TRUE(outcome.bound->pieces.empty() && outcome.bound->free.view().empty());
        return outcome;
    }
    const auto checked = check(*read, machine, how, *outcome.bound);
    EXPECT_TRUE(checked.ok()) << describe(checked.error().error);
    return outcome;
}

inline Outcome bind_good(Wish& wish, Board& board, const Options& how = options) {
    auto outcome = bind_and_check(wish, board, how);
    EXPECT_TRUE(outcome.good) << describe(outcome.issue.error);
    return outcome;
}

inline Issue bind_bad(Wish& wish, Board& board) {
    const auto outcome = bind_and_check(wish, board);
    EXPECT_FALSE(outcome.good);
    return outcome.issue;
}

} // namespace plan::test
