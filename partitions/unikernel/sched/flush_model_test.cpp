// SPDX-License-Identifier: Apache-2.0
// The protocol between CPUs that look at page tables and one that changes them: sound in every interleaving, and each part of it is needed.
#include "partitions/unikernel/sched/flush_model.hpp"

#include <gtest/gtest.h>

namespace {

using namespace uk::sched::model;

TEST(FlushModel, NoStaleTranslationIsUsedAndNobodyIsStuck) {
    for (const unsigned spaces : {1u, 2u}) {
        const Outcome outcome = explore(3, spaces, Mutation::none);
        EXPECT_FALSE(outcome.stale_access) << outcome.how;
        EXPECT_FALSE(outcome.stuck) << outcome.how;
        std::printf("3 CPUs, %u spaces: %zu states\n", spaces, outcome.states);
        EXPECT_GT(outcome.states, 10'000u);
    }
}

TEST(FlushModel, EveryPartIsNeeded) {
    for (const Mutation mutation : {Mutation::no_fence_on_the_way_out, Mutation::no_look_on_the_way_out,
                                    Mutation::no_flush_on_the_way_in, Mutation::no_fence_after_the_change,
                                    Mutation::generation_before_the_change, Mutation::no_wait}) {
        const Outcome outcome = explore(3, 2, mutation);
        EXPECT_TRUE(outcome.stale_access) << static_cast<int>(mutation);
        EXPECT_FALSE(outcome.how.empty());
    }
    for (const Mutation mutation : {Mutation::mode_after_the_lock, Mutation::no_interrupt}) {
        const Outcome outcome = explore(3, 2, mutation);
        EXPECT_TRUE(outcome.stuck) << static_cast<int>(mutation) << ' ' << outcome.how;
    }
}

TEST(FlushModel, TheOrderOfLockAndModeOnTheWayOutIsFree) {
    const Outcome outcome = explore(3, 2, Mutation::lock_dropped_last);
    EXPECT_FALSE(outcome.stale_access || outcome.stuck) << outcome.how;
}

} // namespace
