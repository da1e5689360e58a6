// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/bind_fixture_test.hpp"

#include <algorithm>

namespace {

using namespace plan;
using test::apic_id_of;
using test::bind_and_check;
using test::bind_bad;
using test::bind_good;
using test::gibibyte;
using test::mebibyte;
using test::options;
using test::Wish;
using test::with_huge_pages;

TEST(Bind, RootsStayInPlace) {
    Wish wish{4};
    test::Board board{wish};
    const auto outcome = bind_good(wish, board);
    const BoundPlan& bound = *outcome.bound;
    ASSERT_EQ(bound.pieces.size(), 8u);
    for (std::uint32_t i = 0; i < 4; ++i) {
        const auto pieces = bound.pieces_of(i);
        ASSERT_EQ(pieces.size(), 2u);
        EXPECT_EQ(pieces[0].host.bytes, 64 * mebibyte);
        EXPECT_EQ(pieces[0].host.base % (2 * mebibyte), 0u);
        EXPECT_FALSE(pieces[1].copied);
        EXPECT_EQ(pieces[1].host.base, 512 * mebibyte + board.sections[3 + i].offset);
        EXPECT_EQ(apic_id_of(bound, i, 0), i);
        EXPECT_EQ(apic_id_of(bound, i, 1), no_index);
    }
    std::uint64_t used = 2 * mebibyte + board.machine.bundle_bytes + // the reserved range and the bundle
                         bound.retained.bytes;
    for (std::uint32_t i = 0; i < 4; ++i)
        used += 64 * mebibyte;
    EXPECT_EQ(bound.free.bytes() + used + bound.pool.total_frames() * base::page_size, 2047 * mebibyte);
    EXPECT_EQ(bound.pool.runs().size(), 1u);
    EXPECT_LT(sizeof(BoundPlan), 48u * 1024);
}

TEST(Bind, MisalignedBundleIsCopied) {
    Wish wish{2};
    test::Board board{wish};
    board.machine.bundle_base += 512;
    const auto outcome = bind_good(wish, board);
    const Piece& root = outcome.bound->pieces_of(1)[1];
    EXPECT_TRUE(root.copied);
    EXPECT_EQ(root.host.base % (2 * mebibyte), 0u);
}

// One section of the bundle for several: the first who names it starts from it in place, the others from copies.
TEST(Bind, SharedRootHasOneOwnerInPlace) {
    Wish wish{4};
    test::Board board{wish};
    for (const std::size_t user : {1u, 3u})
        wish.partitions[user].root_section = 4;
    board.sections[4].partition = bundle::no_partition;
    const auto outcome = bind_good(wish, board);
    const BoundPlan& bound = *outcome.bound;
    for (std::uint32_t i = 0; i < 4; ++i)
        EXPECT_EQ(bound.pieces_of(i)[1].copied, i == 3) << i;
    EXPECT_EQ(bound.pieces_of(1)[1].host.base, board.machine.bundle_base + board.sections[4].offset);
    EXPECT_EQ(bound.pieces_of(3)[1].host.bytes, 3 * mebibyte);
    // Where the bundle lies between two pages nobody has it in place.
    board.machine.bundle_base += 512;
    const auto moved = bind_good(wish, board);
    for (std::uint32_t i = 0; i < 4; ++i)
        EXPECT_TRUE(moved.bound->pieces_of(i)[1].copied) << i;
    // A copy's memory counts: where all is given away, a page less is too little.
    test::Board small{wish};
    small.sections[4].partition = bundle::no_partition;
    small.machine.bundle_base = 8 * mebibyte;
    const auto fits = bind_good(wish, small);
    small.entries[1].bytes -= fits.bound->free.bytes() + base::page_size;
    EXPECT_EQ(bind_bad(wish, small).error, Error::not_enough_memory);
}

// What bind must never give is found by check: two who see the bundle's frames of one root.
TEST(Check, SharedRootInPlaceTwice) {
    Wish wish{2};
    test::Board board{wish};
    wish.partitions[1].root_section = 3;
    board.sections[3].partition = bundle::no_partition;
    Options how = options; // the tables' number must not depend on where a root lies
    how.large_pages = false;
    auto outcome = bind_good(wish, board, how);
    Piece& copy = outcome.bound->pieces[3];
    ASSERT_TRUE(copy.copied);
    copy.copied = false;
    copy.host = outcome.bound->pieces[1].host;
    const auto table = wish.table();
    EXPECT_EQ(check(*Plan::parse(table), board.ready(), how, *outcome.bound).error().error,
              Error::check_overlap);
}

TEST(Bind, IsDeterministic) {
    Wish wish{4};
    test::Board board{wish};
    const auto first = bind_good(wish, board);
    std::swap(board.cpus[0], board.cpus[5]);
    std::swap(board.entries[0], board.entries[1]);
    const auto second = bind_good(wish, board);
    ASSERT_EQ(first.bound->pieces.size(), second.bound->pieces.size());
    for (std::size_t i = 0; i < first.bound->pieces.size(); ++i)
        EXPECT_EQ(first.bound->pieces[i].host.base, second.bound->pieces[i].host.base);
    for (std::size_t i = 0; i < first.bound->cpus.size(); ++i)
        EXPECT_EQ(first.bound->cpus[i].apic_id, second.bound->cpus[i].apic_id);
}

TEST(Bind, SplitsAroundHolesAndGoesAbove4Gib) {
    Wish wish{1, 900 * mebibyte};
    test::Board board{wish};
    board.entries = {{mebibyte, 600 * mebibyte, memory::Kind::usable},
                     {700 * mebibyte, 100 * mebibyte, memory::Kind::usable},
                     {4 * gibibyte + 4096, 400 * mebibyte, memory::Kind::usable}};
    const auto outcome = bind_good(wish, board);
    const auto in_ram = [](const Piece& piece) { return piece.kind == RegionKind::ram; };
    EXPECT_GT(std::ranges::count_if(outcome.bound->pieces, in_ram), 1);
    EXPECT_LE(std::ranges::count_if(outcome.bound->pieces, in_ram), 8);
    EXPECT_TRUE(std::ranges::any_of(outcome.bound->pieces,
                                    [](const Piece& piece) { return piece.host.base >= 4 * gibibyte; }));
    // Every byte has its place, and the places agree with the runs.
    std::uint64_t seen = 0;
    while (seen < 900 * mebibyte) {
        const auto host = outcome.bound->host_memory(0, base::GuestPhysAddr{seen});
        ASSERT_TRUE(host) << seen;
        seen += host->contiguous;
    }
    EXPECT_EQ(seen, 900 * mebibyte);
    EXPECT_FALSE(outcome.bound->host_memory(0, base::GuestPhysAddr{seen}));
    EXPECT_FALSE(outcome.bound->host_memory(1, base::GuestPhysAddr{0}));
}

TEST(Bind, LargePartition) {
    Wish wish{1, 10 * gibibyte};
    test::Board board{wish};
    board.entries.push_back({4 * gibibyte, 12 * gibibyte, memory::Kind::usable});
    const auto outcome = bind_good(wish, board, with_huge_pages);
    ASSERT_EQ(outcome.bound->pieces.size(), 3u);
    EXPECT_EQ(outcome.bound->pieces[0].host.base % gibibyte, 0u);
}

TEST(Bind, NamesWhatIsMissing) {
    Wish wish{4, 600 * mebibyte};
    test::Board board{wish};
    auto issue = bind_bad(wish, board);
    EXPECT_EQ(issue.error, Error::not_enough_memory);
    EXPECT_GE(issue.needed, 2400 * mebibyte);
    EXPECT_LT(issue.available, 2048 * mebibyte);
    EXPECT_GT(issue.available, 2000 * mebibyte);

    Wish fine{4};
    test::Board few{fine, 3};
    issue = bind_bad(fine, few);
    EXPECT_EQ(issue.error, Error::not_enough_cpus);
    EXPECT_EQ(issue.needed, 4u);
    EXPECT_EQ(issue.available, 3u);

    test::Board crumbs{fine};
    crumbs.entries = {{500 * mebibyte, 100 * mebibyte, memory::Kind::usable}};
    for (std::uint64_t i = 0; i < 100; ++i)
        crumbs.entries.push_back({gibibyte + i * 8 * mebibyte, 7 * mebibyte, memory::Kind::usable});
    issue = bind_bad(fine, crumbs);
    EXPECT_EQ(issue.error, Error::too_fragmented);
}

TEST(Bind, PoolGetsExactlyWhatIsAskedFor) {
    Wish wish{2};
    test::Board board{wish};
    const auto outcome = bind_good(wish, board);
    const std::uint64_t others = 200 + 16 * 8 + 8 * 2 + 8 * 2;
    EXPECT_EQ(outcome.bound->pool.total_frames(), outcome.bound->table_frames + others);
}

TEST(Bind, TableFrames) {
    // The root; RAM of 64 MiB in 2 MiB leaves: one table of 512 GiB, one of 1 GiB. Root image at 3 GiB, not congruent (3 MiB
    // touch two windows of 2 MiB): one of 512 GiB (the same: counted twice), one of 1 GiB, two of 2 MiB.
    Wish wish{1};
    test::Board board{wish};
    EXPECT_EQ(bind_good(wish, board).bound->table_frames, 7u);
    // With 4 KiB leaves every 2 MiB of RAM has its table.
    EXPECT_EQ(bind_good(wish, board, {.large_pages = false}).bound->table_frames, 7u + 32);
    EXPECT_EQ(bind_good(wish, board, {.large_pages = false, .huge_pages = true}).bound->table_frames,
              7u + 32);
    // A congruent root of 3 MiB is one large leaf and one table.
    board.machine.bundle_base += 2 * mebibyte - board.sections[3].offset % (2 * mebibyte);
    EXPECT_EQ(bind_good(wish, board).bound->table_frames, 6u);
    // RAM that ends in the middle of 2 MiB.
    wish.partitions[0].memory_bytes = 63 * mebibyte;
    EXPECT_EQ(bind_good(wish, board).bound->table_frames, 7u);
    // 1 GiB leaves: three of them below 3 GiB, none needs a table; then the root image's.
    wish.partitions[0].memory_bytes = 3 * gibibyte;
    board.entries.push_back({4 * gibibyte, 5 * gibibyte, memory::Kind::usable});
    EXPECT_EQ(bind_good(wish, board, {.huge_pages = true}).bound->table_frames, 5u);
    EXPECT_EQ(bind_good(wish, board, {}).bound->table_frames, 5u + 3);
}

TEST(Bind, WiresHaveFramesOfTheirOwn) {
    Wish wish{3};
    test::Board plain{wish};
    const auto without = bind_good(wish, plain);
    const std::array<WireRequest, 2> wires{{{0, 1, false}, {1, 2, true}}};
    wish.request.wires = wires;
    test::Board board{wish};
    const auto with = bind_good(wish, board); // check() has looked for overlaps
    ASSERT_EQ(with.bound->wires.size(), 2u);
    EXPECT_EQ(with.bound->wires[0].bytes, 2u * (4096 + 256 * 1024));
    EXPECT_EQ(with.bound->wires[1].bytes, 4096u + 256 * 1024);
    // No memory moves because of them, and each end's tables are counted: two levels.
    for (std::size_t i = 0; i < without.bound->pieces.size(); ++i)
        EXPECT_EQ(with.bound->pieces[i].host.base, without.bound->pieces[i].host.base);
    EXPECT_EQ(with.bound->table_frames, without.bound->table_frames + 4 * 2);
}

TEST(Bind, WiresNeedMemoryToo) {
    Wish wish{2, 8 * mebibyte};
    test::Board board{wish};
    board.entries = {{mebibyte, 511 * mebibyte, memory::Kind::usable}};
    board.machine.bundle_base = 500 * mebibyte;
    const auto room = bind_good(wish, board).bound->free.bytes();
    const std::array<WireRequest, 1> wires{{{0, 1, false}}};
    wish.request.wires = wires;
    test::Board tight{wish};
    tight.machine.bundle_base = 500 * mebibyte;
    tight.entries = {{mebibyte, 511 * mebibyte - room / 4096 * 4096, memory::Kind::usable}};
    tight.machine.bundle_base -= room / 4096 * 4096;
    EXPECT_EQ(bind_bad(wish, tight).error, Error::not_enough_memory);
}

TEST(Bind, TableFramesOfCongruentPieces) {
    const auto frames = [](std::uint64_t gpa, std::uint64_t base, std::uint64_t bytes, const Options& how) {
        auto bound = std::make_unique<BoundPlan>();
        EXPECT_TRUE(bound->pieces.push_back({gpa, {base, bytes}, 0, RegionKind::ram, false}));
        Wish wish{1};
        const auto table = wish.table();
        return table_frames(*Plan::parse(table), how, *bound);
    };
    // Root and one table of 512 GiB and of 1 GiB; then what has no leaf of 2 MiB at its begin and at its end.
    EXPECT_EQ(frames(2 * mebibyte, 6 * mebibyte, 4 * mebibyte, {}), 3u);
    EXPECT_EQ(frames(mebibyte, 5 * mebibyte, 3 * mebibyte, {}), 3u + 1);
    EXPECT_EQ(frames(2 * mebibyte, 6 * mebibyte, 3 * mebibyte, {}), 3u + 1);
    EXPECT_EQ(frames(mebibyte, 5 * mebibyte, 4 * mebibyte, {}), 3u + 2);
    EXPECT_EQ(frames(mebibyte, 5 * mebibyte, mebibyte / 2, {}), 3u + 1) << "both ends in one window";
    EXPECT_EQ(frames(mebibyte, 4 * mebibyte, 4 * mebibyte, {}), 3u + 3)
        << "no leaf: each window that it touches";
    // 1 GiB leaves need no table of 1 GiB.
    EXPECT_EQ(frames(gibibyte, 3 * gibibyte, 2 * gibibyte, {}), 2u + 2);
    EXPECT_EQ(frames(gibibyte, 3 * gibibyte, 2 * gibibyte, {.huge_pages = true}), 2u);
    EXPECT_EQ(frames(511 * gibibyte, gibibyte, 2 * gibibyte, {.huge_pages = true}), 3u) << "two of 512 GiB";
    EXPECT_EQ(frames(0, 0, gibibyte, {.large_pages = false, .huge_pages = true}), 3u + 512);
}

TEST(Bind, PoolMustFitToo) {
    // The partition takes all there is: its tables and the retained log have no place, and what is missing is said of no
    // partition.
    Wish wish{1};
    wish.request.behaviour.retained_log = base::page_size;
    test::Board board{wish};
    board.reserved.clear();
    board.entries = {{64 * mebibyte, 64 * mebibyte, memory::Kind::usable},
                     {512 * mebibyte, board.machine.bundle_bytes, memory::Kind::usable},
                     {256 * mebibyte, base::page_size, memory::Kind::usable}};
    auto outcome = bind_and_check(wish, board, {});
    EXPECT_FALSE(outcome.good);
    EXPECT_EQ(outcome.issue.error, Error::not_enough_memory);
    EXPECT_EQ(outcome.issue.partition, no_index);
    EXPECT_EQ(outcome.issue.needed, 64 * mebibyte + 8 * base::page_size);
    EXPECT_EQ(outcome.issue.available, 64 * mebibyte + base::page_size);
    // Eight frames more are enough, seven are not.
    board.entries.back().bytes = 7 * base::page_size;
    EXPECT_FALSE(bind_and_check(wish, board, {}).good);
    board.entries.back().bytes += base::page_size;
    EXPECT_EQ(bind_good(wish, board, {}).bound->free.bytes(), 0u);
    // In pieces they are not.
    board.entries.back().bytes -= 3 * base::page_size;
    board.entries.push_back({300 * mebibyte, 6 * base::page_size, memory::Kind::usable});
    EXPECT_EQ(bind_and_check(wish, board, {}).issue.error, Error::not_enough_memory);
}

TEST(Bind, PoolLiesWhereBootReachesIt) {
    // Without 1 GiB pages the early tables map 4 GiB, and a partition could take all that lies below.
    Wish wish{1, 2044 * mebibyte};
    test::Board board{wish};
    board.machine.bundle_base = 5 * gibibyte;
    board.entries.push_back({4 * gibibyte, 2 * gibibyte, memory::Kind::usable});
    board.machine.pool_end = 4 * gibibyte;
    const auto outcome = bind_good(wish, board);
    EXPECT_LT(outcome.bound->pool.runs()[0].end(), 4 * gibibyte);
    board.machine.pool_end = 3 * mebibyte; // the image's end
    const auto issue = bind_bad(wish, board);
    EXPECT_EQ(issue.error, Error::no_place_for_pool);
    EXPECT_EQ(issue.available, 0u);
}

TEST(Bind, TheRetainedLogLiesWhereItLay) {
    // Whatever else the plan holds.
    std::optional<std::uint64_t> place;
    for (const std::uint32_t partitions : {1u, 2u, 3u}) {
        Wish wish{partitions};
        test::Board board{wish};
        const auto outcome = bind_good(wish, board);
        EXPECT_EQ(outcome.bound->retained.bytes, 16 * 1024u);
        EXPECT_EQ(outcome.bound->retained.base, place.value_or(outcome.bound->retained.base)) << partitions;
        place = outcome.bound->retained.base;
    }
}

TEST(Bind, DevicesLieInNothingElse) {
    Wish wish{1};
    test::Board board{wish};
    std::vector<memory::Run> devices{{0xfee00000, 4096}, {0xfed00000, 4096}, {0xfec00000, 4096}};
    const auto error = [&](memory::Run run) {
        devices.push_back(run);
        board.machine.devices = devices;
        const auto status = check_devices(board.ready());
        devices.pop_back();
        return status.ok() ? std::optional<Error>{} : status.error().error;
    };
    EXPECT_EQ(error({0xfed90000, 4096}), std::nullopt);
    EXPECT_EQ(error({0xfed00000, 4096}), Error::device_overlap);
    EXPECT_EQ(error({0xfec00fff, 64}), Error::device_overlap);
    EXPECT_EQ(error({0xfec01000, 64}), std::nullopt);
    EXPECT_EQ(error({2 * mebibyte, 4096}), Error::device_in_memory) << "the image, usable or not";
    EXPECT_EQ(error({1024 * mebibyte, 4096}), Error::device_in_memory);
    EXPECT_EQ(error({2048 * mebibyte - 64, 4096}), Error::device_in_memory);
    EXPECT_EQ(error({2048 * mebibyte, 4096}), std::nullopt);
    EXPECT_EQ(error({UINT64_MAX - 63, 64}), Error::device_in_memory) << "no address";
    board.entries[1].bytes = 256 * mebibyte;
    EXPECT_EQ(error({board.machine.bundle_base, 4096}), Error::device_in_memory) << "the bundle";
    // check() asks again.
    test::Board fine{wish};
    auto outcome = bind_good(wish, fine);
    devices[1].base = 300 * mebibyte;
    fine.machine.devices = devices;
    const auto table = wish.table();
    EXPECT_EQ(check(*Plan::parse(table), fine.ready(), options, *outcome.bound).error().error,
              Error::device_in_memory);
}

TEST(Bind, TotalCountsCopiedRootsOnly) {
    Wish wish{2};
    test::Board board{wish};
    board.reserved.clear();
    board.entries = {{64 * mebibyte, 130 * mebibyte, memory::Kind::usable},
                     {512 * mebibyte, board.machine.bundle_bytes + 4096, memory::Kind::usable}};
    EXPECT_TRUE(bind_and_check(wish, board, {}).good) << "roots stay where they are";
    board.machine.bundle_base += 8;
    const auto issue = bind_and_check(wish, board, {}).issue;
    EXPECT_EQ(issue.error, Error::not_enough_memory);
    EXPECT_EQ(issue.needed, 134 * mebibyte + wish.request.behaviour.retained_log)
        << "64 MiB of RAM and 3 MiB of root each";
    EXPECT_EQ(issue.available, 130 * mebibyte);
}

// `count` runs of `pages` pages with one page between them, from 1 GiB on.
void add_crumbs(test::Board& board, std::uint64_t count, std::uint64_t pages) {
    for (std::uint64_t i = 0; i < count; ++i)
        board.entries.push_back(
            {gibibyte + i * (pages + 1) * base::page_size, pages * base::page_size, memory::Kind::usable});
}

TEST(Bind, TooManyPieces) {
    // Two crumbs an entry, 102 pages each: 2 MiB take five of them and two pages more, and 56 partitions more pieces than
    // there is room for.
    Wish wish{56, 2 * mebibyte};
    test::Board board{wish, 64};
    board.reserved.clear();
    board.entries = {{512 * mebibyte, board.machine.bundle_bytes, memory::Kind::usable}};
    add_crumbs(board, 145, 205);
    for (std::uint64_t i = 0; i < 145; ++i)
        board.reserved.push_back({board.entries[i + 1].base + 102 * base::page_size, 1});
    auto outcome = bind_and_check(wish, board, {});
    EXPECT_FALSE(outcome.good);
    EXPECT_EQ(outcome.issue.error, Error::too_fragmented);
    EXPECT_GT(outcome.issue.partition, 50u);

    // One region of more than eight pieces.
    Wish one{1, 8 * mebibyte};
    test::Board small{one};
    small.reserved.clear();
    small.entries = {{512 * mebibyte, small.machine.bundle_bytes, memory::Kind::usable}};
    add_crumbs(small, 9, 250);
    outcome = bind_and_check(one, small, {});
    EXPECT_EQ(outcome.issue.error, Error::too_fragmented);
    EXPECT_EQ(outcome.issue.partition, 0u);
    small.entries.resize(1);
    add_crumbs(small, 9, 256);
    EXPECT_EQ(bind_good(one, small, {}).bound->pieces.size(), 9u) << "eight of RAM, one root";
}

TEST(Bind, TooManyRuns) {
    // The map is in as many runs as a set can have, except for `room`.
    const auto outcome = [](std::size_t room, const auto& change) {
        Wish wish{1, 2 * mebibyte};
        test::Board board{wish};
        board.reserved.clear();
        board.machine.bundle_base = 512 * mebibyte + base::page_size;
        board.entries = {{512 * mebibyte, 32 * mebibyte, memory::Kind::usable}};
        add_crumbs(board, 250, 3);
        for (std::size_t i = 0; i < memory::Runs::capacity - 251 - room; ++i)
            board.reserved.push_back({board.entries[i + 1].base + base::page_size, 1});
        change(board);
        return bind_and_check(wish, board, {});
    };
    const auto nothing = [](test::Board&) {};
    EXPECT_EQ(outcome(0, nothing).issue.error, Error::too_fragmented)
        << "the bundle lies in the middle of a run";
    EXPECT_EQ(outcome(1, nothing).issue.error, Error::too_fragmented) << "and so does aligned RAM";
    EXPECT_TRUE(outcome(2, nothing).good);
    const auto one_more = [](test::Board& board) {
        board.reserved.push_back({board.entries[240].base + base::page_size, 1});
        board.reserved.push_back({board.entries[241].base + base::page_size, 1});
    };
    EXPECT_EQ(outcome(0, one_more).issue.error, Error::too_fragmented) << "reserved ranges cut it too often";
}

TEST(Bind, ModulesAreSectionsToo) {
    Wish wish{1};
    wish.partitions[0].payload = PayloadKind::pvh;
    wish.partitions[0].module_section = 4;
    wish.partitions[0].module_bytes = mebibyte;
    test::Board board{wish};
    board.sections.push_back(
        {static_cast<std::uint32_t>(bundle::SectionType::module), 0, board.machine.bundle_bytes, mebibyte});
    board.machine.bundle_bytes += mebibyte;
    bind_good(wish, board);
    board.sections[4].size -= 1;
    EXPECT_EQ(bind_bad(wish, board).error, Error::section_mismatch) << "shorter than what is loaded";
    board.sections[4].size += 1;
    board.sections[4].partition = 1;
    EXPECT_EQ(bind_bad(wish, board).error, Error::section_mismatch) << "another's";
    board.sections[4].partition = bundle::no_partition;
    bind_good(wish, board);
    board.sections[4].type = static_cast<std::uint32_t>(bundle::SectionType::leaves);
    EXPECT_EQ(bind_bad(wish, board).error, Error::section_mismatch) << "nothing to load";
    // The last byte of the bundle is the section's.
    board.sections[4].type = static_cast<std::uint32_t>(bundle::SectionType::module);
    board.machine.bundle_bytes -= 1;
    EXPECT_EQ(bind_bad(wish, board).error, Error::section_mismatch);
    wish.partitions[0].root_section = 3;
    board.machine.bundle_bytes += 1;
    bind_good(wish, board);
    wish.partitions[0].module_section = 5;
    const auto missing = bind_bad(wish, board);
    EXPECT_EQ(missing.error, Error::section_missing);
    EXPECT_EQ(missing.needed, 5u);
    EXPECT_EQ(missing.available, 5u);
}

TEST(BoundPlan, TimeGoesToAParkedCpu) {
    Wish wish{2};
    test::Board board{wish, 4};
    EXPECT_EQ(bind_good(wish, board).bound->time_cpu(), 2u);
    board.cpus[2].apic_id = 255;
    EXPECT_EQ(bind_good(wish, board).bound->time_cpu(), 3u) << "8 bits, and all ones are everybody";
    board.cpus[3].apic_id = 254;
    EXPECT_EQ(bind_good(wish, board).bound->time_cpu(), 3u);
    board.cpus[3].apic_id = 1000;
    EXPECT_EQ(bind_good(wish, board).bound->time_cpu(), 0u);
    test::Board full{wish, 2};
    EXPECT_EQ(bind_good(wish, full).bound->time_cpu(), 0u);
}

TEST(BoundPlan, HostAddresses) {
    Wish wish{2};
    test::Board board{wish};
    const auto outcome = bind_good(wish, board);
    const BoundPlan& bound = *outcome.bound;
    const Piece& ram = bound.pieces_of(1)[0];
    const Piece& root = bound.pieces_of(1)[1];
    const auto host = [&bound](std::uint64_t gpa) { return bound.host_memory(1, base::GuestPhysAddr{gpa}); };
    EXPECT_EQ(host(0)->address.value(), ram.host.base);
    EXPECT_EQ(host(0)->contiguous, 64 * mebibyte);
    EXPECT_EQ(host(64 * mebibyte - 1)->address.value(), ram.host.end() - 1);
    EXPECT_EQ(host(64 * mebibyte - 1)->contiguous, 1u);
    EXPECT_FALSE(host(64 * mebibyte));
    EXPECT_FALSE(host(root.gpa - 1));
    EXPECT_EQ(host(root.gpa + 5)->address.value(), root.host.base + 5);
    EXPECT_FALSE(host(root.gpa + root.host.bytes));
    EXPECT_TRUE(bound.pieces_of(2).empty());
}

TEST(Bind, SectionsMustFit) {
    const auto error = [](const auto& change) {
        Wish wish{2};
        test::Board board{wish};
        change(wish, board);
        return bind_bad(wish, board).error;
    };
    EXPECT_EQ(error([](Wish&, test::Board& b) { b.sections.pop_back(); }), Error::section_missing);
    EXPECT_EQ(error([](Wish&, test::Board& b) { b.sections[2].type = 4; }), Error::section_mismatch);
    EXPECT_EQ(error([](Wish&, test::Board& b) { b.sections[3].partition = 1; }), Error::section_mismatch);
    EXPECT_EQ(error([](Wish&, test::Board& b) { b.sections[3].size += 4096; }), Error::section_mismatch);
    EXPECT_EQ(error([](Wish&, test::Board& b) { b.sections[4].offset = ~std::uint64_t{4095}; }),
              Error::section_mismatch);
    // Two roots in one place are bind's to trust and check's to find.
    Wish wish{2};
    test::Board board{wish};
    board.sections[4].offset = board.sections[3].offset;
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    const auto bound = std::make_unique<BoundPlan>();
    ASSERT_TRUE(bind(*read, board.ready(), options, *bound).ok());
    EXPECT_EQ(check(*read, board.ready(), options, *bound).error().error, Error::check_overlap);
    EXPECT_EQ(error([](Wish& w, test::Board&) { w.partitions[1].root_section = 3; }),
              Error::section_mismatch);
}

TEST(Bind, BundleAndReservedPlaces) {
    const auto error = [](const auto& change) {
        Wish wish{1};
        test::Board board{wish};
        change(board);
        return bind_bad(wish, board).error;
    };
    EXPECT_EQ(error([](test::Board& b) { b.machine.bundle_base = 4096; }), Error::bundle_outside);
    EXPECT_EQ(error([](test::Board& b) { b.machine.bundle_base = 2047 * mebibyte; }), Error::bundle_outside);
    EXPECT_EQ(error([](test::Board& b) { b.machine.bundle_base = ~std::uint64_t{0} - 100; }),
              Error::bundle_outside);
    EXPECT_EQ(error([](test::Board& b) { b.machine.bundle_bytes = 0; }), Error::section_mismatch);
    EXPECT_EQ(error([](test::Board& b) {
                  b.reserved.push_back({512 * mebibyte + 5000, 1});
              }),
              Error::bundle_outside);
    EXPECT_EQ(error([](test::Board& b) {
                  b.reserved.push_back({~std::uint64_t{0}, 2});
              }),
              Error::bad_reserved);
}

TEST(Bind, ReservedRangesAreLeftAlone) {
    Wish wish{1};
    test::Board board{wish};
    board.reserved = {
        {mebibyte, 3}, {40 * mebibyte + 17, 5}, {40 * mebibyte, 100}, {50 * mebibyte, 0}, {0x500, 0x100}};
    board.entries.push_back({45 * mebibyte, mebibyte, memory::Kind::reserved});
    const auto outcome = bind_good(wish, board);
    for (const std::uint64_t at : {mebibyte, 40 * mebibyte, 45 * mebibyte, std::uint64_t{0}}) {
        EXPECT_FALSE(outcome.bound->free.contains(at, 1)) << at;
        for (const Piece& piece : outcome.bound->pieces)
            EXPECT_TRUE(at < piece.host.base || at >= piece.host.end());
    }
    EXPECT_TRUE(outcome.bound->free.contains(50 * mebibyte, 4096) ||
                outcome.bound->host_memory(0, base::GuestPhysAddr{0})->address.value() <= 50 * mebibyte);
}

TEST(Board, AssumedMachineCarriesThePlan) {
    EXPECT_EQ(board_of("qemu-q35"), Board::qemu_q35);
    EXPECT_FALSE(board_of("qemu-pc"));
    memory::Runs map;
    EXPECT_FALSE(assumed_map(Board::qemu_q35, mebibyte, map));
    EXPECT_FALSE(assumed_map(Board::qemu_q35, 2048 * gibibyte, map));
    for (const std::uint64_t memory :
         {16 * mebibyte, 256 * mebibyte, 2 * gibibyte, 3 * gibibyte, 64 * gibibyte}) {
        ASSERT_TRUE(assumed_map(Board::qemu_q35, memory, map));
        EXPECT_LT(memory - map.bytes(), mebibyte) << memory;
    }
    Wish wish{4, 128 * mebibyte};
    test::Board board{wish, 4};
    assumed_cpus(Board::qemu_q35, board.cpus);
    ASSERT_TRUE(assumed_map(Board::qemu_q35, gibibyte, map));
    board.entries.clear();
    for (const memory::Run& run : map.view())
        board.entries.push_back({run.base, run.bytes, memory::Kind::usable});
    board.machine.bundle_base = assumed_bundle_base(Board::qemu_q35, gibibyte, board.machine.bundle_bytes);
    bind_good(wish, board);
    EXPECT_EQ(assumed_bundle_base(Board::qemu_q35, 64 * mebibyte, 63 * mebibyte), 0u);
    EXPECT_EQ(assumed_bundle_base(Board::qemu_q35, gibibyte, 2 * gibibyte), 0u);
}

} // namespace
