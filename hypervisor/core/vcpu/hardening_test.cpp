// SPDX-License-Identifier: Apache-2.0
// Models as their CPUID and MSRs describe them, from before the first of these weaknesses was known to after most were fixed.
#include "hypervisor/core/vcpu/hardening.hpp"

#include <gtest/gtest.h>

namespace {

using vcpu::CpuModel;
using vcpu::Hardening;

constexpr std::uint32_t bit(unsigned n) {
    return std::uint32_t{1} << n;
}
constexpr std::uint32_t intel_microcode = bit(10) | bit(26) | bit(27) | bit(28) | bit(31);

TEST(Hardening, IntelBeforeAnyMicrocode) {
    const Hardening h = vcpu::harden({.intel = true});
    EXPECT_FALSE(h.barrier || h.clear_buffers || h.flush_l1 || h.store_bypass_control || h.trap_split_locks);
    EXPECT_TRUE(h.small_executable_pages);
    EXPECT_TRUE(h.exposed_branches && h.exposed_buffers && h.exposed_l1);
}

TEST(Hardening, SkylakeServerWithMicrocode) {
    const Hardening h = vcpu::harden({.intel = true, .leaf7_edx = intel_microcode});
    EXPECT_TRUE(h.barrier && h.clear_buffers && h.flush_l1 && h.store_bypass_control &&
                h.small_executable_pages);
    EXPECT_FALSE(h.always_restricted || h.exposed_branches || h.exposed_buffers || h.exposed_l1);
}

TEST(Hardening, CascadeLakeIsSafeFromSomeAndSaysSo) {
    // RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, MDS_NO.
    const Hardening h = vcpu::harden({.intel = true,
                                      .leaf7_edx = intel_microcode | bit(29),
                                      .architecture = bit(0) | bit(1) | bit(3) | bit(5)});
    EXPECT_TRUE(h.always_restricted);
    EXPECT_FALSE(h.flush_l1);
    EXPECT_TRUE(h.clear_buffers) << "MDS_NO alone does not cover TAA, MMIO stale data and RFDS";
    EXPECT_TRUE(h.small_executable_pages);
}

TEST(Hardening, SapphireRapidsNeedsLittle) {
    const Hardening h = vcpu::harden({.intel = true,
                                      .leaf7_edx = intel_microcode | bit(29) | bit(30),
                                      .architecture = bit(0) | bit(1) | bit(3) | bit(5) | bit(6) | bit(8) |
                                                      bit(13) | bit(14) | bit(15) | bit(27),
                                      .core = bit(5)});
    EXPECT_FALSE(h.clear_buffers || h.flush_l1 || h.small_executable_pages);
    EXPECT_TRUE(h.always_restricted && h.trap_split_locks && h.barrier && h.store_bypass_control);
    EXPECT_FALSE(h.exposed_branches || h.exposed_buffers || h.exposed_l1);
}

TEST(Hardening, EachNotAffectedBitCounts) {
    const std::uint64_t all = bit(5) | bit(8) | bit(13) | bit(14) | bit(15) | bit(27);
    EXPECT_FALSE(vcpu::harden({.intel = true, .leaf7_edx = bit(10), .architecture = all}).clear_buffers);
    for (const unsigned n : {5u, 8u, 13u, 14u, 15u, 27u})
        EXPECT_TRUE(
            vcpu::harden({.intel = true, .leaf7_edx = bit(10), .architecture = all & ~bit(n)}).clear_buffers)
            << n;
    EXPECT_FALSE(vcpu::harden({.intel = true, .leaf7_edx = bit(28), .architecture = bit(3)}).flush_l1);
    EXPECT_FALSE(vcpu::harden({.intel = true, .leaf7_edx = bit(28), .architecture = bit(0)}).flush_l1);
    EXPECT_FALSE(
        vcpu::harden({.intel = true, .leaf7_edx = bit(31), .architecture = bit(4)}).store_bypass_control);
}

TEST(Hardening, AmdZen1) {
    const Hardening h = vcpu::harden({.leaf80000008_ebx = bit(12)});
    EXPECT_TRUE(h.barrier);
    EXPECT_FALSE(h.store_bypass_control || h.clear_buffers || h.small_executable_pages || h.flush_l1);
    EXPECT_FALSE(h.exposed_branches);
}

TEST(Hardening, AmdZen4AndTransientSchedulerAttacks) {
    const Hardening h = vcpu::harden(
        {.leaf80000008_ebx = bit(12) | bit(14) | bit(15) | bit(24), .leaf80000021_eax = bit(8) | bit(5)});
    EXPECT_TRUE(h.barrier && h.automatic_restricted && h.store_bypass_control && h.clear_buffers);
    EXPECT_FALSE(h.always_restricted);
    EXPECT_FALSE(vcpu::harden({.leaf80000008_ebx = bit(24) | bit(26)}).store_bypass_control) << "SSB_NO";
}

TEST(Hardening, QemuAndOldAmdOfferNothing) {
    const Hardening h = vcpu::harden({});
    EXPECT_TRUE(h.exposed_branches);
    EXPECT_FALSE(h.exposed_buffers || h.exposed_l1 || h.small_executable_pages);
}

TEST(Hardening, ABitOfTheOtherVendorMeansNothing) {
    EXPECT_FALSE(
        vcpu::harden({.leaf7_edx = intel_microcode, .architecture = ~std::uint64_t{0}, .core = bit(5)})
            .barrier);
    EXPECT_FALSE(vcpu::harden({.intel = true, .leaf80000008_ebx = ~0u, .leaf80000021_eax = ~0u}).barrier);
}

} // namespace
