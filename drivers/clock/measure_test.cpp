// SPDX-License-Identifier: Apache-2.0
#include "drivers/clock/counters.hpp"
#include "drivers/clock/measure.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace {

// A machine whose time passes with every look: the TSC counts `tsc_hz`, a device answers after `latency` nanoseconds.
struct World {
    double now = 1e6; // nanoseconds
    double tsc_hz = 2.4e9, timer_hz = 1e8;
    double latency = 500; // of a device's answer
    double reference_hz = 14'318'180;
    double granule = 0; // of what the device shows, ns; 0: every tick
    double timer_start = 0;
    bool stands_still = false;
    unsigned looks = 0;
    unsigned hold_up_every = 0; // looks between two times that SMM takes this CPU
    double hold_up = 200'000;   // for so long, ns

    std::uint64_t tsc() {
        now += 10;
        return static_cast<std::uint64_t>(now * tsc_hz / 1e9);
    }
    std::uint32_t look(std::uint32_t mask) {
        now += latency / 2;
        if (hold_up_every != 0 && ++looks % hold_up_every == 0)
            now += hold_up;
        const double shown = granule == 0 ? now : std::floor(now / granule) * granule;
        now += latency / 2;
        return stands_still ? 7
                            : static_cast<std::uint32_t>(
                                  static_cast<std::uint64_t>(shown * reference_hz / 1e9) & mask);
    }
    struct Reference {
        World* world;
        std::uint32_t bits;
        [[nodiscard]] std::uint32_t read() const { return world->look(bits); }
        [[nodiscard]] std::uint32_t mask() const { return bits; }
        [[nodiscard]] std::uint64_t femtoseconds() const {
            return static_cast<std::uint64_t>(1e15 / world->reference_hz + 0.5);
        }
    };
    std::optional<drivers::Rates> measure(std::uint32_t mask = UINT32_MAX) {
        return drivers::measure(
            Reference{this, mask}, [this] { return tsc(); }, [this] { timer_start = now; },
            [this] { return static_cast<std::uint64_t>((now - timer_start) * timer_hz / 1e9); });
    }
};

void expect_within(const World& world, const std::optional<drivers::Rates>& rates) {
    ASSERT_TRUE(rates);
    const double off = std::abs(static_cast<double>(rates->tsc_hz) / world.tsc_hz - 1) * 1e6;
    EXPECT_LE(off, rates->error_ppm) << rates->tsc_hz;
    EXPECT_LE(std::abs(static_cast<double>(rates->timer_hz) / world.timer_hz - 1) * 1e6,
              rates->error_ppm + 100.0);
}

TEST(Measure, TheErrorItStatesHolds) {
    for (const double latency : {10.0, 120.0, 800.0, 3000.0})
        for (const double hz : {1'193'182.0, 3'579'545.0, 14'318'180.0, 1e8})
            for (const double tsc_hz : {8e8, 2.4e9, 5.7e9}) {
                World world{.tsc_hz = tsc_hz, .latency = latency, .reference_hz = hz};
                const double began = world.now;
                const auto rates = world.measure();
                expect_within(world, rates);
                EXPECT_LE(rates->error_ppm, latency < 1000 ? 100u : 200u);
                EXPECT_LE(world.now - began, 52e6);
            }
}

TEST(Measure, ASlowLookTakesTwentyMillisecondsAFastOneLess) {
    World slow{.latency = 1000};
    const double began = slow.now;
    expect_within(slow, slow.measure());
    EXPECT_GE(slow.now - began, 18e6);
    World fast{.latency = 10};
    const double then = fast.now;
    expect_within(fast, fast.measure());
    EXPECT_LE(fast.now - then, 1e6);
}

TEST(Measure, AClockThatMovesInStepsAndOneThatWrapsAreMeasuredAllTheSame) {
    World steps{.latency = 20, .reference_hz = 1e8, .granule = 1000};
    expect_within(steps, steps.measure());
    World pit{.latency = 900, .reference_hz = 1'193'182};
    pit.now = 54e6; // wraps at 54.9 ms
    expect_within(pit, pit.measure(0xffff));
    World pm{.latency = 900, .reference_hz = 3'579'545};
    pm.now = 4.68e9; // of 24 bits at 4.687 s
    expect_within(pm, pm.measure(0xffffff));
}

TEST(Measure, WhatHoldsTheCpuUpIsInTheError) {
    for (const unsigned every : {3u, 10u, 1000u}) {
        World world{.latency = 500, .hold_up_every = every};
        const auto rates = world.measure();
        if (rates)
            expect_within(world, rates);
    }
}

// An emulator's host had held its CPU up for longer than the PIT takes to go round: 2.6 GHz were taken for 17.6.
TEST(Measure, ACounterThatMayHaveGoneRoundUnseenIsNotBelieved) {
    unsigned answers = 0;
    for (const double hold_up : {1e6, 3e6, 60e6, 100e6, 300e6})
        for (unsigned every = 2; every < 30'000; every = every * 3 / 2) {
            World world{
                .latency = 900, .reference_hz = 1'193'182, .hold_up_every = every, .hold_up = hold_up};
            if (const auto rates = world.measure(0xffff)) {
                expect_within(world, rates);
                ++answers;
            }
        }
    EXPECT_GT(answers, 10u);
}

TEST(Measure, NoCounterNoAnswer) {
    World world{.stands_still = true};
    EXPECT_FALSE(world.measure());
    World impossible;
    impossible.reference_hz = 1e18; // no femtoseconds a tick
    EXPECT_FALSE(impossible.measure());
}

struct Answer {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
struct Leaves {
    std::map<std::uint32_t, Answer> leaves;
    Answer operator()(std::uint32_t leaf, std::uint32_t) const {
        const auto found = leaves.find(leaf);
        return found == leaves.end() ? Answer{} : found->second;
    }
};

TEST(StatedRates, TheCrystalThenTheHypervisorBelow) {
    Leaves skylake{{{0, {0x16}}, {0x15, {2, 216, 24'000'000, 0}}, {0x16, {2600, 0, 0, 0}}}};
    ASSERT_TRUE(drivers::stated_rates(skylake));
    EXPECT_EQ(drivers::stated_rates(skylake)->tsc_hz, 2'592'000'000u);
    EXPECT_EQ(drivers::stated_rates(skylake)->timer_hz, 24'000'000u);
    skylake.leaves[0x15].ecx = 0; // the crystal is not named: 16h would be 0.3 % off
    EXPECT_FALSE(drivers::stated_rates(skylake));
    skylake.leaves[0x15] = {0, 216, 24'000'000, 0};
    EXPECT_FALSE(drivers::stated_rates(skylake));
    skylake.leaves[0x15] = {2, 0xffffffff, 0xffffffff, 0};
    EXPECT_FALSE(drivers::stated_rates(skylake)) << "faster than anything";

    Leaves guest{{{0, {0xd}},
                  {1, {0, 0, 1u << 31, 0}},
                  {0x40000000, {0x40000010}},
                  {0x40000010, {2'100'000, 1'000'000}}}};
    ASSERT_TRUE(drivers::stated_rates(guest));
    EXPECT_EQ(drivers::stated_rates(guest)->tsc_hz, 2'100'000'000u);
    EXPECT_EQ(drivers::stated_rates(guest)->timer_hz, 1'000'000'000u);
    guest.leaves[0x40000010].ebx = 0;
    EXPECT_FALSE(drivers::stated_rates(guest));
    guest.leaves[0x40000000].eax = 0x40000006; // as Hyper-V: no such leaf
    EXPECT_FALSE(drivers::stated_rates(guest));
    guest.leaves[1].ecx = 0; // no hypervisor: what lies at 40000000h is the last leaf's
    guest.leaves[0x40000000].eax = 0x40000010;
    EXPECT_FALSE(drivers::stated_rates(guest));
}

TEST(Rates, AgreeWithinOnePercent) {
    const drivers::Rates stated{1'500'000'000, 24'000'000, 0};
    EXPECT_TRUE(drivers::agree(stated, {1'515'000'000, 0, 100}));
    EXPECT_TRUE(drivers::agree(stated, {1'485'000'000, 0, 100}));
    EXPECT_FALSE(drivers::agree(stated, {1'515'000'001, 0, 100}));
    EXPECT_FALSE(drivers::agree(stated, {1'484'999'999, 0, 100}));
    EXPECT_FALSE(drivers::agree(stated, {50'000'000, 0, 100}))
        << "an emulator that shows another processor's leaf";
}

} // namespace
