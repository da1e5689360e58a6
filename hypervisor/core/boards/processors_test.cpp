// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/boards/processors_test.cpp - every processor's cores and packages, against the places that the collector
// of the dumps found by other means; and a plan bound to each.
#include "hypervisor/core/boards/boards_test.hpp"
#include "hypervisor/core/plan/bind_fixture_test.hpp"
#include "hypervisor/core/plan/topology.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

namespace {

std::uint32_t apic_id(const boards::LogicalCpu& cpu) {
    const bool levels = cpu.leaf(0).eax >= 0xb && cpu.leaf(0xb).ebx != 0;
    return levels ? cpu.leaf(0xb).edx : cpu.leaf(1).ebx >> 24;
}

struct Placed {
    std::string name;
    std::vector<plan::Cpu> cpus;
    std::vector<std::optional<boards::LogicalCpu::Place>> collected;
};

// The multi-CPU dumps, each APIC ID once.
std::vector<Placed> placed() {
    std::vector<Placed> all;
    for (const boards::Processor& processor : boards::processors()) {
        const boards::LogicalCpu& first = processor.cpus.front();
        const plan::Topology topology =
            plan::topology([&first](std::uint32_t leaf, std::uint32_t sub) { return first.leaf(leaf, sub); });
        Placed one{processor.name, {}, {}};
        for (const boards::LogicalCpu& cpu : processor.cpus) {
            const std::uint32_t id = apic_id(cpu);
            if (std::ranges::count(one.cpus, id, &plan::Cpu::apic_id) != 0)
                continue; // a collector that asked one CPU twice
            const auto [package, core, thread] = topology.place(id);
            one.cpus.push_back({id, package, core, thread, one.cpus.empty()});
            one.collected.push_back(cpu.place);
        }
        if (processor.cpus.size() > 1)
            all.push_back(std::move(one));
    }
    return all;
}

// Where cores are fewer than the collector's.
constexpr std::array known_coarser{
    "_K15_", // Bulldozer and its heirs: two cores of a module share their front end and first-level code cache
    "0800F00_K17_Zen_", "0900F02_Hygon_", // the collector counted threads as cores
    "GenuineIotel",                       // a garbled vendor: nothing it says of AMD or Intel is believed
};

TEST(Processors, NoCoreAndNoPackageIsSplit) {
    CAISSON_SKIP_WITHOUT_BOARDS("cpuid.tar.xz");
    const auto all = placed();
    std::size_t compared = 0, coarser = 0;
    for (const Placed& one : all) {
        if (!one.collected.front())
            continue;
        ++compared;
        std::set<std::uint64_t> ours, theirs;
        for (std::size_t i = 0; i < one.cpus.size(); ++i) {
            ours.insert(std::uint64_t{one.cpus[i].package} << 32 | one.cpus[i].core);
            theirs.insert(std::uint64_t{one.collected[i]->package} << 32 | one.collected[i]->core);
            for (std::size_t n = 0; n < i; ++n) {
                const bool same_package = one.collected[i]->package == one.collected[n]->package;
                const bool same_core = same_package && one.collected[i]->core == one.collected[n]->core;
                const bool our_package = one.cpus[i].package == one.cpus[n].package;
                const bool our_core = our_package && one.cpus[i].core == one.cpus[n].core;
                ASSERT_TRUE(our_package || !same_package) << one.name << " CPUs " << n << ", " << i;
                ASSERT_TRUE(our_core || !same_core) << one.name << " CPUs " << n << ", " << i;
            }
        }
        if (ours.size() < theirs.size()) {
            EXPECT_TRUE(std::ranges::any_of(known_coarser, [&](const char* kind) {
                return one.name.find(kind) != std::string::npos;
            })) << one.name;
            ++coarser;
        }
    }
    EXPECT_EQ(all.size(), 267u);
    EXPECT_EQ(compared, 244u);
    EXPECT_EQ(coarser, 18u);
}

TEST(Processors, SixteenPartitionsAreBoundOnEachThatIsLargeEnough) {
    CAISSON_SKIP_WITHOUT_BOARDS("cpuid.tar.xz");
    using namespace plan::test;
    Wish wish{16};
    std::size_t bound = 0;
    for (const Placed& one : placed()) {
        std::set<std::uint64_t> cores;
        for (const plan::Cpu& cpu : one.cpus)
            cores.insert(std::uint64_t{cpu.package} << 32 | cpu.core);
        plan::test::Board board{wish};
        board.cpus = one.cpus;
        const auto outcome = bind_and_check(wish, board);
        ASSERT_EQ(outcome.good, cores.size() >= 16) << one.name;
        if (!outcome.good) {
            EXPECT_EQ(outcome.issue.error, plan::Error::not_enough_cpus) << one.name;
            continue;
        }
        ++bound;
        std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> owner; // of the collector's cores
        for (const plan::BoundCpu& cpu : outcome.bound->cpus) {
            const auto at = std::ranges::find(one.cpus, cpu.apic_id, &plan::Cpu::apic_id) - one.cpus.begin();
            if (cpu.partition == plan::no_index || !one.collected[static_cast<std::size_t>(at)])
                continue;
            const auto place = *one.collected[static_cast<std::size_t>(at)];
            const auto [known, fresh] = owner.insert({{place.package, place.core}, cpu.partition});
            ASSERT_TRUE(fresh || known->second == cpu.partition) << one.name;
        }
    }
    EXPECT_GT(bound, 40u);
}

} // namespace
