// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/containers_test.cpp - page maps and directory entries against plain maps, with random operations.
#include "partitions/unikernel/fs/host_seam.hpp"
#include "partitions/unikernel/fs/overlay/directory.hpp"
#include "partitions/unikernel/fs/overlay/page_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

namespace uk::fs::test {
namespace {

TEST(PageMap, AnswersAsAMapDoes) {
    const auto before = host::state();
    {
        PageMap pages;
        std::map<std::uint64_t, std::uint64_t> expected;
        std::mt19937_64 random{1};
        for (int i = 0; i < 4000; ++i) {
            const std::uint64_t page = random() & ((std::uint64_t{1} << (random() % 40)) - 1);
            if (random() % 200 == 0) {
                const auto first = expected.lower_bound(page);
                EXPECT_EQ(pages.truncate(page),
                          static_cast<std::uint64_t>(std::distance(first, expected.end())));
                expected.erase(first, expected.end());
            } else if (!expected.contains(page)) {
                const auto frame = mm::allocate_frame(mm::Fill::zero).value();
                ASSERT_TRUE(pages.insert(page, frame));
                expected[page] = frame.value();
            }
            const std::uint64_t asked = random() & ((std::uint64_t{1} << (random() % 41)) - 1);
            const auto next = expected.lower_bound(asked);
            ASSERT_EQ(pages.next(asked), next == expected.end() ? PageMap::none : next->first);
            ASSERT_EQ(pages.find(asked) != nullptr, expected.contains(asked));
            ASSERT_EQ(pages.count(), expected.size());
        }
        for (const auto& [page, frame] : expected)
            EXPECT_EQ(pages.frame(page).value(), frame);
    }
    EXPECT_EQ(host::state().frames, before.frames);
    EXPECT_EQ(host::state().heap_objects, before.heap_objects);
}

TEST(PageMap, AFailedInsertTakesNothing) {
    PageMap pages;
    const auto frame = mm::allocate_frame(mm::Fill::zero).value();
    host::state().allocations_left = 1;
    EXPECT_FALSE(pages.insert(1 << 20, frame));
    host::state().allocations_left = -1;
    EXPECT_EQ(pages.count(), 0u);
    EXPECT_EQ(pages.find(1 << 20), nullptr);
    EXPECT_TRUE(pages.insert(1 << 20, frame));
}

TEST(DirectoryEntries, AnswersAsASetDoesAndKeepsTheOrder) {
    DirectoryEntries entries;
    std::set<std::string> expected;
    std::mt19937 random{2};
    for (int i = 0; i < 5000; ++i) {
        const std::string name = "n" + std::to_string(random() % 400);
        DirectoryEntry* entry = entries.find(name);
        ASSERT_EQ(entry != nullptr, expected.contains(name)) << name;
        if (entry != nullptr) {
            EXPECT_EQ(entry->name(), name);
            entries.remove(*entry);
            expected.erase(name);
        } else {
            ASSERT_NE(entries.insert(name, nullptr), nullptr);
            expected.insert(name);
        }
    }
    std::set<std::string> listed;
    std::uint64_t serial = 0;
    while (const DirectoryEntry* entry = entries.after(serial)) {
        EXPECT_GT(entry->serial, serial);
        serial = entry->serial;
        listed.emplace(entry->name());
    }
    EXPECT_EQ(listed, expected);
}

} // namespace
} // namespace uk::fs::test
