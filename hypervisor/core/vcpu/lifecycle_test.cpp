// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/lifecycle.hpp"

#include "hypervisor/core/vcpu/refusal.hpp"
#include "hypervisor/core/vcpu/state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>

namespace {

using enum vcpu::PartitionState;
using vcpu::EndReason;
using vcpu::RestartRule;

TEST(Lifecycle, OneOrderOnly) {
    // From running there is one way back to the start, and it passes every step of rule 23.
    constexpr std::array all{defined,  running, stopping, quiet,  detached,   drained,
                             scrubbed, reset,   stopped,  failed, quarantined};
    const std::set<std::pair<vcpu::PartitionState, vcpu::PartitionState>> steps{
        {defined, running},
        {running, stopping},
        {stopping, quiet},
        {quiet, detached},
        {detached, drained},
        {drained, scrubbed},
        {scrubbed, reset},
        {reset, defined},
        {reset, stopped},
        {reset, failed},
        // No life after that, and no memory that was scrubbed while somebody may still write it.
        {stopping, quarantined},
        {quiet, quarantined},
        {detached, quarantined},
        {drained, quarantined}};
    for (const auto state : all)
        for (const auto next : all)
            EXPECT_EQ(vcpu::may_follow(state, next), steps.contains({state, next}))
                << static_cast<int>(state) << " to " << static_cast<int>(next);
}

TEST(Lifecycle, NobodyIsEnteredWhoMustLeave) {
    for (const auto state : {stopping, quarantined})
        EXPECT_TRUE(vcpu::must_leave(state));
    for (const auto state : {defined, running, quiet, detached, drained, scrubbed, reset, stopped, failed})
        EXPECT_FALSE(vcpu::must_leave(state));
}

TEST(Lifecycle, RestartRules) {
    EXPECT_FALSE(vcpu::should_restart(RestartRule::no, 0, 0, EndReason::stopped, 1));
    EXPECT_TRUE(vcpu::should_restart(RestartRule::always, 0, 99, EndReason::exit, 0));
    EXPECT_FALSE(vcpu::should_restart(RestartRule::on_failure, 0, 0, EndReason::exit, 0));
    EXPECT_TRUE(vcpu::should_restart(RestartRule::on_failure, 0, 99, EndReason::exit, 1));
    EXPECT_TRUE(vcpu::should_restart(RestartRule::on_failure, 2, 1, EndReason::stopped, 0));
    EXPECT_FALSE(vcpu::should_restart(RestartRule::on_failure, 2, 2, EndReason::signal, 137));
    EXPECT_EQ(vcpu::name_of(EndReason::exit), "exit");
    EXPECT_EQ(vcpu::name_of(EndReason::signal), "signal");
    EXPECT_EQ(vcpu::name_of(EndReason::fault), "fault");
    EXPECT_EQ(vcpu::name_of(EndReason::stopped), "stopped");
}

TEST(Lifecycle, BackOffDoublesUntilALongLife) {
    vcpu::BackOff back_off;
    std::uint64_t expected = 100;
    for (int i = 0; i < 40; ++i) {
        EXPECT_EQ(back_off.next_delay_ms(100, 5), std::min(expected, vcpu::longest_delay_ms)) << i;
        expected = std::min(expected * 2, vcpu::longest_delay_ms);
    }
    EXPECT_EQ(back_off.next_delay_ms(100, vcpu::long_life_ms), 100u);
    EXPECT_EQ(back_off.next_delay_ms(100, vcpu::long_life_ms - 1), 100u);
    EXPECT_EQ(back_off.next_delay_ms(100, 0), 200u);
    vcpu::BackOff none;
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(none.next_delay_ms(0, 0), 0u);
    EXPECT_EQ(none.next_delay_ms(60'000, 0), vcpu::longest_delay_ms);
}

TEST(Refusals, NamesAreDistinctAndAuditable) {
    std::set<std::string_view> names;
    for (const auto& rule : vcpu::refusal_rules) {
        EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
        EXPECT_EQ(rule.name.find_first_of(" =%"), std::string_view::npos);
    }
}

TEST(Refusals, ReportedAtPowersOfTen) {
    vcpu::Counters counters;
    std::set<int> reported;
    for (int i = 1; i <= 20000; ++i)
        if (counters.refuse(vcpu::Refusal::port))
            reported.insert(i);
    EXPECT_EQ(reported, (std::set<int>{1, 10, 100, 1000, 10000}));
    EXPECT_TRUE(counters.refuse(vcpu::Refusal::msr_read)); // kinds are apart
    EXPECT_EQ(counters.refusals, 20001u);
    counters.next_report[0] = UINT64_MAX / 9;
    counters.by_kind[0] = UINT64_MAX / 9;
    EXPECT_TRUE(counters.refuse(vcpu::Refusal::none));
    EXPECT_EQ(counters.next_report[0], UINT64_MAX);
}

TEST(LoopGuard, StopsAfterAThousandEqualExits) {
    vcpu::LoopGuard guard;
    std::uint64_t exit = 0;
    for (int i = 0; i < 999; ++i)
        EXPECT_FALSE(guard.note(++exit, 0x1000, 7));
    EXPECT_TRUE(guard.note(++exit, 0x1000, 7));
    // Any progress in between starts again: another exit, another place, another state.
    for (int way = 0; way < 3; ++way) {
        vcpu::LoopGuard other;
        for (std::uint64_t i = 1; i < 3000; ++i)
            EXPECT_FALSE(
                other.note(way == 0 ? 2 * i : i, way == 1 ? 0x1000 + i % 2 : 0x1000, way == 2 ? i : 7));
    }
}

TEST(RateLimiter, BudgetAnInterval) {
    vcpu::RateLimiter limiter{100, 1000};
    EXPECT_EQ(limiter.take(5000, 60), 60u);
    EXPECT_EQ(limiter.take(5999, 60), 40u);
    EXPECT_EQ(limiter.take(5999, 1), 0u);
    EXPECT_EQ(limiter.take(6000, 1000), 100u);
    vcpu::RateLimiter without_clock{10, 0};
    std::uint64_t granted = 0;
    for (std::uint64_t now = 1000; now < 2000; ++now)
        granted += without_clock.take(now, 1);
    EXPECT_EQ(granted, 10u);
    vcpu::RateLimiter closed;
    EXPECT_EQ(closed.take(1, 1), 0u);
}

TEST(StartStates, Pvh) {
    const vcpu::InitialState state = vcpu::pvh_entry(0x100000, 0xF1000);
    EXPECT_EQ(state.rip, 0x100000u);
    EXPECT_EQ(state.registers.rbx, 0xF1000u);
    EXPECT_EQ(state.cr0, 0x11u);
    EXPECT_EQ(state.cr4, 0u);
    EXPECT_EQ(state.efer, 0u);
    EXPECT_EQ(state.rflags, 2u); // interrupts and direction clear
    EXPECT_EQ(state.cs.base, 0u);
    EXPECT_EQ(state.cs.limit, 0xFFFFFFFFu);
    EXPECT_EQ(state.cs.attributes, 0xC9B);
    for (const vcpu::Segment& data : {state.ds, state.es, state.ss}) {
        EXPECT_EQ(data.attributes, 0xC93);
        EXPECT_EQ(data.limit, 0xFFFFFFFFu);
    }
    EXPECT_EQ(state.tr.attributes, 0x8B);
    EXPECT_EQ(state.tr.limit, 0x67u);
    EXPECT_EQ(state.cs.vmx_access_rights(), 0xC09Bu);
    EXPECT_EQ(vcpu::Segment{}.vmx_access_rights(), 0x10000u);
}

TEST(StartStates, Sipi) {
    const vcpu::InitialState state = vcpu::sipi_start(0x9A);
    EXPECT_EQ(state.rip, 0u);
    EXPECT_EQ(state.cs.selector, 0x9A00);
    EXPECT_EQ(state.cs.base, 0x9A000u);
    EXPECT_EQ(state.cs.limit, 0xFFFFu);
    EXPECT_EQ(state.cr0 & 0x80000001, 0u);
    EXPECT_EQ(state.cr0 & 0x10, 0x10u);
}

} // namespace
