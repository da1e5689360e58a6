// SPDX-License-Identifier: Apache-2.0
// The functions of flush_protocol.hpp in every interleaving of three CPUs and two spaces: sound, and each part of them is needed.
#include "partitions/unikernel/mm/flush_model.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <utility>

namespace {

using namespace uk::mm::model;

TEST(FlushModel, NoStaleTranslationIsUsedAndNobodyIsStuck) {
    for (const Scenario& scenario : scenarios()) {
        const Outcome outcome = explore(scenario, Mutation::none);
        EXPECT_TRUE(outcome.is_sound()) << scenario.name << ": " << outcome.how;
        EXPECT_GT(outcome.states, 10'000u) << scenario.name;
        std::printf("%7zu states: %.*s\n", outcome.states, static_cast<int>(scenario.name.size()),
                    scenario.name.data());
    }
}

// In at least one scenario, and how.
struct Needed : testing::TestWithParam<std::pair<Mutation, const char*>> {};

TEST_P(Needed, IsMissed) {
    bool stale = false, stuck = false;
    for (const Scenario& scenario : scenarios()) {
        const Outcome outcome = explore(scenario, GetParam().first);
        stale = stale || outcome.stale_access;
        stuck = stuck || outcome.stuck;
        if (!outcome.is_sound())
            std::printf("%.*s: %s\n", static_cast<int>(scenario.name.size()), scenario.name.data(),
                        outcome.how.c_str());
        if (!outcome.is_sound())
            break;
    }
    EXPECT_TRUE(stale || stuck);
}

INSTANTIATE_TEST_SUITE_P(
    FlushModel, Needed,
    testing::Values(std::pair{Mutation::no_look_on_the_way_in, "LookOnTheWayIn"},
                    std::pair{Mutation::no_look_while_waiting, "LookWhileWaiting"},
                    std::pair{Mutation::no_look_on_the_way_out, "LookOnTheWayOut"},
                    std::pair{Mutation::no_look_after_standing_still, "LookAfterStandingStill"},
                    std::pair{Mutation::no_look_in_the_interrupt, "LookInTheInterrupt"},
                    std::pair{Mutation::no_fence_on_the_way_out, "FenceOnTheWayOut"},
                    std::pair{Mutation::no_fence_after_the_change, "FenceAfterTheChange"},
                    std::pair{Mutation::no_generation, "Generation"},
                    std::pair{Mutation::no_mode_on_the_way_out, "ModeOnTheWayOut"},
                    std::pair{Mutation::no_interrupt, "Interrupt"}, std::pair{Mutation::no_wait, "Wait"},
                    std::pair{Mutation::no_own_forgetting, "OwnForgetting"},
                    std::pair{Mutation::seen_not_set, "SeenOfAnotherSpace"},
                    std::pair{Mutation::generation_read_late, "GenerationReadFirst"},
                    std::pair{Mutation::flush_before_the_change, "ChangeBeforeTheFlush"},
                    std::pair{Mutation::free_before_the_flush, "FlushBeforeItIsFreed"},
                    std::pair{Mutation::tables_freed_as_frames, "TablesAreFreedLater"}),
    [](const auto& instance) { return std::string{instance.param.second}; });

// A CPU that waits for the lock looks anyhow: what it says first saves interrupts that it would not take.
TEST(FlushModel, TheOrderOfLockAndModeIsFree) {
    for (const Mutation mutation :
         {Mutation::no_mode_on_the_way_in, Mutation::mode_after_the_lock, Mutation::lock_dropped_last})
        for (const Scenario& scenario : scenarios()) {
            const Outcome outcome = explore(scenario, mutation);
            EXPECT_TRUE(outcome.is_sound()) << scenario.name << ": " << outcome.how;
        }
}

} // namespace
