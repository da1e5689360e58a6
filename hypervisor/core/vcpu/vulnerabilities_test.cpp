// SPDX-License-Identifier: Apache-2.0
// Models as their CPUID and MSRs describe them, from before the first of these weaknesses was known to after most were fixed.
#include "hypervisor/core/vcpu/vulnerabilities.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <string>

namespace {

using vcpu::CpuModel;
using vcpu::Hardening;
using vcpu::Measure;
using vcpu::Vendor;

constexpr std::uint32_t bit(unsigned n) {
    return std::uint32_t{1} << n;
}
constexpr std::uint32_t intel_microcode = bit(10) | bit(26) | bit(27) | bit(28) | bit(31);
constexpr std::uint64_t buffers_no = bit(5) | bit(8) | bit(13) | bit(14) | bit(15) | bit(27);

// The first word of each name: "BHI" for "branch history (BHI)".
std::set<std::string> exposures(const Hardening& h) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < vcpu::vulnerabilities.size(); ++i)
        if ((h.exposed >> i & 1) != 0)
            names.insert(std::string{vcpu::vulnerabilities[i].name});
    return names;
}
bool exposed(const Hardening& h, const std::string& part) {
    for (const std::string& name : exposures(h))
        if (name.find(part) != std::string::npos)
            return true;
    return false;
}
bool uses(const Hardening& h, std::initializer_list<Measure> all) {
    bool each = true;
    for (const Measure one : all)
        each = each && h.uses(one);
    return each;
}
bool uses_none(const Hardening& h, std::initializer_list<Measure> all) {
    bool none = true;
    for (const Measure one : all)
        none = none && !h.uses(one);
    return none;
}
CpuModel intel(std::uint32_t leaf7_edx, std::uint64_t architecture = 0, std::uint64_t core = 0) {
    return {.vendor = Vendor::intel,
            .family = 6,
            .leaf7_edx = leaf7_edx,
            .architecture = architecture,
            .core = core};
}
CpuModel amd(std::uint32_t family, std::uint32_t ebx = 0, std::uint32_t eax = 0) {
    return {.vendor = family == 0x18 ? Vendor::hygon : Vendor::amd,
            .family = family,
            .leaf80000008_ebx = ebx,
            .leaf80000021_eax = eax};
}

TEST(Vulnerabilities, WhoIsUnknownIsFreeOfNothing) {
    const std::set<std::string> all = exposures(vcpu::harden({}));
    // Small pages and the filled stack need nothing of the CPU.
    EXPECT_EQ(all.size(), vcpu::vulnerabilities.size() - 2);
    const CpuModel every{.family = 0x17,
                         .leaf7_edx = ~0u,
                         .leaf7_2_edx = ~0u,
                         .leaf80000008_ebx = ~0u,
                         .leaf80000021_eax = ~0u,
                         .architecture = ~std::uint64_t{0},
                         .core = ~std::uint64_t{0}};
    EXPECT_EQ(exposures(vcpu::harden(every)), all) << "bits of a maker that we do not know";
    EXPECT_TRUE(uses(vcpu::harden(every), {Measure::small_executable_pages, Measure::filled_stack}));
    for (const std::uint32_t family : {0u, 6u, 0xEu, 0x13u, 0x18u, 0x1Bu, 0x1Cu, 0x40u, 0x10Eu}) {
        CpuModel strange = amd(family);
        strange.vendor = Vendor::amd;
        EXPECT_EQ(exposures(vcpu::harden(strange)).size(), all.size()) << std::hex << family;
    }
    CpuModel hygon = amd(0x17);
    hygon.vendor = Vendor::hygon;
    EXPECT_EQ(exposures(vcpu::harden(hygon)).size(), all.size());
}

TEST(Vulnerabilities, EveryRowIsNamedAndAnswered) {
    std::set<std::string_view> names;
    for (const auto& row : vcpu::vulnerabilities)
        EXPECT_TRUE(names.insert(row.name).second && !row.name.empty());
    for (std::size_t i = 1; i < vcpu::measure_names.size(); ++i)
        EXPECT_FALSE(vcpu::measure_names[i].empty()) << i;
}

TEST(Vulnerabilities, MakersAndFamilies) {
    EXPECT_EQ(vcpu::vendor_of(0x756E6547), Vendor::intel);
    EXPECT_EQ(vcpu::vendor_of(0x68747541), Vendor::amd);
    EXPECT_EQ(vcpu::vendor_of(0x6F677948), Vendor::hygon);
    EXPECT_EQ(vcpu::vendor_of(0x746E6543), Vendor::other); // Centaur
    EXPECT_EQ(vcpu::family_of(0x000806F8), 6u);
    EXPECT_EQ(vcpu::family_of(0x00A20F10), 0x19u);
    EXPECT_EQ(vcpu::family_of(0x00900F01), 0x18u);
}

TEST(Vulnerabilities, IntelBeforeAnyMicrocode) {
    const Hardening h = vcpu::harden(intel(0));
    EXPECT_TRUE(uses_none(h, {Measure::barrier, Measure::clear_buffers, Measure::flush_l1,
                              Measure::store_bypass_control, Measure::trap_split_locks}));
    EXPECT_TRUE(h.uses(Measure::small_executable_pages));
    for (const char* name : {"IBRS", "IBPB", "BHI", "ITS", "Retbleed", "GDS", "L1TF", "MDS", "SSB"})
        EXPECT_TRUE(exposed(h, name)) << name;
    EXPECT_FALSE(exposed(h, "SRSO"));
}

// hard.cpp of a review: neither enhanced nor automatic IBRS, and nothing named.
TEST(Vulnerabilities, WithoutEitherIbrsTheExposureIsNamed) {
    const Hardening skylake = vcpu::harden(intel(intel_microcode | bit(29)));
    EXPECT_TRUE(uses(skylake, {Measure::barrier, Measure::clear_buffers, Measure::flush_l1,
                               Measure::store_bypass_control, Measure::small_executable_pages}));
    EXPECT_TRUE(exposed(skylake, "IBRS") && exposed(skylake, "Retbleed"));
    EXPECT_FALSE(exposed(skylake, "MDS") || exposed(skylake, "L1TF") || exposed(skylake, "IBPB"));
    const Hardening zen2 = vcpu::harden(amd(0x17, bit(12) | bit(14) | bit(15) | bit(24)));
    EXPECT_TRUE(zen2.uses(Measure::barrier));
    EXPECT_TRUE(exposed(zen2, "IBRS") && exposed(zen2, "Retbleed") && exposed(zen2, "SRSO"));
    EXPECT_FALSE(exposed(zen2, "L1TF") || exposed(zen2, "MDS") || exposed(zen2, "GDS") ||
                 exposed(zen2, "BHI") || exposed(zen2, "ITS"));
}

TEST(Vulnerabilities, CascadeLakeIsSafeFromSomeAndSaysSo) {
    // RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, MDS_NO.
    const Hardening h = vcpu::harden(intel(intel_microcode | bit(29), bit(0) | bit(1) | bit(3) | bit(5)));
    EXPECT_TRUE(h.uses(Measure::always_restricted));
    EXPECT_FALSE(h.uses(Measure::flush_l1) || exposed(h, "IBRS") || exposed(h, "Retbleed"));
    EXPECT_TRUE(h.uses(Measure::clear_buffers))
        << "MDS_NO alone does not cover TAA, MMIO stale data and RFDS";
    EXPECT_TRUE(h.uses(Measure::small_executable_pages));
    EXPECT_TRUE(exposed(h, "BHI") && exposed(h, "ITS") && exposed(h, "GDS"));
}

TEST(Vulnerabilities, SapphireRapidsNeedsLittle) {
    CpuModel model = intel(intel_microcode | bit(29) | bit(30),
                           bit(0) | bit(1) | bit(3) | bit(6) | bit(26) | buffers_no, bit(5));
    model.leaf7_2_edx = bit(4);
    const Hardening h = vcpu::harden(model);
    EXPECT_TRUE(uses_none(h, {Measure::clear_buffers, Measure::flush_l1, Measure::small_executable_pages}));
    EXPECT_TRUE(uses(h, {Measure::always_restricted, Measure::trap_split_locks, Measure::barrier,
                         Measure::store_bypass_control, Measure::history}));
    EXPECT_EQ(exposures(h), std::set<std::string>{}) << "BHI_CTRL: not affected by ITS either";
    model.architecture |= std::uint64_t{1} << 20 | std::uint64_t{1} << 62;
    model.leaf7_2_edx = 0;
    EXPECT_EQ(exposures(vcpu::harden(model)), std::set<std::string>{}) << "BHI_NO, ITS_NO";
}

TEST(Vulnerabilities, EachNotAffectedBitCounts) {
    EXPECT_FALSE(vcpu::harden(intel(bit(10), buffers_no)).uses(Measure::clear_buffers));
    for (const unsigned n : {5u, 8u, 13u, 14u, 15u, 27u})
        EXPECT_TRUE(
            vcpu::harden(intel(bit(10), buffers_no & ~std::uint64_t{bit(n)})).uses(Measure::clear_buffers))
            << n;
    EXPECT_FALSE(vcpu::harden(intel(bit(28), bit(3))).uses(Measure::flush_l1));
    EXPECT_FALSE(vcpu::harden(intel(bit(28), bit(0))).uses(Measure::flush_l1));
    EXPECT_FALSE(vcpu::harden(intel(bit(31), bit(4))).uses(Measure::store_bypass_control));
    EXPECT_FALSE(exposed(vcpu::harden(intel(0, bit(26))), "GDS"));
    EXPECT_FALSE(exposed(vcpu::harden(intel(0, bit(25))), "GDS"));
    EXPECT_TRUE(vcpu::harden(intel(0, bit(25))).uses(Measure::gather));
}

TEST(Vulnerabilities, AmdByFamily) {
    const Hardening zen1 = vcpu::harden(amd(0x17, bit(12)));
    EXPECT_TRUE(zen1.uses(Measure::barrier));
    EXPECT_TRUE(uses_none(zen1, {Measure::store_bypass_control, Measure::clear_buffers,
                                 Measure::small_executable_pages, Measure::flush_l1}));
    const Hardening zen4 =
        vcpu::harden(amd(0x19, bit(12) | bit(14) | bit(15) | bit(24) | bit(29), bit(8) | bit(5)));
    EXPECT_TRUE(uses(zen4, {Measure::barrier, Measure::automatic_restricted, Measure::store_bypass_control,
                            Measure::clear_buffers}));
    EXPECT_EQ(exposures(zen4), std::set<std::string>{"return predictions (SRSO)"});
    EXPECT_TRUE(exposed(vcpu::harden(amd(0x19, 0, bit(8))), "TSA")) << "no VERW that clears";
    const Hardening zen5 = vcpu::harden(amd(0x1A, bit(12) | bit(24), bit(8) | bit(31)));
    EXPECT_EQ(exposures(zen5), std::set<std::string>{});
    EXPECT_FALSE(exposed(vcpu::harden(amd(0x19, 0, bit(29))), "SRSO"));
    EXPECT_FALSE(vcpu::harden(amd(0x17, bit(24) | bit(26))).uses(Measure::store_bypass_control)) << "SSB_NO";
    EXPECT_FALSE(exposed(vcpu::harden(amd(0x17, bit(29))), "Retbleed")) << "BTC_NO";
    EXPECT_TRUE(exposed(vcpu::harden(amd(0x18)), "Retbleed"));
    EXPECT_TRUE(exposed(vcpu::harden(amd(0x18)), "TSA")) << "nobody says that it is free";
}

TEST(Vulnerabilities, ABitOfTheOtherVendorMeansNothing) {
    CpuModel confused = amd(0x17);
    confused.leaf7_edx = ~0u;
    confused.leaf7_2_edx = ~0u;
    confused.architecture = confused.core = ~std::uint64_t{0};
    EXPECT_EQ(vcpu::harden(confused), vcpu::harden(amd(0x17)));
    CpuModel other = intel(0);
    other.leaf80000008_ebx = other.leaf80000021_eax = ~0u;
    EXPECT_EQ(vcpu::harden(other), vcpu::harden(intel(0)));
}

} // namespace
