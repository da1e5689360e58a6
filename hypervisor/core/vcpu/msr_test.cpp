// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/msr.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace {

using Map = std::array<std::uint8_t, vcpu::msrpm_bytes>;

bool bit(std::span<const std::uint8_t> map, std::uint32_t number) {
    return (map[number / 8] >> (number % 8) & 1) != 0;
}

// How the processors read the maps (APM vol. 2 15.11; SDM vol. 3 24.6.9).
bool svm_exits(const Map& map, std::uint32_t index, bool write) {
    std::uint32_t base = 0;
    if (index >= 0xC0000000)
        base = index < 0xC0010000 ? 0x800 : 0x1000;
    return bit(map, base * 8 + (index & 0x1FFF) * 2 + (write ? 1 : 0));
}
bool vmx_exits(std::span<const std::uint8_t> map, std::uint32_t index, bool write) {
    return bit(map, ((write ? 2048u : 0u) + (index >= 0xC0000000 ? 1024u : 0u)) * 8 + (index & 0x1FFF));
}

TEST(Msr, AllowListOfRuleEight) {
    // docs/hypervisor.md rule 8, written out here once more on purpose.
    std::set<std::uint32_t> read{0x803, 0x80A, 0x828, 0x808, 0x80B, 0x80F, 0x832, 0x838, 0x839,
                                 0x83E, 0x83F, 0x6E0, 0x82F, 0x833, 0x834, 0x835, 0x836, 0x837};
    for (std::uint32_t index = 0x810; index <= 0x828; ++index)
        read.insert(index);
    const std::set<std::uint32_t> write{0x808, 0x80B, 0x80F, 0x828, 0x832, 0x838, 0x839, 0x83E, 0x83F, 0x6E0};
    for (std::uint32_t index = 0; index < 0x2000; ++index) {
        if (index >= 0x174 && index <= 0x176) {
            EXPECT_TRUE(vcpu::passes_through(index, false, true) && vcpu::passes_through(index, true, true));
            continue;
        }
        EXPECT_EQ(vcpu::passes_through(index, false, true), read.contains(index)) << std::hex << index;
        EXPECT_EQ(vcpu::passes_through(index, true, true), write.contains(index)) << std::hex << index;
    }
    EXPECT_FALSE(vcpu::passes_through(0x6E0, true, false));
}

TEST(Msr, HighRange) {
    const std::set<std::uint32_t> both{0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084,
                                       0xC0000100, 0xC0000101, 0xC0000102};
    for (std::uint32_t index = 0xC0000000; index < 0xC0002000; ++index) {
        EXPECT_EQ(vcpu::passes_through(index, true, true), both.contains(index)) << std::hex << index;
        EXPECT_EQ(vcpu::passes_through(index, false, true),
                  both.contains(index) || index == vcpu::msr::tsc_aux);
    }
    for (std::uint32_t index = 0xC0010000; index < 0xC0012000; ++index) // VM_CR, VM_HSAVE_PA, HWCR, IBS, ...
        EXPECT_FALSE(vcpu::passes_through(index, true, true) || vcpu::passes_through(index, false, true));
}

TEST(Msr, BitmapsSayWhatTheListSays) {
    for (bool deadline : {false, true}) {
        Map svm{};
        std::array<std::uint8_t, vcpu::msr_bitmap_bytes> vmx{};
        vcpu::build_svm_msrpm(svm, deadline);
        vcpu::build_vmx_bitmap(vmx, deadline);
        for (std::uint32_t base : {0u, 0xC0000000u, 0xC0010000u})
            for (std::uint32_t index = base; index < base + 0x2000; ++index)
                for (bool write : {false, true}) {
                    const bool exits = !vcpu::passes_through(index, write, deadline);
                    ASSERT_EQ(svm_exits(svm, index, write), exits) << std::hex << index;
                    if (base != 0xC0010000u) {
                        ASSERT_EQ(vmx_exits(vmx, index, write), exits) << std::hex << index;
                    }
                }
        for (std::size_t i = 0x1800; i < svm.size(); ++i)
            EXPECT_EQ(svm[i], 0xFF);
    }
    EXPECT_FALSE(vcpu::pass_through_msrs().empty());
}

} // namespace
