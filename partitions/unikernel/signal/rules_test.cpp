// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/signal/rules.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/signal/period.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

namespace {

using namespace uk;
using namespace uk::signal;

constexpr std::uint64_t handler = 0x401000;

Information sent(int number, int code = code::user) {
    Information information;
    information.number = number;
    information.code = code;
    return information;
}

struct Signals : testing::Test {
    GroupState group;
    TaskState task, other;

    Signals() { group.actions = Ref<ActionTable>{mm::make<ActionTable>()}; }
    ~Signals() override {
        for (Pending* pending : {&group.pending, &task.pending, &other.pending})
            pending->flush(~Set{0}, group.account);
    }
    void to_group(int number) { EXPECT_TRUE(group.pending.enter(sent(number), group.account).ok()); }
    void to_task(int number) { EXPECT_TRUE(task.pending.enter(sent(number), group.account).ok()); }
    Step step() { return next_step(task, group); }
    void change(int number, const Action& action) {
        change_action(group, number, action, [this](auto flush) {
            flush(task);
            flush(other);
        });
    }
};

TEST_F(Signals, HaveDefaultsOfPosix) {
    for (int number = 1; number <= count; ++number) {
        const bool ignores = number == child || number == cont || number == urg || number == winch;
        const bool stops = number == stop || number == tstp || number == ttin || number == ttou;
        EXPECT_EQ(default_of(number), ignores ? Default::nothing
                                      : stops ? Default::hold
                                              : Default::terminate)
            << number;
        EXPECT_EQ(is_ignored(group, number), ignores);
    }
    group.action(term).handler = handler_ignore;
    group.action(child).handler = handler;
    EXPECT_TRUE(is_ignored(group, term));
    EXPECT_FALSE(is_ignored(group, child));
}

TEST_F(Signals, WaitWhenBlockedThoughIgnored) {
    EXPECT_TRUE(is_discarded(group, task, child));
    task.blocked = bit(child);
    EXPECT_FALSE(is_discarded(group, task, child));
}

TEST_F(Signals, ComeToTheThreadFirst) {
    group.action(usr1).handler = group.action(hup).handler = handler;
    to_group(hup);
    to_task(usr1);
    EXPECT_EQ(step().information.number, usr1);
    EXPECT_EQ(step().information.number, hup);
    EXPECT_EQ(step().act, Act::nothing);
}

TEST_F(Signals, DoWhatTheirActionSays) {
    to_task(term);
    EXPECT_EQ(step().act, Act::terminate);
    to_task(tstp);
    EXPECT_EQ(step().act, Act::hold);
    to_task(child);
    EXPECT_EQ(step().act, Act::next);
    group.action(term).handler = handler_ignore;
    to_task(term);
    EXPECT_EQ(step().act, Act::next);
    group.action(term) = {handler, action_flag::reset_hand, 0, 0};
    to_task(term);
    const Step once = step();
    EXPECT_EQ(once.act, Act::handler);
    EXPECT_EQ(once.action.handler, handler);
    EXPECT_EQ(group.action(term).handler, handler_default);
    task.blocked = bit(hup);
    to_task(hup);
    EXPECT_EQ(step().act, Act::nothing);
}

TEST_F(Signals, GoWhenTheirActionBecomesToIgnoreThem) {
    task.blocked = other.blocked = ~Set{0} & ~unblockable;
    to_group(usr1);
    to_task(usr1);
    EXPECT_TRUE(other.pending.enter(sent(usr1), group.account).ok());
    to_task(usr2);
    change(usr1, {handler, 0, 0, 0});
    EXPECT_EQ(group.pending.set(), bit(usr1));
    change(usr1, {handler_ignore, 0, 0, 0});
    EXPECT_EQ(group.pending.set() | other.pending.set(), 0u);
    EXPECT_EQ(task.pending.set(), bit(usr2));
    to_task(child);
    change(child, {});
    EXPECT_EQ(task.pending.set(), bit(usr2));
}

TEST_F(Signals, OfAFaultAreNeitherBlockedNorIgnored) {
    Information fault = sent(segv, code::segv_access);
    fault.address = 0x1234;
    group.action(segv).handler = handler;
    to_task(segv); // somebody's kill: the fault comes in its place
    force(task, group, fault);
    const Step caught = step();
    EXPECT_EQ(caught.act, Act::handler);
    EXPECT_EQ(caught.information.address, 0x1234u);
    task.blocked = bit(segv);
    force(task, group, fault);
    EXPECT_EQ(step().act, Act::terminate);
    group.action(segv).handler = handler_ignore;
    force(task, group, fault);
    EXPECT_EQ(step().act, Act::terminate);
}

TEST_F(Signals, BlockWhileTheirHandlerRuns) {
    task.blocked = bit(hup);
    const Action action{handler, 0, 0, bit(usr2) | bit(signal::kill)};
    EXPECT_EQ(mask_of_handler(task, action, usr1), bit(hup) | bit(usr2) | bit(usr1));
    EXPECT_EQ(mask_of_handler(task, {handler, action_flag::no_defer, 0, 0}, usr1), bit(hup));
    EXPECT_EQ(take_mask_to_restore(task), bit(hup));
    task.saved_blocked = bit(term);
    task.restore_blocked = true;
    EXPECT_EQ(take_mask_to_restore(task), bit(term));
    EXPECT_EQ(take_mask_to_restore(task), bit(hup));
    task.awaited = bit(hup);
    EXPECT_EQ(task.accepted(), ~Set{0});
}

TrapFrame interrupted(Errno error) {
    TrapFrame frame{};
    frame.vector = system_call_vector;
    frame.error = 7; // poll
    frame.rip = 0x1000;
    frame.rax = std::uint64_t{0} - static_cast<std::uint64_t>(error);
    return frame;
}

TEST_F(Signals, SettleTheCallThatTheyInterrupted) {
    struct Expected {
        Errno error;
        std::uint64_t flags;
        bool again;
    };
    for (const auto& [error, flags, again] :
         {Expected{Errno::restart_sys, action_flag::restart, true}, Expected{Errno::restart_sys, 0, false},
          Expected{Errno::restart_without_handler, action_flag::restart, false},
          Expected{Errno::restart_block, action_flag::restart, false}}) {
        TrapFrame frame = interrupted(error);
        task.restart.function = [](const Restart&) -> SyscallResult { return 1; };
        EXPECT_TRUE(was_interrupted(frame));
        settle_for_handler(frame, task, flags);
        EXPECT_EQ(frame.rax, again ? 7u : static_cast<std::uint64_t>(-static_cast<int>(Errno::intr)));
        EXPECT_EQ(frame.rip, again ? 0xFFEu : 0x1000u);
        EXPECT_EQ(task.restart.function, nullptr);
        EXPECT_FALSE(was_interrupted(frame));
    }
    for (const Errno error : {Errno::restart_sys, Errno::restart_without_handler, Errno::restart_block}) {
        TrapFrame frame = interrupted(error);
        settle_without_handler(frame);
        EXPECT_EQ(frame.rax, error == Errno::restart_block ? 219u : 7u);
        EXPECT_EQ(frame.rip, 0xFFEu);
        EXPECT_FALSE(was_interrupted(frame));
    }
    // Any other result stays, and so do the registers of a program that was not in a call.
    TrapFrame frame = interrupted(Errno::badf);
    settle_for_handler(frame, task, action_flag::restart);
    EXPECT_EQ(frame.rip, 0x1000u);
    frame = interrupted(Errno::restart_sys);
    frame.vector = 14;
    settle_without_handler(frame);
    EXPECT_EQ(frame.rip, 0x1000u);
}

TEST(Return, IsToTheProgramsHalf) {
    EXPECT_TRUE(can_return_to(0x7FFFFFFFEFFF));
    EXPECT_TRUE(can_return_to(0x7FFFFFFFFFFF));
    EXPECT_FALSE(can_return_to(0x800000000000));
    EXPECT_FALSE(can_return_to(0x8000000000000000));
    EXPECT_FALSE(can_return_to(0xFFFF800000000000));
}

TEST(Period, CountsWhatPassed) {
    constexpr Period period{100, 10};
    EXPECT_EQ(period.missed(99), 0u);
    EXPECT_EQ(period.missed(100), 0u);
    EXPECT_EQ(period.missed(109), 0u);
    EXPECT_EQ(period.missed(135), 3u);
    EXPECT_EQ(period.next(50), 100u);
    EXPECT_EQ(period.next(100), 110u);
    EXPECT_EQ(period.next(135), 140u);
    EXPECT_EQ(period.left(135), 5u);
    EXPECT_EQ(period.left(140), 10u);
    constexpr Period once{100, 0};
    EXPECT_EQ(once.missed(500), 0u);
    EXPECT_EQ(once.left(40), 60u);
    EXPECT_EQ(once.left(500), 1u);
}

// A thread and its process against a model that keeps a count of every signal: random actions, masks, signals sent and taken.
TEST_F(Signals, AreDeliveredAsTheModelSays) {
    std::mt19937 random(20);
    const auto below = [&random](unsigned n) { return static_cast<unsigned>(random() % n); };
    constexpr std::array numbers{hup, usr1, segv, child, signal::kill, 34, 35};
    std::map<int, unsigned> of_task, of_group; // how often each waits
    const auto ignores = [this](int number) {
        const std::uint64_t at = group.action(number).handler;
        return at == handler_ignore || (at == handler_default && number == child);
    };
    for (unsigned round = 0; round < 40'000; ++round) {
        const int number = numbers[below(numbers.size())];
        switch (below(5)) {
        case 0: // an action
            if (number != signal::kill) {
                change(number, {std::array{handler_default, handler_ignore, handler}[below(3)], 0, 0, 0});
                if (ignores(number))
                    of_task.erase(number), of_group.erase(number);
            }
            break;
        case 1: // a mask
            task.blocked = ((random() | Set{random()} << 32)) & ~unblockable;
            break;
        case 2:
        case 3: { // sent, to the thread or the process
            auto& model = below(2) == 0 ? of_task : of_group;
            Pending& pending = &model == &of_task ? task.pending : group.pending;
            if (is_discarded(group, task, number)) {
                EXPECT_TRUE(ignores(number) && (task.blocked & bit(number)) == 0);
                break;
            }
            EXPECT_TRUE(pending.enter(sent(number, code::queue), group.account).ok());
            if (model[number] == 0 || number >= 32)
                ++model[number];
            break;
        }
        default: { // on the way to the program
            const Step now = step();
            int expected = 0;
            for (auto* model : {&of_task, &of_group}) {
                for (const bool faults : {true, false})
                    for (const auto& [waiting, times] : *model)
                        if (expected == 0 && times != 0 && (task.blocked & bit(waiting)) == 0 &&
                            (waiting == segv) == faults)
                            expected = waiting;
                if (expected != 0) {
                    --(*model)[expected];
                    break;
                }
            }
            ASSERT_EQ(now.information.number, expected) << "round " << round;
            if (expected == 0)
                EXPECT_EQ(now.act, Act::nothing);
            else if (ignores(expected))
                EXPECT_EQ(now.act, Act::next);
            else
                EXPECT_EQ(now.act, group.action(expected).handler == handler ? Act::handler : Act::terminate);
        }
        }
    }
}

} // namespace
