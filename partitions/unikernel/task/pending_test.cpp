// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/task/pending.hpp"

#include "partitions/unikernel/mm/host_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace {

using namespace uk;
using namespace uk::signal;

Information sent(int number, int code = code::user, std::uint64_t value = 0) {
    Information information;
    information.number = number;
    information.code = code;
    information.value = value;
    return information;
}

struct Queue : testing::Test {
    Pending pending;
    Account account;

    ~Queue() override {
        pending.flush(~Set{0}, account);
        mm::allocations_left = ~0U;
        EXPECT_EQ(mm::allocated, 0);
        EXPECT_EQ(account.queued, 0u);
    }
    void enter(int number, int code = code::user, std::uint64_t value = 0) {
        EXPECT_TRUE(pending.enter(sent(number, code, value), account).ok());
    }
    Information take(Set wanted = ~Set{0}) { return pending.take(wanted, account); }
};

TEST_F(Queue, KeepsAStandardSignalOnceAndTheFirstInformation) {
    enter(usr1, code::queue, 50);
    enter(usr1, code::queue, 51);
    EXPECT_EQ(pending.set(), bit(usr1));
    EXPECT_EQ(take().value, 50u);
    EXPECT_EQ(pending.set(), 0u);
    EXPECT_EQ(take().number, 0);
}

TEST_F(Queue, KeepsEveryRealTimeSignalInOrder) {
    for (std::uint64_t i = 0; i < 4; ++i)
        enter(35, code::queue, i);
    enter(34, code::queue, 9);
    EXPECT_EQ(take().value, 9u); // the lower number first
    for (std::uint64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(pending.set(), bit(35));
        EXPECT_EQ(take().value, i);
    }
    EXPECT_EQ(pending.set(), 0u);
}

TEST_F(Queue, GivesFaultsFirst) {
    enter(hup);
    enter(segv);
    enter(fpe);
    EXPECT_EQ(take().number, fpe);
    EXPECT_EQ(take().number, segv);
    EXPECT_EQ(take().number, hup);
}

TEST_F(Queue, GivesOnlyWhatIsWanted) {
    enter(usr1);
    EXPECT_EQ(take(bit(usr2)).number, 0);
    EXPECT_EQ(take(bit(usr1)).number, usr1);
}

TEST_F(Queue, RefusesAValueOverTheLimitOnly) {
    account.limit = 2;
    enter(34, code::queue, 1);
    enter(34, code::queue, 2);
    EXPECT_EQ(pending.enter(sent(34, code::queue, 3), account).error(), Errno::again);
    EXPECT_EQ(pending.enter(sent(35, code::tkill), account).error(), Errno::again);
    enter(36, code::user, 7);    // kill(): comes, without its information
    enter(usr1, code::queue, 8); // the same for a standard signal with a value
    enter(usr2, code::user);     // the kernel's and kill's standard signals have room
    EXPECT_EQ(account.queued, 3u);
    const Information lost = take(bit(usr1));
    EXPECT_EQ(lost.number, usr1);
    EXPECT_EQ(lost.value, 0u);
    EXPECT_EQ(take(bit(36)).value, 0u);
    EXPECT_EQ(take(bit(36)).number, 0);
}

TEST_F(Queue, LosesOnlyInformationWithoutMemory) {
    mm::allocations_left = 0;
    enter(segv, 1);
    EXPECT_EQ(pending.enter(sent(40, code::queue), account).error(), Errno::again);
    EXPECT_EQ(take().number, segv);
}

struct Own : Waiting {
    int times = 0;
    Own(int number) {
        information.number = number;
        taken = [](Waiting& self) {
            auto& own = static_cast<Own&>(self);
            self.information.user = static_cast<std::uint32_t>(++own.times);
        };
    }
};

TEST_F(Queue, TellsATimerWhenItsSignalIsTaken) {
    Own own(signal::alarm), other(signal::alarm);
    mm::allocations_left = 0; // needs none
    EXPECT_TRUE(pending.enter(own));
    EXPECT_FALSE(pending.enter(own));
    EXPECT_TRUE(pending.enter(other)); // each timer has its own
    EXPECT_EQ(take().user, 1u);
    EXPECT_EQ(pending.set(), bit(signal::alarm));
    EXPECT_EQ(take().user, 1u);
    EXPECT_EQ(pending.set(), 0u);
    EXPECT_TRUE(pending.enter(own));
    EXPECT_EQ(take().user, 2u);
}

TEST_F(Queue, ForgetsATimerThatGoes) {
    Own own(usr1);
    enter(usr1);
    EXPECT_TRUE(pending.enter(own));
    pending.remove(own);
    EXPECT_EQ(pending.set(), bit(usr1));
    pending.remove(own); // it is not there
    EXPECT_EQ(take().number, usr1);
    EXPECT_TRUE(pending.enter(own));
    pending.remove(own);
    EXPECT_EQ(pending.set(), 0u);
    EXPECT_FALSE(own.queued);
}

TEST_F(Queue, FlushesWhatIsNamed) {
    Own own(usr2);
    enter(usr1);
    enter(hup);
    enter(34, code::queue, 1);
    EXPECT_TRUE(pending.enter(own));
    pending.flush(bit(usr1) | bit(usr2), account);
    EXPECT_EQ(pending.set(), bit(hup) | bit(34));
    EXPECT_FALSE(own.queued);
    EXPECT_EQ(own.times, 0);
}

// Random steps against a list that is searched from the start each time.
TEST_F(Queue, DoesWhatASimpleListDoes) {
    struct Entry {
        int number;
        std::uint64_t value;
    };
    std::mt19937 random(9);
    const auto below = [&random](unsigned n) { return static_cast<unsigned>(random() % n); };
    constexpr int numbers[] = {hup, segv, usr1, term, 33, 34, 64};
    std::vector<Entry> model;
    account.limit = 6;
    for (unsigned step = 0; step < 50'000; ++step) {
        const int number = numbers[below(std::size(numbers))];
        const bool realtime = number >= 32;
        const auto waiting = [&](int n) { return std::ranges::count(model, n, &Entry::number); };
        switch (below(4)) {
        case 0:
        case 1: {
            const auto count = static_cast<std::uint64_t>(
                std::ranges::count_if(model, [](const Entry& e) { return e.value != 0; }));
            const Status entered = pending.enter(sent(number, code::queue, step + 1), account);
            if (!realtime && waiting(number) != 0) {
                EXPECT_TRUE(entered.ok());
            } else if (count >= account.limit) {
                EXPECT_EQ(entered.ok(), !realtime);
                if (!realtime)
                    model.push_back({number, 0});
            } else {
                EXPECT_TRUE(entered.ok());
                model.push_back({number, step + 1});
            }
            break;
        }
        case 2: {
            const Set wanted = random() | Set{random()} << 32;
            const Information taken = take(wanted);
            int best = 0;
            for (const Entry& entry : model)
                if ((wanted & bit(entry.number)) != 0 &&
                    (best == 0 ||
                     ((synchronous & bit(entry.number)) != 0) > ((synchronous & bit(best)) != 0) ||
                     (((synchronous & bit(entry.number)) != 0) == ((synchronous & bit(best)) != 0) &&
                      entry.number < best)))
                    best = entry.number;
            EXPECT_EQ(taken.number, best);
            if (best != 0) {
                const auto at = std::ranges::find(model, best, &Entry::number);
                EXPECT_EQ(taken.value, at->value);
                model.erase(at);
            }
            break;
        }
        default:
            if (below(20) == 0) {
                pending.flush(bit(number), account);
                std::erase_if(model, [number](const Entry& entry) { return entry.number == number; });
            }
        }
        Set set = 0;
        for (const Entry& entry : model)
            set |= bit(entry.number);
        ASSERT_EQ(pending.set(), set) << "step " << step;
    }
}

} // namespace
