// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/topology_test.cpp - what CPUID says of cores and packages, kind by kind (the boards' test tries all).
#include "hypervisor/core/plan/topology.hpp"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace {

struct Answer {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
struct Leaves {
    std::map<std::pair<std::uint32_t, std::uint32_t>, Answer> leaves;
    Answer operator()(std::uint32_t leaf, std::uint32_t sub) const {
        const auto found = leaves.find({leaf, sub});
        return found == leaves.end() ? Answer{} : found->second;
    }
    Answer& at(std::uint32_t leaf, std::uint32_t sub = 0) { return leaves[{leaf, sub}]; }
};
using Widths = std::pair<std::uint32_t, std::uint32_t>; // thread bits, core bits
Widths widths(const Leaves& leaves) {
    const plan::Topology topology = plan::topology(leaves);
    return {topology.thread_bits, topology.core_bits};
}
constexpr std::uint32_t intel = 0x756e6547, amd = 0x68747541;

// Zen: no leaf Bh; eight cores of two threads, 8000001Eh says two.
Leaves zen() {
    return {{{{0, 0}, {0xd, amd}},
             {{1, 0}, {0x00800f11}},
             {{0x80000000, 0}, {0x8000001f}},
             {{0x80000001, 0}, {0, 0, 1u << 22, 0}},
             {{0x80000008, 0}, {0, 0, 4u << 12 | 15, 0}},
             {{0x8000001e, 0}, {0, 1u << 8}}}};
}

TEST(Topology, ZenSaysItsThreadsIn8000001E) {
    EXPECT_EQ(widths(zen()), (Widths{1, 3}));
    const auto place = plan::topology(zen()).place(0b10111);
    EXPECT_EQ(place.package, 1u);
    EXPECT_EQ(place.core, 3u);
    EXPECT_EQ(place.thread, 1u);
}

TEST(Topology, WhereItIsNotSaidAPackageIsOneCore) {
    Leaves masked = zen();
    masked.at(0x80000001).ecx = 0; // by a hypervisor below
    EXPECT_EQ(widths(masked), (Widths{4, 0}));
    masked = zen();
    masked.at(0x8000001e).ebx = 0xff << 8; // more threads than CPUs
    EXPECT_EQ(widths(masked), (Widths{4, 0}));
    masked = zen();
    masked.at(0x80000000).eax = 0x80000007;
    EXPECT_EQ(plan::topology(masked).place(0).core, plan::topology(masked).place(255).core);
}

TEST(Topology, OldAmdHasOneThreadACore) {
    Leaves barcelona = zen();
    barcelona.at(1).eax = 0x00100f22; // family 10h
    barcelona.at(0x80000000).eax = 0x8000001a;
    barcelona.at(0x80000008).ecx = 2u << 12 | 3;
    EXPECT_EQ(widths(barcelona), (Widths{0, 2}));
    barcelona.at(0x80000008).ecx = 5; // no size: by the number of cores
    EXPECT_EQ(widths(barcelona), (Widths{0, 3}));
}

TEST(Topology, LevelsOfBhAnd1Fh) {
    Leaves leaves{{{{0, 0}, {0xb, intel}}, {{0xb, 0}, {1, 2, 0x100, 0}}, {{0xb, 1}, {4, 8, 0x201, 0}}}};
    EXPECT_EQ(widths(leaves), (Widths{1, 3}));
    leaves.at(0).eax = 0x1f; // tiles and dies are parts of a package
    leaves.at(0x1f, 0) = {1, 2, 0x100, 0};
    leaves.at(0x1f, 1) = {4, 16, 0x201, 0};
    leaves.at(0x1f, 2) = {7, 128, 0x502, 0};
    EXPECT_EQ(widths(leaves), (Widths{1, 6}));
    leaves.at(0x1f, 1).eax = 0; // narrower than the threads: not believed, Bh is
    EXPECT_EQ(widths(leaves), (Widths{1, 3}));
    leaves.at(0xb, 1).eax = 31;
    leaves.at(1) = {0x000906ea, 8u << 16, 0, 1u << 28};
    leaves.at(4).eax = 3u << 26; // four cores among eight CPUs
    EXPECT_EQ(widths(leaves), (Widths{1, 2})) << "no machine is so wide";
}

TEST(Topology, IntelBeforeLeafB) {
    Leaves conroe{{{{0, 0}, {0xa, intel}}, {{1, 0}, {0x6f6, 2u << 16, 0, 1u << 28}}, {{4, 0}, {1u << 26}}}};
    EXPECT_EQ(widths(conroe), (Widths{0, 1}));
    conroe.at(0).eax = 3; // leaf 4 is hidden: one core
    EXPECT_EQ(widths(conroe), (Widths{1, 0}));
    conroe.at(1).edx = 0; // one CPU
    EXPECT_EQ(widths(conroe), (Widths{0, 0}));
}

} // namespace
