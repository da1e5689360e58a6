// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/build.hpp"
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

// docs/hypervisor.md rule 8 and the registers that VMLOAD/VMSAVE switch, written out here once more on purpose.
std::set<std::uint32_t> allowed(bool write, bool deadline, bool x2apic) {
    std::set<std::uint32_t> found{0x174,      0x175,      0x176,      0xC0000081, 0xC0000082,
                                  0xC0000083, 0xC0000084, 0xC0000100, 0xC0000101, 0xC0000102};
    if (!write)
        found.insert(vcpu::msr::tsc_aux);
    if (deadline)
        found.insert(0x6E0);
    if (!x2apic)
        return found;
    if (write) {
        found.insert({0x808, 0x80B, 0x80F, 0x828, 0x838, 0x83E, 0x83F});
        return found;
    }
    found.insert(
        {0x803, 0x808, 0x80A, 0x80F, 0x82F, 0x832, 0x833, 0x834, 0x835, 0x836, 0x837, 0x838, 0x839, 0x83E});
    for (std::uint32_t index = 0x810; index <= 0x828; ++index)
        found.insert(index);
    return found;
}

TEST(Msr, BitmapsLetThroughWhatTheRulesName) {
    for (unsigned options = 0; options < 4; ++options) {
        const bool deadline = (options & 1) != 0, x2apic = (options & 2) != 0;
        Map svm{};
        std::array<std::uint8_t, vcpu::msr_bitmap_bytes> vmx{};
        vcpu::build_svm_msrpm(svm, deadline, x2apic);
        vcpu::build_vmx_bitmap(vmx, deadline, x2apic);
        for (bool write : {false, true}) {
            const std::set<std::uint32_t> let_through = allowed(write, deadline, x2apic);
            for (std::uint32_t base :
                 {0u, 0xC0000000u, 0xC0010000u}) // the last: VM_CR, VM_HSAVE_PA, HWCR, IBS, ...
                for (std::uint32_t index = base; index < base + 0x2000; ++index) {
                    ASSERT_EQ(svm_exits(svm, index, write), !let_through.contains(index))
                        << std::hex << index;
                    if (base != 0xC0010000u) {
                        ASSERT_EQ(vmx_exits(vmx, index, write), !let_through.contains(index))
                            << std::hex << index;
                    }
                }
        }
        for (std::size_t i = 0x1800; i < svm.size(); ++i)
            EXPECT_EQ(svm[i], 0xFF);
    }
}

} // namespace
