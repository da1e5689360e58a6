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

// How a processor reads an entry of each kind, written down apart from format.hpp.
struct X86 {
    static bool present(std::uint64_t entry) { return (entry & 1) != 0; }
    static Access access(std::uint64_t entry) {
        return {.write = (entry & 2) != 0,
                .execute = entry >> 63 == 0,
                .cache = (entry & 0x10) != 0 ? paging::Cache::uncached : paging::Cache::write_back};
    }
};
struct Nested : X86 {
    static constexpr const paging::Format& format = paging::nested;
};
struct Host : X86 {
    static constexpr const paging::Format& format = paging::host;
};
struct Extended {
    static constexpr const paging::Format& format = paging::extended;
    static bool present(std::uint64_t entry) { return (entry & 7) != 0; }
    static Access access(std::uint64_t entry) {
        return {.write = (entry & 2) != 0,
                .execute = (entry & 4) != 0,
                .cache = (entry >> 3 & 7) == 6 ? paging::Cache::write_back : paging::Cache::uncached};
    }
};
PhysAddr target(std::uint64_t entry) {
    return PhysAddr{entry & 0x000FFFFFFFFFF000};
}

// What a processor would find, read by a walker of the test's own: [from, from + bytes) -> to.
struct Leaf {
    std::uint64_t from = 0;
    PhysAddr to;
    std::uint64_t bytes = 0;
    Access access;
};

template <typename Kind> class Walker {
public:
    Walker(const FakeMemory& memory, PhysAddr root) : memory_(memory), root_(root) {}
    std::optional<Leaf> query(std::uint64_t address) const {
        const auto [size, entry] = walk(address);
        if (!Kind::present(entry))
            return std::nullopt;
        return Leaf{address & ~(size - 1), target(entry), size, Kind::access(entry)};
    }
    // The first leaf at or after `address`.
    std::optional<Leaf> next(std::uint64_t address) const {
        while (address < paging::input_limit) {
            if (const auto leaf = query(address))
                return leaf;
            address = (address | (walk(address).first - 1)) + 1;
        }
        return std::nullopt;
    }

private:
    std::pair<std::uint64_t, std::uint64_t> walk(std::uint64_t address) const {
        PhysAddr table = root_;
        for (unsigned shift = 39;; shift -= 9) {
            const std::uint64_t entry = memory_.read(table, static_cast<unsigned>(address >> shift) & 511);
            if (!Kind::present(entry) || shift == 12 || (shift <= 30 && (entry & 1u << 7) != 0))
                return {std::uint64_t{1} << shift, entry};
            table = target(entry);
        }
    }
    const FakeMemory& memory_;
    PhysAddr root_;
};

using Table = paging::TableBuilder<FakeMemory>;

template <typename Kind> class Builder : public ::testing::Test {
public:
    using Walk = Walker<Kind>;
    static base::Result<Table, Error> create(FakeMemory& memory, unsigned largest = 2) {
        return Table::create(Kind::format, memory, largest);
    }
};
using Kinds = ::testing::Types<Nested, Extended, Host>;
TYPED_TEST_SUITE(Builder, Kinds);

TYPED_TEST(Builder, LargestPagesThatFit) {
    FakeMemory memory{100};
    auto table = TestFixture::create(memory).value();
    // One page before a 2 MiB border, 2 MiB, 1 GiB, 2 MiB, one page.
    const std::uint64_t from = huge - large - page, bytes = page + large + huge + large + page;
    ASSERT_TRUE(table.map(from, PhysAddr{from + 4 * huge}, bytes, paging::read_write).ok());
    const typename TestFixture::Walk walk{memory, table.root()};
    std::vector<std::uint64_t> sizes;
    std::uint64_t expected = from;
    for (auto leaf = walk.next(0); leaf; leaf = walk.next(leaf->from + leaf->bytes)) {
        EXPECT_EQ(leaf->from, expected);
        EXPECT_EQ(leaf->to.value(), expected + 4 * huge);
        EXPECT_EQ(leaf->access, paging::read_write);
        sizes.push_back(leaf->bytes);
        expected += leaf->bytes;
    }
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{page, large, huge, large, page}));
    EXPECT_EQ(memory.writes, 10u); // 5 leaves, 1 PDPT, 2 PDs, 2 PTs
    EXPECT_EQ(memory.used(), 6u);
}

TYPED_TEST(Builder, LargestLevelIsObeyed) {
    for (unsigned largest : {0u, 1u, 2u}) {
        FakeMemory memory{1000};
        auto table = TestFixture::create(memory, largest).value();
        ASSERT_TRUE(table.map(0, PhysAddr{0}, huge, paging::read_only).ok());
        const typename TestFixture::Walk walk{memory, table.root()};
        EXPECT_EQ(walk.query(12345)->bytes, paging::level_size(largest));
        EXPECT_EQ(walk.query(huge - 1)->to.value(), huge - paging::level_size(largest));
    }
}

TYPED_TEST(Builder, MisalignedTargetTakesSmallPages) {
    FakeMemory memory{100};
    auto table = TestFixture::create(memory).value();
    ASSERT_TRUE(table.map(0, PhysAddr{page}, large, paging::read_only).ok());
    const typename TestFixture::Walk walk{memory, table.root()};
    EXPECT_EQ(walk.query(0)->bytes, page);
    EXPECT_EQ(walk.query(large - 1)->to.value(), large);
}

TYPED_TEST(Builder, TopOfBothSpaces) {
    FakeMemory memory{100};
    auto table = TestFixture::create(memory).value();
    const std::uint64_t last = paging::input_limit - page, to = paging::output_limit - page;
    ASSERT_TRUE(table.map(last, PhysAddr{to}, page, paging::read_only).ok());
    const typename TestFixture::Walk walk{memory, table.root()};
    EXPECT_EQ(walk.query(last)->to.value(), to);
    EXPECT_FALSE(walk.query(last - 1));
    EXPECT_EQ(walk.next(0)->from, last);
}

TYPED_TEST(Builder, ErrorsChangeNothing) {
    FakeMemory memory{8};
    auto table = TestFixture::create(memory).value();
    ASSERT_TRUE(table.map(large, PhysAddr{large}, large, paging::read_only).ok());
    ASSERT_TRUE(table.map(3 * large, PhysAddr{0}, page, paging::read_only).ok());
    const FakeMemory before = memory;
    const auto error = [&](const auto& result) {
        EXPECT_TRUE(memory == before);
        return result.ok() ? std::optional<Error>{} : result.error();
    };
    const auto map = [&](std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
        return error(table.map(from, PhysAddr{to}, bytes, paging::read_only));
    };
    EXPECT_EQ(map(1, 0, page), Error::misaligned);
    EXPECT_EQ(map(0, 1, page), Error::misaligned);
    EXPECT_EQ(map(0, 0, 0), Error::misaligned);
    EXPECT_EQ(map(0, 0, page + 1), Error::misaligned);
    EXPECT_EQ(map(paging::input_limit, 0, page), Error::out_of_range);
    EXPECT_EQ(map(paging::input_limit - page, 0, 2 * page), Error::out_of_range);
    EXPECT_EQ(map(0, paging::output_limit, page), Error::out_of_range);
    EXPECT_EQ(map(0, paging::output_limit - page, 2 * page), Error::out_of_range);
    EXPECT_EQ(map(page, 0, ~(page - 1)), Error::out_of_range);
    // In the way: a large page, a small page, a table where a large page would go.
    EXPECT_EQ(map(0, 0, 2 * large), Error::overlap);
    EXPECT_EQ(map(large + page, 0, page), Error::overlap);
    EXPECT_EQ(map(3 * large, 0, large), Error::overlap);
    EXPECT_EQ(map(3 * large, 0, page), Error::overlap);
    EXPECT_EQ(map(0, 0, huge), Error::overlap);
    EXPECT_EQ(error(table.last_table(large)), Error::overlap);
    EXPECT_EQ(error(table.last_table(paging::input_limit)), Error::out_of_range);
    // 8 frames: root, PDPT, PD, PT are used; this needs 5 more.
    EXPECT_EQ(map(4 * large, page, 5 * large), Error::out_of_frames);
    EXPECT_TRUE(table.map(4 * large, PhysAddr{page}, 4 * large, paging::read_only).ok());
    FakeMemory none{0};
    EXPECT_EQ(TestFixture::create(none).error(), Error::out_of_frames);
}

TYPED_TEST(Builder, LastTables) {
    FakeMemory memory{6};
    auto table = TestFixture::create(memory).value();
    const auto first = table.last_table(large + page);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(memory.used(), 4u);
    EXPECT_EQ(*table.last_table(2 * large - 1), *first); // again: nothing to do
    EXPECT_EQ(memory.used(), 4u);
    EXPECT_NE(*table.last_table(2 * large), *first);
    const FakeMemory before = memory;
    EXPECT_EQ(table.last_table(huge).error(), Error::out_of_frames);
    EXPECT_TRUE(memory == before);
    EXPECT_TRUE(table.last_table(3 * large).ok());
    const typename TestFixture::Walk walk{memory, table.root()};
    EXPECT_FALSE(walk.next(0));
    ASSERT_TRUE(table.map(large, PhysAddr{0}, large, paging::read_only).ok());
    EXPECT_EQ(walk.query(large)->bytes, page); // a table stands where a large page would go
    EXPECT_EQ(memory.used(), 6u);
    EXPECT_EQ(*table.last_table(large), *first); // what is mapped in it is not in its way
}

// I2: after every single store each address has its translation from before or from after the operation.
TYPED_TEST(Builder, EveryStoreLeavesOldOrNew) {
    FakeMemory memory{1000};
    auto table = TestFixture::create(memory).value();
    const typename TestFixture::Walk walk{memory, table.root()};
    ASSERT_TRUE(table.map(0, PhysAddr{huge}, page, paging::read_only).ok());
    const std::vector<std::uint64_t> watched{0,         page, large - page, large,        large + page,
                                             2 * large, huge, huge + large, 2 * huge - 1, 2 * huge + page};
    unsigned stores = 0;
    memory.after_store = [&] {
        ++stores;
        for (const std::uint64_t address : watched) {
            const auto leaf = walk.query(address);
            if (!leaf)
                continue;
            const bool old = address == 0;
            EXPECT_EQ(leaf->to.value() + (address - leaf->from), old ? huge : address + 3 * huge);
            EXPECT_EQ(leaf->access, old ? paging::read_only : paging::read_write);
        }
        EXPECT_TRUE(walk.query(0));
    };
    ASSERT_TRUE(table.map(page, PhysAddr{page + 3 * huge}, 2 * huge, paging::read_write).ok());
    memory.after_store = nullptr;
    EXPECT_GT(stores, 1000u);
    for (const std::uint64_t address : watched)
        EXPECT_EQ(walk.query(address).has_value(), address < page + 2 * huge) << address;
}

// A plain map of pages is the model; random operations must agree with it, and fail without a trace when it says so.
TYPED_TEST(Builder, AgreesWithAModel) {
    std::mt19937_64 random{7};
    FakeMemory memory{4000};
    auto table = TestFixture::create(memory).value();
    const typename TestFixture::Walk walk{memory, table.root()};
    struct Page {
        std::uint64_t to;
        Access access;
    };
    std::map<std::uint64_t, Page> model;
    const std::array<Access, 4> kinds{paging::read_only, paging::read_write, paging::read_execute,
                                      paging::device};
    constexpr std::uint64_t span_pages = 32768;
    unsigned done = 0;
    for (int step = 0; step < 400; ++step) {
        std::uint64_t from = random() % span_pages * page;
        const std::uint64_t bytes = (1 + random() % (random() % 4 == 0 ? 1200 : 40)) * page;
        if (random() % 4 == 0)
            from = from / large * large;
        const std::uint64_t to = (random() % 4 == 0 ? random() % 512 * page : 0) + from + 16 * huge;
        const Access access = kinds[random() % kinds.size()];
        bool any = false;
        for (std::uint64_t at = from; at < from + bytes; at += page)
            any = any || model.contains(at);
        const FakeMemory before = memory;
        const auto result = table.map(from, PhysAddr{to}, bytes, access);
        ASSERT_EQ(result.ok(), !any) << step;
        if (!result.ok()) {
            ASSERT_TRUE(memory == before);
            continue;
        }
        ++done;
        for (std::uint64_t offset = 0; offset < bytes; offset += page)
            model[from + offset] = {to + offset, access};
    }
    EXPECT_GT(done, 50u);
    for (std::uint64_t at = 0; at < (span_pages + 1300) * page; at += page) {
        const auto leaf = walk.query(at);
        const auto expected = model.find(at);
        ASSERT_EQ(leaf.has_value(), expected != model.end());
        if (leaf) {
            ASSERT_EQ(leaf->to.value() + (at - leaf->from), expected->second.to);
            ASSERT_EQ(leaf->access, expected->second.access);
        }
    }
}

TEST(Formats, Bits) {
    // NPT: the user bit at every level; EPT: write-back with ignore-PAT; host: no user, no global bit.
    EXPECT_EQ(paging::nested.table_entry(PhysAddr{0x5000}), 0x5007u);
    EXPECT_EQ(paging::nested.leaf_entry(PhysAddr{0x200000}, 1, paging::read_write_execute), 0x200087u);
    EXPECT_EQ(paging::nested.leaf_entry(PhysAddr{0x1000}, 0, paging::read_only), 0x8000000000001005u);
    EXPECT_EQ(paging::nested.leaf_entry(PhysAddr{0x1000}, 0, paging::device), 0x800000000000101Fu);
    EXPECT_EQ(paging::extended.table_entry(PhysAddr{0x5000}), 0x5007u);
    EXPECT_EQ(paging::extended.leaf_entry(PhysAddr{0x200000}, 1, paging::read_write_execute), 0x2000F7u);
    EXPECT_EQ(paging::extended.leaf_entry(PhysAddr{0x1000}, 0, paging::read_execute), 0x1075u);
    EXPECT_EQ(paging::extended.leaf_entry(PhysAddr{0x1000}, 0, paging::device), 0x1043u);
    EXPECT_EQ(paging::host.table_entry(PhysAddr{0x5000}), 0x5003u);
    EXPECT_EQ(paging::host.leaf_entry(PhysAddr{0x1000}, 0, paging::read_execute), 0x1001u);
    EXPECT_EQ(paging::host.leaf_entry(PhysAddr{0x1000}, 0, paging::read_write), 0x8000000000001003u);
}

TEST(Formats, HostIsWriteXorExecute) {
    FakeMemory memory{10};
    auto table = Table::create(paging::host, memory).value();
    EXPECT_EQ(table.map(0, PhysAddr{0}, page, paging::read_write_execute).error(), Error::bad_access);
    EXPECT_TRUE(table.map(0, PhysAddr{0}, page, paging::read_execute).ok());
}

} // namespace
