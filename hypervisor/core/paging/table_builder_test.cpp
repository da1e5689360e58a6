// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/paging/table_builder.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

namespace {

using base::PhysAddr;
using paging::Access;
using paging::Error;

constexpr std::uint64_t page = base::page_size, large = base::large_page_size, huge = base::huge_page_size;

// Tables in host memory. Every store can be watched; frames start at a recognisable address.
class FakeMemory {
public:
    explicit FakeMemory(std::uint64_t frames) : left_(frames) {}
    PhysAddr allocate() {
        if (left_ == 0)
            throw std::runtime_error("allocated more than available");
        --left_;
        tables_.emplace_back(512, 0);
        return PhysAddr{first + (tables_.size() - 1) * page};
    }
    std::uint64_t available() const { return left_; }
    std::uint64_t read(PhysAddr table, unsigned index) const { return at(table)[index]; }
    void write(PhysAddr table, unsigned index, std::uint64_t entry) {
        tables_[number(table)][index] = entry;
        ++writes;
        if (after_store)
            after_store();
    }
    bool operator==(const FakeMemory& other) const {
        return tables_ == other.tables_ && left_ == other.left_;
    }
    std::size_t used() const { return tables_.size(); }

    std::function<void()> after_store;
    std::uint64_t writes = 0;

private:
    static constexpr std::uint64_t first = 0x7000000;
    static std::size_t number(PhysAddr table) { return (table.value() - first) / page; }
    const std::vector<std::uint64_t>& at(PhysAddr table) const { return tables_.at(number(table)); }
    std::uint64_t left_;
    std::vector<std::vector<std::uint64_t>> tables_;
};

template <typename Format> class Builder : public ::testing::Test {
public:
    using Table = paging::TableBuilder<Format, FakeMemory>;
};
using Formats = ::testing::Types<paging::NestedFormat, paging::ExtendedFormat, paging::HostFormat>;
TYPED_TEST_SUITE(Builder, Formats);

TYPED_TEST(Builder, LargestPagesThatFit) {
    FakeMemory memory{100};
    auto table = TestFixture::Table::create(memory).value();
    // One page before a 2 MiB border, 2 MiB, 1 GiB, 2 MiB, one page.
    const std::uint64_t from = huge - large - page, bytes = page + large + huge + large + page;
    const auto written = table.map(from, PhysAddr{from + 4 * huge}, bytes, paging::read_write);
    ASSERT_TRUE(written.ok());
    std::vector<std::uint64_t> sizes;
    std::uint64_t expected = from;
    for (auto leaf = table.next(0); leaf; leaf = table.next(leaf->from + leaf->bytes)) {
        EXPECT_EQ(leaf->from, expected);
        EXPECT_EQ(leaf->to.value(), expected + 4 * huge);
        EXPECT_EQ(leaf->access, paging::read_write);
        sizes.push_back(leaf->bytes);
        expected += leaf->bytes;
    }
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{page, large, huge, large, page}));
    // 5 leaves, 1 PDPT, 2 PDs, 2 PTs
    EXPECT_EQ(*written, 10u);
    EXPECT_EQ(memory.writes, 10u);
    EXPECT_EQ(memory.used(), 6u);
}

TYPED_TEST(Builder, LargestLevelIsObeyed) {
    for (unsigned largest : {0u, 1u, 2u}) {
        FakeMemory memory{1000};
        auto table = TestFixture::Table::create(memory, largest).value();
        ASSERT_TRUE(table.map(0, PhysAddr{0}, huge, paging::read_only).ok());
        EXPECT_EQ(table.query(12345)->bytes, paging::level_size(largest));
        EXPECT_EQ(table.query(huge - 1)->to.value(), huge - paging::level_size(largest));
    }
}

TYPED_TEST(Builder, MisalignedTargetTakesSmallPages) {
    FakeMemory memory{100};
    auto table = TestFixture::Table::create(memory).value();
    ASSERT_TRUE(table.map(0, PhysAddr{page}, large, paging::read_only).ok());
    EXPECT_EQ(table.query(0)->bytes, page);
    EXPECT_EQ(table.query(large - 1)->to.value(), large);
}

TYPED_TEST(Builder, ErrorsChangeNothing) {
    FakeMemory memory{8};
    auto table = TestFixture::Table::create(memory).value();
    ASSERT_TRUE(table.map(large, PhysAddr{large}, large, paging::read_only).ok());
    ASSERT_TRUE(table.map(3 * large, PhysAddr{0}, page, paging::read_only).ok());
    const FakeMemory before = memory;
    const auto refused = [&](base::Result<unsigned, Error> result) {
        EXPECT_TRUE(memory == before);
        return result.ok() ? std::optional<Error>{} : result.error();
    };
    const Access access = paging::read_only;
    EXPECT_EQ(refused(table.map(1, PhysAddr{0}, page, access)), Error::misaligned);
    EXPECT_EQ(refused(table.map(0, PhysAddr{1}, page, access)), Error::misaligned);
    EXPECT_EQ(refused(table.map(0, PhysAddr{0}, 0, access)), Error::misaligned);
    EXPECT_EQ(refused(table.map(0, PhysAddr{0}, page + 1, access)), Error::misaligned);
    EXPECT_EQ(refused(table.map(paging::input_limit, PhysAddr{0}, page, access)), Error::out_of_range);
    EXPECT_EQ(refused(table.map(paging::input_limit - page, PhysAddr{0}, 2 * page, access)),
              Error::out_of_range);
    EXPECT_EQ(refused(table.map(0, PhysAddr{paging::output_limit}, page, access)), Error::out_of_range);
    EXPECT_EQ(refused(table.map(0, PhysAddr{paging::output_limit - page}, 2 * page, access)),
              Error::out_of_range);
    // In the way: a large page, a small page, a table where a large page would go.
    EXPECT_EQ(refused(table.map(0, PhysAddr{0}, 2 * large, access)), Error::overlap);
    EXPECT_EQ(refused(table.map(large + page, PhysAddr{0}, page, access)), Error::overlap);
    EXPECT_EQ(refused(table.map(3 * large, PhysAddr{0}, large, access)), Error::overlap);
    EXPECT_EQ(refused(table.map(0, PhysAddr{0}, huge, access)), Error::overlap);
    EXPECT_EQ(refused(table.unmap(0, 2 * large)), Error::not_mapped);
    EXPECT_EQ(refused(table.unmap(3 * large, 2 * page)), Error::not_mapped);
    EXPECT_EQ(refused(table.unmap(large, 5)), Error::misaligned);
    EXPECT_EQ(refused(table.protect(5 * large, page, access)), Error::not_mapped);
    EXPECT_EQ(refused(table.protect(paging::input_limit, page, access)), Error::out_of_range);
    EXPECT_EQ(refused(table.prepare(large, page)), Error::overlap);
    EXPECT_EQ(refused(table.prepare(1, page)), Error::misaligned);
    // 8 frames: root, PDPT, PD, PT are used; this needs 5 more.
    EXPECT_EQ(refused(table.map(4 * large, PhysAddr{page}, 5 * large, access)), Error::out_of_frames);
    EXPECT_EQ(refused(table.prepare(4 * large, 5 * large)), Error::out_of_frames);
    EXPECT_TRUE(table.map(4 * large, PhysAddr{page}, 4 * large, access).ok());
    const FakeMemory full = memory;
    EXPECT_EQ(table.unmap(large, page).error(), Error::out_of_frames);
    EXPECT_EQ(table.protect(large, page, access).error(), Error::out_of_frames);
    EXPECT_TRUE(memory == full);
    FakeMemory none{0};
    EXPECT_EQ(TestFixture::Table::create(none).error(), Error::out_of_frames);
}

TYPED_TEST(Builder, UnmapAndProtectSplit) {
    FakeMemory memory{100};
    auto table = TestFixture::Table::create(memory).value();
    ASSERT_TRUE(table.map(0, PhysAddr{huge}, huge, paging::read_write).ok());
    ASSERT_TRUE(table.unmap(large + page, page).ok());
    EXPECT_FALSE(table.query(large + page));
    EXPECT_EQ(table.query(large)->bytes, page);
    EXPECT_EQ(table.query(large + 2 * page)->to.value(), huge + large + 2 * page);
    EXPECT_EQ(table.query(0)->bytes, large);
    EXPECT_EQ(table.query(0)->access, paging::read_write);
    ASSERT_TRUE(table.protect(4 * large, 2 * large + page, paging::read_execute).ok());
    EXPECT_EQ(table.query(4 * large)->access, paging::read_execute);
    EXPECT_EQ(table.query(4 * large)->bytes, large);
    EXPECT_EQ(table.query(6 * large)->access, paging::read_execute);
    EXPECT_EQ(table.query(6 * large + page)->access, paging::read_write);
    EXPECT_EQ(table.query(6 * large + page)->to.value(), huge + 6 * large + page);
    // The hole can be filled again.
    ASSERT_TRUE(table.map(large + page, PhysAddr{0}, page, paging::device).ok());
    EXPECT_EQ(table.query(large + page)->access, paging::device);
    EXPECT_FALSE(table.query(huge));
    EXPECT_FALSE(table.query(paging::input_limit));
    EXPECT_FALSE(table.next(huge));
}

TYPED_TEST(Builder, PrepareMakesLastTables) {
    FakeMemory memory{100};
    auto table = TestFixture::Table::create(memory).value();
    EXPECT_FALSE(table.last_table(large));
    ASSERT_TRUE(table.prepare(large + page, large).ok());
    ASSERT_TRUE(table.last_table(large) && table.last_table(2 * large));
    EXPECT_NE(*table.last_table(large), *table.last_table(2 * large));
    EXPECT_FALSE(table.last_table(3 * large));
    EXPECT_FALSE(table.last_table(paging::input_limit));
    EXPECT_FALSE(table.next(0));
    const std::size_t used = memory.used();
    EXPECT_EQ(*table.prepare(large, large), 0u); // again: nothing to do
    ASSERT_TRUE(table.map(large, PhysAddr{0}, large, paging::read_only).ok());
    EXPECT_EQ(table.query(large)->bytes, page); // a table stands where a large page would go
    EXPECT_EQ(*table.prepare(large, large), 0u);
    EXPECT_EQ(memory.used(), used);
}

// I2: after every single store each address has its translation from before or from after the operation.
template <typename Table> class Replay {
public:
    Replay(FakeMemory& memory, Table& table) : memory_(memory), table_(table) {}

    template <typename Operation> void run(const std::vector<std::uint64_t>& watched, Operation operation) {
        const auto before = look(watched);
        std::vector<std::vector<std::optional<paging::Leaf>>> states;
        memory_.after_store = [&] { states.push_back(look(watched)); };
        ASSERT_TRUE(operation().ok());
        memory_.after_store = nullptr;
        const auto after = look(watched);
        ASSERT_FALSE(states.empty());
        for (const auto& state : states)
            for (std::size_t i = 0; i < watched.size(); ++i)
                EXPECT_TRUE(same(state[i], before[i], watched[i]) || same(state[i], after[i], watched[i]));
    }

private:
    std::vector<std::optional<paging::Leaf>> look(const std::vector<std::uint64_t>& watched) const {
        std::vector<std::optional<paging::Leaf>> seen;
        for (std::uint64_t address : watched)
            seen.push_back(table_.query(address));
        return seen;
    }
    // The same translation of one address, whatever the page size.
    static bool same(const std::optional<paging::Leaf>& a, const std::optional<paging::Leaf>& b,
                     std::uint64_t address) {
        if (!a || !b)
            return !a && !b;
        return a->to.value() + (address - a->from) == b->to.value() + (address - b->from) &&
               a->access == b->access;
    }
    FakeMemory& memory_;
    Table& table_;
};

TYPED_TEST(Builder, EveryStoreLeavesOldOrNew) {
    FakeMemory memory{1000};
    auto table = TestFixture::Table::create(memory).value();
    Replay replay{memory, table};
    const std::vector<std::uint64_t> watched{0,         page, large - page, large,        large + page,
                                             2 * large, huge, huge + large, 2 * huge - 1, 2 * huge + page};
    replay.run(watched, [&] { return table.map(page, PhysAddr{page}, 2 * huge, paging::read_write); });
    replay.run(watched, [&] { return table.protect(large, page, paging::read_only); });
    replay.run(watched, [&] { return table.unmap(huge + large, page); });
    replay.run(watched, [&] { return table.unmap(page, large); });
    replay.run(watched, [&] { return table.map(page, PhysAddr{4 * huge}, large, paging::read_execute); });
}

// A plain map of pages is the model; random operations must agree with it, and fail without a trace when it says so.
TYPED_TEST(Builder, AgreesWithAModel) {
    std::mt19937_64 random{7};
    FakeMemory memory{4000};
    auto table = TestFixture::Table::create(memory).value();
    struct Page {
        std::uint64_t to;
        Access access;
    };
    std::map<std::uint64_t, Page> model;
    const std::array<Access, 4> kinds{paging::read_only, paging::read_write, paging::read_execute,
                                      paging::device};
    constexpr std::uint64_t span_pages = 2048;
    for (int step = 0; step < 400; ++step) {
        std::uint64_t from = random() % span_pages * page;
        std::uint64_t bytes = (1 + random() % (random() % 4 == 0 ? 1200 : 40)) * page;
        if (random() % 4 == 0)
            from = from / large * large;
        const std::uint64_t to = (random() % 4 == 0 ? random() % 512 * page : 0) + from + 16 * huge;
        const Access access = kinds[random() % kinds.size()];
        bool any = false, all = true;
        for (std::uint64_t at = from; at < from + bytes; at += page)
            (model.contains(at) ? any : all) = model.contains(at);
        const auto action = random() % 3;
        const FakeMemory before = memory;
        const auto result = action == 0   ? table.map(from, PhysAddr{to}, bytes, access)
                            : action == 1 ? table.unmap(from, bytes)
                                          : table.protect(from, bytes, access);
        ASSERT_EQ(result.ok(), action == 0 ? !any : all) << step;
        if (!result.ok()) {
            ASSERT_TRUE(memory == before);
            continue;
        }
        EXPECT_EQ(*result, memory.writes - before.writes);
        for (std::uint64_t offset = 0; offset < bytes; offset += page) {
            if (action == 0)
                model[from + offset] = {to + offset, access};
            else if (action == 1)
                model.erase(from + offset);
            else
                model[from + offset].access = access;
        }
        for (std::uint64_t at = 0; at < (span_pages + 1300) * page; at += page) {
            const auto leaf = table.query(at);
            const auto expected = model.find(at);
            ASSERT_EQ(leaf.has_value(), expected != model.end());
            if (leaf) {
                ASSERT_EQ(leaf->to.value() + (at - leaf->from), expected->second.to);
                ASSERT_EQ(leaf->access, expected->second.access);
            }
        }
    }
}

TEST(Formats, Bits) {
    // NPT: the user bit at every level; EPT: write-back with ignore-PAT; host: no user, no global bit.
    EXPECT_EQ(paging::NestedFormat::table(PhysAddr{0x5000}), 0x5007u);
    EXPECT_EQ(paging::NestedFormat::leaf(PhysAddr{0x200000}, 1, paging::read_write_execute), 0x200087u);
    EXPECT_EQ(paging::NestedFormat::leaf(PhysAddr{0x1000}, 0, paging::read_only), 0x8000000000001005u);
    EXPECT_EQ(paging::NestedFormat::leaf(PhysAddr{0x1000}, 0, paging::device), 0x800000000000101Fu);
    EXPECT_EQ(paging::ExtendedFormat::table(PhysAddr{0x5000}), 0x5007u);
    EXPECT_EQ(paging::ExtendedFormat::leaf(PhysAddr{0x200000}, 1, paging::read_write_execute), 0x2000F7u);
    EXPECT_EQ(paging::ExtendedFormat::leaf(PhysAddr{0x1000}, 0, paging::read_execute), 0x1075u);
    EXPECT_EQ(paging::ExtendedFormat::leaf(PhysAddr{0x1000}, 0, paging::device), 0x1043u);
    EXPECT_EQ(paging::HostFormat::table(PhysAddr{0x5000}), 0x5003u);
    EXPECT_EQ(paging::HostFormat::leaf(PhysAddr{0x1000}, 0, paging::read_execute), 0x1001u);
    EXPECT_EQ(paging::HostFormat::leaf(PhysAddr{0x1000}, 0, paging::read_write), 0x8000000000001003u);
}

TEST(Formats, HostIsWriteXorExecute) {
    FakeMemory memory{10};
    auto table = paging::TableBuilder<paging::HostFormat, FakeMemory>::create(memory).value();
    EXPECT_EQ(table.map(0, PhysAddr{0}, page, paging::read_write_execute).error(), Error::bad_access);
    ASSERT_TRUE(table.map(0, PhysAddr{0}, page, paging::read_execute).ok());
    EXPECT_EQ(table.protect(0, page, paging::read_write_execute).error(), Error::bad_access);
}

TEST(TablesNeeded, IsAnUpperBoundAndTightForOneExtent) {
    std::mt19937_64 random{11};
    for (int step = 0; step < 300; ++step) {
        const unsigned largest = static_cast<unsigned>(random() % 3);
        const unsigned congruent = std::array{12u, 21u, 30u}[random() % 3];
        const std::uint64_t from = random() % (std::uint64_t{1} << 20) * page;
        const std::uint64_t bytes = (1 + random() % (step % 3 == 0 ? 300000 : 2000)) * page;
        const std::uint64_t to = from + (std::uint64_t{1} << congruent) * (congruent == 30 ? 4 : 5);
        FakeMemory memory{100000};
        auto table = paging::TableBuilder<paging::NestedFormat, FakeMemory>::create(memory, largest).value();
        ASSERT_TRUE(table.map(from, PhysAddr{to}, bytes, paging::read_write).ok());
        const std::array<paging::Extent, 1> extents{{{from, bytes, congruent}}};
        EXPECT_EQ(memory.used(), paging::tables_needed(extents, largest))
            << from << ' ' << bytes << ' ' << congruent << ' ' << largest;
    }
    EXPECT_EQ(paging::tables_needed({}, 2), 1u);
    const std::array<paging::Extent, 1> nothing{{{0, 0, 12}}};
    EXPECT_EQ(paging::tables_needed(nothing, 2), 1u);
}

} // namespace
