// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/lapic.hpp"

#include <gtest/gtest.h>

namespace {

using vcpu::Ipi;
using vcpu::IpiKind;
using vcpu::resolve_icr;

constexpr std::uint64_t to(std::uint64_t destination) {
    return destination << 32;
}
constexpr std::uint64_t logical = 1u << 11, assert_level = 1u << 14, level = 1u << 15;
constexpr std::uint64_t self = 1u << 18, all = 2u << 18, others = 3u << 18;
constexpr std::uint64_t init = 5u << 8, startup = 6u << 8;

void expect(const Ipi& ipi, IpiKind kind, std::uint64_t targets, unsigned vector) {
    EXPECT_EQ(ipi.kind, kind);
    EXPECT_EQ(ipi.targets, targets);
    EXPECT_EQ(ipi.vector, vector);
}

TEST(Ipi, Fixed) {
    expect(resolve_icr(to(2) | 0x40, 0, 4), IpiKind::fixed, 0b0100, 0x40);
    expect(resolve_icr(to(0) | 0xFF, 0, 4), IpiKind::fixed, 0b0001, 0xFF);
    expect(resolve_icr(to(0xFFFFFFFF) | 0x40, 1, 4), IpiKind::fixed, 0b1111, 0x40);
    expect(resolve_icr(self | to(3) | 0x40, 1, 4), IpiKind::fixed, 0b0010, 0x40);
    expect(resolve_icr(all | 0x40, 1, 4), IpiKind::fixed, 0b1111, 0x40);
    expect(resolve_icr(others | 0x40, 1, 4), IpiKind::fixed, 0b1101, 0x40);
    expect(resolve_icr(others | 0x40, 0, 1), IpiKind::nothing, 0, 0x40);
    expect(resolve_icr(all | 0x40, 63, 64), IpiKind::fixed, ~0ull, 0x40);
    expect(resolve_icr(to(4) | 0x40, 0, 4), IpiKind::nothing, 0, 0x40); // nobody has this ID
    expect(resolve_icr(to(64) | 0x40, 0, 64), IpiKind::nothing, 0, 0x40);
    expect(resolve_icr(to(0x80000000) | 0x40, 0, 4), IpiKind::nothing, 0, 0x40);
}

TEST(Ipi, LogicalClusters) {
    expect(resolve_icr(logical | to(0x0005) | 0x40, 0, 4), IpiKind::fixed, 0b0101, 0x40);
    expect(resolve_icr(logical | to(0x00F0) | 0x40, 0, 4), IpiKind::nothing, 0, 0x40);
    expect(resolve_icr(logical | to(0x10003) | 0x40, 0, 32), IpiKind::fixed, 0b11ull << 16, 0x40);
    expect(resolve_icr(logical | to(0x38000) | 0x40, 0, 64), IpiKind::fixed, 1ull << 63, 0x40);
    expect(resolve_icr(logical | to(0x40001) | 0x40, 0, 64), IpiKind::nothing, 0, 0x40);
    expect(resolve_icr(logical | to(0xFFFF0001) | 0x40, 0, 64), IpiKind::nothing, 0, 0x40);
    expect(resolve_icr(logical | to(0xFFFFFFFF) | 0x40, 0, 2), IpiKind::fixed, 0b11, 0x40);
    // Each CPU answers to the logical ID it is told it has.
    for (std::uint32_t id = 0; id < 64; ++id)
        expect(resolve_icr(logical | to((id >> 4) << 16 | 1u << (id & 15)) | 0x40, 0, 64), IpiKind::fixed,
               1ull << id, 0x40);
}

TEST(Ipi, InitAndStartup) {
    expect(resolve_icr(init | assert_level | to(1), 0, 2), IpiKind::init, 0b10, 0);
    expect(resolve_icr(init | assert_level | others, 0, 4), IpiKind::init, 0b1110, 0);
    expect(resolve_icr(init | level | to(1), 0, 2), IpiKind::nothing, 0, 0); // de-assert
    expect(resolve_icr(init | assert_level | level | to(1), 0, 2), IpiKind::init, 0b10, 0);
    expect(resolve_icr(init | to(7), 0, 2), IpiKind::nothing, 0, 0);
    expect(resolve_icr(startup | to(1) | 0x9A, 0, 2), IpiKind::startup, 0b10, 0x9A);
    expect(resolve_icr(startup | to(1) | 0x01, 0, 2), IpiKind::startup, 0b10, 0x01);
    expect(resolve_icr(startup | to(9) | 0x01, 0, 2), IpiKind::nothing, 0, 0x01);
    for (std::uint64_t mode : {init, startup})
        for (std::uint64_t where : {to(0), self, all, to(0xFFFFFFFF)})
            EXPECT_EQ(resolve_icr(mode | assert_level | where, 0, 2).kind, IpiKind::refused);
}

TEST(Ipi, Refused) {
    for (std::uint64_t vector = 0; vector < 16; ++vector)
        EXPECT_EQ(resolve_icr(to(1) | vector, 0, 2).kind, IpiKind::refused);
    for (std::uint64_t mode : {1u, 2u, 3u, 4u, 7u}) // lowest priority, SMI, reserved, NMI, ExtINT
        EXPECT_EQ(resolve_icr(to(1) | mode << 8 | 0x40, 0, 2).kind, IpiKind::refused) << mode;
    for (unsigned bit : {12u, 13u, 16u, 17u, 20u, 21u, 30u, 31u})
        EXPECT_EQ(resolve_icr(to(1) | 1ull << bit | 0x40, 0, 2).kind, IpiKind::refused) << bit;
    EXPECT_EQ(resolve_icr(to(1) | 0x40, 2, 2).kind, IpiKind::refused);
    EXPECT_EQ(resolve_icr(to(1) | 0x40, 0, 65).kind, IpiKind::refused);
}

} // namespace
