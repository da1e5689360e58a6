// SPDX-License-Identifier: Apache-2.0
// Numbers of processes: given in order, never while somebody holds them, and round again.
#include "partitions/unikernel/task/pid.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace {

using namespace uk;

TEST(PidTable, CountsFromOne) {
    PidTable table;
    const Ref<Pid> first = table.make().value(), second = table.make().value();
    EXPECT_EQ(first->id, 1);
    EXPECT_EQ(second->id, 2);
    EXPECT_EQ(table.find(2), second.get());
    EXPECT_EQ(table.find(3), nullptr);
    EXPECT_EQ(table.last(), 2);
}

TEST(PidTable, ANumberIsTakenAsLongAsSomebodyHoldsIt) {
    PidTable table;
    Ref<Pid> held = table.make().value();
    const Ref<Pid> group = held;
    held = nullptr;
    EXPECT_EQ(table.find(1), group.get());
    // All the way round: 1 is not given again, nor what is below the reserved numbers.
    for (int i = 2; i <= PidTable::most; ++i)
        EXPECT_EQ(table.make().value()->id, i);
    EXPECT_EQ(table.make().value()->id, PidTable::reserved);
    EXPECT_EQ(table.count(), 1u);
}

TEST(PidTable, IsFull) {
    PidTable table;
    std::vector<Ref<Pid>> all;
    for (int i = 0; i < PidTable::most - PidTable::reserved; ++i)
        all.push_back(table.make().value());
    EXPECT_EQ(table.make().error(), Errno::again);
    const int free = all[1000]->id;
    all[1000] = nullptr;
    const Ref<Pid> next = table.make().value();
    EXPECT_TRUE(next->id == free || next->id > PidTable::most - PidTable::reserved);
    EXPECT_EQ(table.find(free) == nullptr, next->id != free);
}

TEST(PidTable, RandomNumbersComeAndGo) {
    PidTable table;
    std::map<int, Ref<Pid>> model;
    std::mt19937 random{1};
    for (int step = 0; step < 100'000; ++step) {
        if (model.empty() || random() % 5 < 3) {
            auto made = table.make();
            ASSERT_TRUE(made.ok());
            const int id = (*made)->id;
            ASSERT_EQ(model.count(id), 0u);
            model.emplace(id, std::move(made).value());
        } else {
            auto chosen = model.lower_bound(static_cast<int>(random() % PidTable::most));
            model.erase(chosen == model.end() ? model.begin() : chosen);
        }
        if (model.size() > 400)
            model.clear();
        ASSERT_EQ(table.count(), model.size());
    }
    for (const auto& [id, pid] : model)
        EXPECT_EQ(table.find(id), pid.get());
    model.clear();
    EXPECT_EQ(table.count(), 0u);
}

} // namespace
