// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/core/vcpu/cpuid.hpp"

#include "hypervisor/core/vcpu/host_test.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>

namespace {

using vcpu::CpuidLeaf;
using vcpu::CpuidState;
using vcpu::CpuidTable;
using vcpu::testing::Host;

std::unique_ptr<CpuidTable> build(Host host, std::uint32_t count) {
    auto table = std::make_unique<CpuidTable>();
    vcpu::build_cpuid(*table, host.source(), count);
    return table;
}
bool bit(std::uint32_t word, unsigned number) {
    return (word >> number & 1) != 0;
}
constexpr CpuidState boot{.apic_id = 0, .cr4 = 0, .xcr0 = 1};

TEST(Cpuid, DeniesByDefault) {
    const auto table = build(Host::everything(), 1);
    const auto ask = [&](std::uint32_t leaf, std::uint32_t subleaf = 0) {
        return vcpu::lookup_cpuid(*table, leaf, subleaf, boot);
    };
    const CpuidLeaf one = ask(1);
    for (unsigned denied : {2u, 3u, 4u, 5u, 6u, 7u, 8u, 10u, 11u, 14u, 15u, 16u, 18u})
        EXPECT_FALSE(bit(one.ecx, denied)) << denied;
    for (unsigned denied :
         {7u, 12u, 14u, 18u, 21u, 22u, 28u, 29u, 31u}) // MCE MTRR MCA PSN DS ACPI HTT TM PBE
        EXPECT_FALSE(bit(one.edx, denied)) << denied;
    EXPECT_TRUE(bit(one.ecx, 21));  // x2APIC
    EXPECT_TRUE(bit(one.ecx, 31));  // hypervisor
    EXPECT_FALSE(bit(one.ecx, 27)); // OSXSAVE follows CR4
    const CpuidLeaf seven = ask(7);
    for (unsigned denied : {1u, 2u, 4u, 11u, 12u, 14u, 15u, 25u}) // TSC_ADJUST SGX HLE RTM PQM MPX PQE PT
        EXPECT_FALSE(bit(seven.ebx, denied)) << denied;
    for (unsigned denied :
         {4u, 5u, 7u, 13u, 16u, 23u, 29u, 30u, 31u}) // OSPKE WAITPKG CET TME LA57 KL ENQCMD SGX_LC PKS
        EXPECT_FALSE(bit(seven.ecx, denied)) << denied;
    for (unsigned denied : {5u, 18u, 19u, 20u, 22u, 24u, 25u, 26u, 27u, 28u, 29u, 30u, 31u})
        EXPECT_FALSE(bit(seven.edx, denied)) << denied;
    EXPECT_EQ(seven.eax, 1u);
    EXPECT_EQ(ask(7, 2), CpuidLeaf{});
    EXPECT_FALSE(bit(ask(7, 1).eax, 17)); // FRED
    for (std::uint32_t leaf :
         {3u,          5u,          8u,          9u,          0xAu,        0xCu,        0xFu,
          0x10u,       0x12u,       0x14u,       0x17u,       0x18u,       0x19u,       0x1Au,
          0x1Bu,       0x1Cu,       0x1Du,       0x1Eu,       0x1Fu,       0x20u,       0x21u,
          0x23u,       0x80000009u, 0x8000000Au, 0x8000001Bu, 0x8000001Cu, 0x8000001Du, 0x8000001Eu,
          0x8000001Fu, 0x80000020u, 0x80000021u, 0x80000026u, 0x40000001u, 0x40000002u, 0x40000102u,
          0x4FFFFFFFu, 0x7FFFFFFFu, 0xFFFFFFFFu, 0xC0000000u})
        EXPECT_EQ(ask(leaf), CpuidLeaf{}) << std::hex << leaf;
    const CpuidLeaf extended = ask(0x80000001);
    for (unsigned denied : {1u, 2u, 3u, 9u, 10u, 12u, 13u, 15u, 17u, 19u, 22u, 23u, 24u, 26u, 27u, 28u, 29u})
        EXPECT_FALSE(bit(extended.ecx, denied)) << denied; // SVM, IBS, SKINIT, MONITORX, ...
    EXPECT_EQ(ask(0x80000007), (CpuidLeaf{0, 0, 0, 1u << 8}));
    EXPECT_EQ(ask(6), (CpuidLeaf{4, 0, 0, 0}));
    EXPECT_EQ(ask(0).eax, 0x16u);
    EXPECT_EQ(ask(0x80000000).eax, 0x8000001Au);
    EXPECT_EQ(ask(0x80000008).eax >> 8, 48u);
    EXPECT_EQ(ask(0x15).eax, 0xFFFFFFFFu);
}

TEST(Cpuid, OffersWhatTheHostHas) {
    const auto all = build(Host::everything(), 1);
    for (unsigned offered : {0u, 1u, 9u, 12u, 13u, 17u, 19u, 20u, 22u, 23u, 24u, 25u, 26u, 28u, 29u, 30u})
        EXPECT_TRUE(bit(all->basic[1].ecx, offered)) << offered;
    for (unsigned offered : {0u, 5u, 7u, 16u, 18u, 20u, 29u})
        EXPECT_TRUE(bit(all->basic[7].ebx, offered)) << offered;
    const auto none = build(Host{}, 1);
    EXPECT_EQ(none->basic[1].ecx, 1u << 21 | 1u << 31);
    EXPECT_EQ(none->basic[1].edx, 0u);
    EXPECT_EQ(none->xcr0_allowed, 0u);
    EXPECT_EQ(none->extended[0].eax, 0u);
    EXPECT_EQ(none->efer_allowed, 0u);
    EXPECT_EQ(none->cr4_allowed, 1u << 8);
    EXPECT_EQ(vcpu::lookup_cpuid(*none, 0xD, 0, boot), CpuidLeaf{});
}

TEST(Cpuid, HostsWithFewLeaves) {
    Host host = Host::everything();
    host.set(0, 0, {0xD, 1, 2, 3});
    host.set(7, 0, {0, ~0u, ~0u, ~0u});
    host.set(0x80000000, 0, {0x80000004, 0, 0, 0});
    const auto table = build(host, 1);
    EXPECT_EQ(table->basic[0].eax, 0xDu);
    EXPECT_EQ(table->basic[0x15], CpuidLeaf{});
    EXPECT_EQ(table->basic[7].eax, 0u);
    EXPECT_EQ(table->features1, CpuidLeaf{});
    EXPECT_EQ(table->extended[0].eax, 0x80000004u);
    EXPECT_EQ(table->extended[8], CpuidLeaf{});
    EXPECT_NE(table->extended[4], CpuidLeaf{});
}

TEST(Cpuid, ControlRegisterMasks) {
    const auto all = build(Host::everything(), 1);
    EXPECT_EQ(all->efer_allowed, 0xD01u);
    EXPECT_EQ(all->cr4_allowed & (1u << 6 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 23 | 1u << 24),
              0u); // MCE LA57 VMXE ...
    for (unsigned allowed : {0u, 1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u, 10u, 11u, 16u, 17u, 18u, 20u, 21u, 22u})
        EXPECT_TRUE(all->cr4_allowed >> allowed & 1) << allowed;
}

TEST(Cpuid, FollowsGuestState) {
    const auto table = build(Host::everything(), 4);
    const CpuidState state{.apic_id = 3, .cr4 = 1u << 18 | 1u << 22, .xcr0 = 7};
    const CpuidLeaf one = vcpu::lookup_cpuid(*table, 1, 0, state);
    EXPECT_EQ(one.ebx >> 24, 3u);
    EXPECT_EQ(one.ebx >> 16 & 0xFF, 4u);
    EXPECT_TRUE(bit(one.ecx, 27));
    EXPECT_TRUE(bit(one.edx, 28)); // HTT: more than one
    EXPECT_TRUE(bit(vcpu::lookup_cpuid(*table, 7, 0, state).ecx, 4));
    EXPECT_FALSE(bit(vcpu::lookup_cpuid(*table, 7, 0, boot).ecx, 4));
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0xB, 0, state), (CpuidLeaf{0, 1, 0x100, 3}));
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0xB, 1, state), (CpuidLeaf{2, 4, 0x201, 3}));
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0xB, 2, state), (CpuidLeaf{0, 0, 2, 3}));
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0x80000008, 0, state).ecx, 3u | 2u << 12);
}

TEST(Cpuid, TopologyBits) {
    for (const auto& [count, bits] : {std::pair{1u, 0u}, {2u, 1u}, {3u, 2u}, {4u, 2u}, {5u, 3u}, {64u, 6u}})
        EXPECT_EQ(build(Host::everything(), count)->apic_id_bits, bits) << count;
}

TEST(Cpuid, CachesSharedWithinThePartition) {
    Host host = Host::everything();
    host.set(4, 0, {0x1C004121 | 7u << 14 | 15u << 26, 0x01C0003F, 0x3F, 0});
    host.set(4, 1, {0x1C004122, 1, 2, 3});
    host.set(4, 2, {0, 0, 0, 0});
    const auto table = build(host, 2);
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 4, 0, boot).eax, 0x121u | 1u << 14 | 1u << 26);
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 4, 0, boot).ebx, 0x01C0003Fu);
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 4, 1, boot).eax, 0x122u | 1u << 14 | 1u << 26);
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 4, 2, boot), CpuidLeaf{});
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 4, 8, boot), CpuidLeaf{});
}

TEST(Cpuid, XsaveSizes) {
    const auto table = build(Host::everything(), 1);
    EXPECT_EQ(table->xcr0_allowed, 0x2E7u);
    const auto ask = [&](std::uint32_t subleaf, std::uint64_t xcr0) {
        return vcpu::lookup_cpuid(*table, 0xD, subleaf, {0, 0, xcr0});
    };
    EXPECT_EQ(ask(0, 1), (CpuidLeaf{0x2E7, 576, 2696, 0}));
    EXPECT_EQ(ask(0, 7).ebx, 832u);
    EXPECT_EQ(ask(0, 0xE7).ebx, 2688u);
    EXPECT_EQ(ask(0, 0x203).ebx, 2696u);
    EXPECT_EQ(ask(1, 7), (CpuidLeaf{7, 832, 0, 0}));
    EXPECT_EQ(ask(1, 0x203).ebx, 584u);
    EXPECT_EQ(ask(1, 0x2E7).ebx, 576u + 256 + 64 + 512 + 1024 + 8);
    EXPECT_EQ(ask(2, 7), (CpuidLeaf{256, 576, 0, 0}));
    EXPECT_EQ(ask(3, 7), CpuidLeaf{});  // MPX
    EXPECT_EQ(ask(8, 7), CpuidLeaf{});  // PT
    EXPECT_EQ(ask(11, 7), CpuidLeaf{}); // CET
    EXPECT_EQ(ask(17, 7), CpuidLeaf{}); // AMX

    Host no_compaction = Host::everything();
    no_compaction.set(0xD, 1, {1, 99, 99, 99});
    no_compaction.set(0xD, 0, {0x67, 0, 0, 0}); // AVX-512 incomplete
    const auto plain = build(no_compaction, 1);
    EXPECT_EQ(plain->xcr0_allowed, 7u);
    EXPECT_EQ(vcpu::lookup_cpuid(*plain, 0xD, 1, boot), (CpuidLeaf{1, 0, 0, 0}));

    Host no_xsave = Host::everything();
    no_xsave.set(1, 0, {0, 0, ~(1u << 26), ~0u});
    const auto without = build(no_xsave, 1);
    EXPECT_EQ(without->xcr0_allowed, 0u);
    EXPECT_FALSE(bit(without->basic[1].ecx, 28)); // no AVX without XSAVE
}

TEST(Cpuid, Xcr0) {
    constexpr std::uint64_t allowed = 0x2E7;
    for (std::uint64_t good : {0x1ull, 0x3ull, 0x7ull, 0xE7ull, 0x2E7ull, 0x203ull})
        EXPECT_TRUE(vcpu::xcr0_valid(good, allowed)) << good;
    for (std::uint64_t bad :
         {0x0ull, 0x2ull, 0x5ull, 0x27ull, 0xE3ull, 0x9ull, 0x1FFull, 1ull << 63 | 1, 0x60007ull})
        EXPECT_FALSE(vcpu::xcr0_valid(bad, allowed)) << bad;
    EXPECT_FALSE(vcpu::xcr0_valid(7, 3));
}

TEST(Cpuid, HypervisorLeaves) {
    const auto table = build(Host::everything(), 1);
    const auto text = [&](std::uint32_t leaf) {
        const CpuidLeaf answer = vcpu::lookup_cpuid(*table, leaf, 0, boot);
        std::string name;
        for (std::uint32_t word : {answer.ebx, answer.ecx, answer.edx})
            for (unsigned i = 0; i < 4; ++i)
                name += static_cast<char>(word >> (8 * i));
        return name;
    };
    EXPECT_EQ(text(0x40000000), std::string("KVMKVMKVM\0\0\0", 12));
    EXPECT_EQ(text(0x40000100), std::string("Caisson hv\0\0", 12));
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0x40000000, 0, boot).eax, 0x40000001u);
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0x40000100, 0, boot).eax, 0x40000101u);
    EXPECT_EQ(vcpu::lookup_cpuid(*table, 0x40000101, 0, boot), (CpuidLeaf{CAISSON_ABI_VERSION, 0, 0, 0}));
}

TEST(Cpuid, ShortCutAgrees) {
    const auto table = build(Host::everything(), 3);
    const CpuidState state{.apic_id = 2, .cr4 = 1u << 18, .xcr0 = 3};
    for (std::uint32_t base : {0u, 0x40000000u, 0x40000100u, 0x80000000u})
        for (std::uint32_t number = 0; number < 0x30; ++number)
            for (std::uint32_t subleaf : {0u, 1u, 2u, 0xFFFFFFFFu}) {
                vcpu::Registers registers{};
                registers.rax = 0xAAAAAAAA00000000 | (base + number);
                registers.rcx = 0xBBBBBBBB00000000 | subleaf;
                registers.rsi = 77;
                vcpu::answer_cpuid(*table, registers, state);
                const CpuidLeaf answer = vcpu::lookup_cpuid(*table, base + number, subleaf, state);
                EXPECT_EQ(registers.rax, answer.eax);
                EXPECT_EQ(registers.rbx, answer.ebx);
                EXPECT_EQ(registers.rcx, answer.ecx);
                EXPECT_EQ(registers.rdx, answer.edx);
                EXPECT_EQ(registers.rsi, 77u);
            }
}

// A plan runs with what was found on one CPU; where another offers otherwise it is named.
TEST(Cpuid, ADifferenceOfTwoCpusIsNamed) {
    const auto table = std::make_unique<CpuidTable>();
    Host first = Host::everything();
    vcpu::build_cpuid(*table, first.source(), 3);
    EXPECT_EQ(vcpu::differs(*table, first.source()), nullptr);
    const std::tuple<std::uint32_t, std::uint32_t, CpuidLeaf, const char*> cases[] = {
        {0, 0, {0x23, 0x756E6547, 0, 0}, "maker"},
        {1, 0, {~0u, ~0u, ~(1u << 28), ~0u}, "CPUID 1"}, // AVX
        {7, 0, {~0u, ~(1u << 16), ~0u, ~0u}, "CPUID 7"}, // AVX-512: a hybrid
        {7, 1, {0, 0, 0, 0}, "CPUID 7"},
        {0x80000001, 0, {~0u, ~0u, ~0u, ~(1u << 27)}, "80000001"},
        {0xD, 2, {512, 576, 0, 0}, "0D"},
        {0xD, 0, {7, 0, 0, 0}, "0D"}};
    for (const auto& [leaf, subleaf, answer, part] : cases) {
        Host other = Host::everything();
        other.set(leaf, subleaf, answer);
        const char* difference = vcpu::differs(*table, other.source());
        ASSERT_NE(difference, nullptr) << part;
        EXPECT_NE(std::string{difference}.find(part), std::string::npos) << difference;
    }
    Host caches = Host::everything();
    caches.set(4, 0, {0x121, 1, 2, 3});
    caches.set(0x16, 0, {1, 2, 3, 4});
    EXPECT_EQ(vcpu::differs(*table, caches.source()), nullptr) << "caches and clocks may differ";
}

} // namespace
