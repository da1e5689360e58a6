// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/bind_fixture_test.hpp"

#include <algorithm>

namespace {

using namespace plan;
using test::gibibyte;
using test::mebibyte;
using test::options;
using test::Wish;

// What check() says of a good binding that was changed.
template <typename Change>
std::optional<Error> error_after(const Plan& plan, const Machine& machine, const Change& change) {
    auto bound = std::make_unique<BoundPlan>();
    EXPECT_TRUE(bind(plan, machine, options, *bound).ok());
    change(*bound);
    const auto status = check(plan, machine, options, *bound);
    return status.ok() ? std::optional<Error>{} : status.error().error;
}

TEST(Check, SeesMistakesOfWires) {
    Wish wish{2};
    const std::array<WireRequest, 1> wires{{{0, 1, false}}};
    wish.request.wires = wires;
    test::Board board{wish};
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    const Machine& machine = board.ready();
    const auto error = [&](const auto& change) { return error_after(*read, machine, change); };
    EXPECT_EQ(error([](BoundPlan&) {}), std::nullopt);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires.clear(); }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { EXPECT_TRUE(b.wires.push_back(b.wires[0])); }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].bytes -= 4096; }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].base = b.pieces[2].host.base; }), Error::check_overlap);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].base = b.pool.runs()[0].base - 4096; }),
              Error::check_overlap);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].base = b.pool.runs()[0].base; }), Error::check_overlap);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].base += 1; }), Error::check_place);
    EXPECT_EQ(error([&](BoundPlan& b) { b.wires[0].base = machine.bundle_base; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].base = 0x10000; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.wires[0].base = mebibyte; }), Error::check_place); // the loader
}

TEST(Check, SeesEveryKindOfMistake) {
    Wish wish{2};
    test::Board board{wish};
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    const Machine& machine = board.ready();
    const auto error = [&](const auto& change) { return error_after(*read, machine, change); };
    EXPECT_EQ(error([](BoundPlan& b) { b.cpus[1].partition = no_index; }), Error::check_cpus);
    EXPECT_EQ(error([](BoundPlan& b) { b.cpus[1].vcpu = 1; }), Error::check_cpus);
    EXPECT_EQ(error([](BoundPlan& b) { b.cpus[3].apic_id = 0; }), Error::check_cpus);
    EXPECT_EQ(error([](BoundPlan& b) { b.cpus[3].apic_id = 77; }), Error::check_cpus);
    // Pieces: RAM and root of the one, RAM and root of the other.
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.bytes -= 4096; }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.bytes += 4096; }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.bytes = 0; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].gpa = 4096; }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[2].partition = 0; }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[1].kind = RegionKind::ram; }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces.erase(3); }), Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { EXPECT_TRUE(b.pieces.push_back(b.pieces[3])); }),
              Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { // two pieces, the second a page too long
                  Piece rest = b.pieces[0];
                  b.pieces[0].host.bytes = mebibyte;
                  rest.gpa += mebibyte;
                  rest.host = {rest.host.base + mebibyte, rest.host.bytes - mebibyte + 4096};
                  EXPECT_TRUE(b.pieces.insert(1, rest));
              }),
              Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { // nine pieces of a region
                  const Piece whole = b.pieces[0];
                  b.pieces.erase(0);
                  for (std::uint64_t i = 9; i-- > 0;) {
                      Piece piece = whole;
                      piece.gpa += i * mebibyte;
                      piece.host.base += i * mebibyte;
                      piece.host.bytes = i == 8 ? whole.host.bytes - 8 * mebibyte : mebibyte;
                      EXPECT_TRUE(b.pieces.insert(0, piece));
                  }
              }),
              Error::check_regions);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[1].copied = true; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.base = 0; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.base = mebibyte; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.base += 512; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.base = 511 * mebibyte; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[0].host.base = 8 * gibibyte; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[1].host.base += 4096; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.pieces[2].host.base = b.pieces[0].host.base; }),
              Error::check_overlap);
    EXPECT_EQ(error([](BoundPlan& b) { b.pool = {}; }), Error::check_pool);
    EXPECT_EQ(error([](BoundPlan& b) { b.table_frames = 1; }), Error::check_pool);
    EXPECT_EQ(error([](BoundPlan& b) { b.retained.bytes += 4096; }), Error::check_pool);
    EXPECT_EQ(error([](BoundPlan& b) { b.retained.base = b.pool.runs()[0].base; }), Error::check_pool);
    EXPECT_EQ(error([](BoundPlan& b) { b.retained.base = mebibyte; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.retained.base += 512; }), Error::check_place);
    EXPECT_EQ(error([](BoundPlan& b) { b.retained.base = b.pieces[0].host.base; }), Error::check_overlap);
    EXPECT_EQ(error([](BoundPlan& b) {
                  const auto frames = b.pool.total_frames();
                  const auto base = b.pieces[0].host.base;
                  b.pool = {};
                  EXPECT_TRUE(b.pool.add({base, frames * 4096}));
              }),
              Error::check_overlap);
}

TEST(Check, CpusAreThePlans) {
    Wish wish{2};
    wish.partitions[0].cpu_set = 0b0101;
    wish.partitions[0].cpus = 2;
    test::Board board{wish};
    board.cpus.clear();
    for (std::uint32_t i = 0; i < 8; ++i)
        board.cpus.push_back({i, i / 4, i / 2 % 2, i % 2, i == 0});
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    const Machine& machine = board.ready();
    const auto error = [&](const auto& change) { return error_after(*read, machine, change); };
    EXPECT_EQ(error([](BoundPlan&) {}), std::nullopt);
    const auto move = [](BoundPlan& bound, std::size_t from, std::size_t to) {
        bound.cpus[to].partition = bound.cpus[from].partition;
        bound.cpus[to].vcpu = bound.cpus[from].vcpu;
        bound.cpus[from].partition = no_index;
    };
    EXPECT_EQ(error([&](BoundPlan& b) { move(b, 2, 6); }), Error::check_cpus) << "not one that it names";
    EXPECT_EQ(error([&](BoundPlan& b) { move(b, 4, 6); }), std::nullopt) << "a count takes any";
    EXPECT_EQ(error([&](BoundPlan& b) { move(b, 4, 1); }), Error::check_cpus) << "a sibling of the other's";
    EXPECT_EQ(error([&](BoundPlan& b) { move(b, 4, 3); }), Error::check_cpus) << "of its second CPU, too";
    EXPECT_EQ(error([&](BoundPlan& b) { b.cpus[5].partition = 1, b.cpus[5].vcpu = 1; }), Error::check_cpus)
        << "one more than asked for";
    EXPECT_EQ(error([](BoundPlan& b) { std::swap(b.cpus[0], b.cpus[2]); }), Error::check_cpus)
        << "the boot CPU is the first";
}

TEST(Check, RootInTheBundleIsItsSection) {
    Wish wish{1};
    test::Board board{wish};
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    const auto bound = std::make_unique<BoundPlan>();
    ASSERT_TRUE(bind(*read, board.ready(), options, *bound).ok());
    const auto error = [&] { return check(*read, board.ready(), options, *bound).error().error; };
    board.sections[3].size -= base::page_size;
    EXPECT_EQ(error(), Error::check_place);
    board.sections[3].size += base::page_size;
    board.sections[3].offset += base::page_size;
    EXPECT_EQ(error(), Error::check_place);
    board.sections[3].offset -= base::page_size;
    board.machine.bundle_bytes -= 1;
    EXPECT_EQ(error(), Error::check_place) << "it ends behind the bundle";
    board.machine.bundle_bytes += 1;
    const SectionExtent last = board.sections[3];
    board.sections.pop_back();
    EXPECT_EQ(error(), Error::check_place);
    board.sections.push_back(last);
    EXPECT_TRUE(check(*read, board.ready(), options, *bound).ok());
    board.reserved.push_back({bound->pieces[1].host.base + 100, 1});
    EXPECT_EQ(error(), Error::check_place);
    board.reserved.back() = {bound->pieces[0].host.end(), 0};
    EXPECT_TRUE(check(*read, board.ready(), options, *bound).ok());
    board.reserved.back() = {bound->pool.runs()[0].base, 1};
    EXPECT_EQ(error(), Error::check_place);
}

} // namespace
