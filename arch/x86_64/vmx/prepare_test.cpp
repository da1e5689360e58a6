// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/set_up.hpp"

#include "arch/host/vmcs.hpp"
#include "hypervisor/core/audit/vmcs_state.hpp"
#include "image-tools/journal/vmx_entry.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string_view>

namespace {

namespace field = vmx::field;
using vmx::Word;

std::size_t index(Word word) {
    return static_cast<std::size_t>(word);
}

TEST(VmxControls, AreAllowedAndKeepTheGuestQuiet) {
    const auto capabilities = host::every_capability();
    const vmx::Adjusted made = vmx::adjust(capabilities);
    ASSERT_EQ(made.missing, nullptr);
    const std::uint32_t pin = made.controls[index(Word::pin)], primary = made.controls[index(Word::primary)],
                        secondary = made.controls[index(Word::secondary)];
    EXPECT_EQ(pin & 0x69, 0x28u); // NMI exiting and virtual NMIs; no interrupts, no timer
    constexpr std::uint32_t on = 1u << 10 | 1u << 11 | 1u << 25 | 1u << 28 | 1u << 29 | 1u << 31;
    constexpr std::uint32_t off = 1u << 7 | 1u << 9 | 1u << 12 | 1u << 15 | 1u << 16 | 1u << 19 | 1u << 20 |
                                  1u << 21 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 27 | 1u << 30;
    EXPECT_EQ(primary & (on | off), on);
    EXPECT_EQ(secondary, 1u << 1 | 1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 12 | 1u << 15 | 1u << 30);
    for (std::size_t i = 0; i < vmx::word_count; ++i) {
        const std::uint64_t capability = capabilities.of[i];
        EXPECT_EQ(made.controls[i] & static_cast<std::uint32_t>(capability),
                  static_cast<std::uint32_t>(capability));
    }
}

TEST(VmxControls, NameWhatIsMissing) {
    const struct {
        Word word;
        unsigned bit;
        std::string_view name;
    } required[] = {{Word::pin, 3, "NMI exiting"},
                    {Word::pin, 5, "virtual NMIs"},
                    {Word::primary, 25, "I/O bitmaps"},
                    {Word::primary, 28, "MSR bitmaps"},
                    {Word::primary, 31, "secondary controls"},
                    {Word::primary, 10, "MWAIT exiting"},
                    {Word::primary, 29, "MONITOR exiting"},
                    {Word::primary, 11, "RDPMC exiting"},
                    {Word::secondary, 1, "EPT"},
                    {Word::secondary, 5, "VPID"},
                    {Word::secondary, 6, "WBINVD exiting"},
                    {Word::secondary, 7, "unrestricted guest"},
                    {Word::exit, 9, "host address-space size"},
                    {Word::exit, 20, "save IA32_EFER"},
                    {Word::entry, 15, "load IA32_EFER on entry"}};
    for (const auto& control : required) {
        auto capabilities = host::every_capability();
        capabilities.of[index(control.word)] &=
            ~(std::uint64_t{1} << (32 + control.bit) | std::uint64_t{1} << control.bit);
        const char* missing = vmx::adjust(capabilities).missing;
        ASSERT_NE(missing, nullptr) << control.name;
        EXPECT_EQ(missing, control.name);
    }
    for (const unsigned bit :
         {7u, 9u, 12u, 15u, 16u, 19u, 20u, 23u}) { // exits that a quiet guest must not make
        auto capabilities = host::every_capability();
        capabilities.of[index(Word::primary)] |= 1u << bit;
        EXPECT_NE(vmx::adjust(capabilities).missing, nullptr) << bit;
    }
    for (const unsigned bit : {6u, 14u, 16u, 20u, 26u, 32u, 42u}) {
        auto capabilities = host::every_capability();
        capabilities.ept_vpid &= ~(std::uint64_t{1} << bit);
        EXPECT_NE(vmx::adjust(capabilities).missing, nullptr) << bit;
    }
    auto old = host::every_capability();
    old.basic = 0;
    EXPECT_STREQ(vmx::adjust(old).missing, "TRUE capability MSRs");
}

TEST(VmxControls, DoWithoutWhatIsOptional) {
    auto capabilities = host::every_capability();
    capabilities.of[index(Word::secondary)] &= ~(std::uint64_t{1 << 3 | 1 << 12 | 1 << 15 | 1 << 30} << 32);
    const vmx::Adjusted made = vmx::adjust(capabilities);
    EXPECT_EQ(made.missing, nullptr);
    EXPECT_EQ(made.controls[index(Word::secondary)] & (1u << 3 | 1u << 12 | 1u << 15 | 1u << 30), 0u);
}

host::Vmcs prepared(const vcpu::InitialState& state) {
    host::Vmcs vmcs;
    constexpr std::uint64_t allowed =
        0x3506ff; // without VMXE, SMXE; MCE stays the hypervisor's even if it were offered
    vmx::write_controls(vmcs, vmx::adjust(host::every_capability()).controls,
                        {base::PhysAddr{0x1000}, base::PhysAddr{0x4000}, base::PhysAddr{0x6000}, allowed});
    const vmx::HostState host{.cr0 = 0x80050033,
                              .cr3 = 0x9000,
                              .cr4 = 0x3426e0,
                              .efer = 0xd00,
                              .pat = 0x0007040600070406,
                              .gs_base = 0x100,
                              .task_base = 0x200,
                              .gdt_base = 0x300,
                              .idt_base = 0x400,
                              .rip = 0x500};
    vmx::write_host(vmcs, host);
    vmx::write_guest(vmcs, state, host.cr4);
    EXPECT_TRUE(vmcs.complaints().empty()) << vmcs.complaints().front();
    return vmcs;
}

// As the tool reads the record of a refused entry.
std::string_view failed_check(const host::Vmcs& vmcs) {
    std::ostringstream text;
    for (const std::uint16_t encoding : audit::vmcs_state)
        text << "0x" << std::hex << vmcs.raw(encoding) << ',';
    return vmx_entry::failed_check(vmx_entry::parse(text.str()).value());
}

TEST(VmxPrepare, StartStatesPassEveryCheck) {
    for (const auto& state : {vcpu::pvh_entry(0x100000, 0xf1000), vcpu::sipi_start(0x9a)}) {
        auto vmcs = prepared(state);
        EXPECT_EQ(failed_check(vmcs), "no check of the list");
        EXPECT_TRUE(vmcs.complaints().empty());
        EXPECT_EQ(vmcs.read(field::guest_rip), state.rip);
        EXPECT_EQ(vmcs.read(field::cr0_shadow), state.cr0);
        EXPECT_EQ(vmcs.read(field::cr4_shadow), state.cr4);
        EXPECT_EQ(vmcs.read(field::guest_cr0) & (vmx::cr0_cd | vmx::cr0_nw | vmx::cr0_ne), vmx::cr0_ne);
        EXPECT_NE(vmcs.read(field::guest_cr4) & vmx::cr4_mce, 0u); // the host has it on
    }
}

TEST(VmxPrepare, OwnsWhatTheGuestIsNotOffered) {
    auto vmcs = prepared(vcpu::pvh_entry(0x100000, 0xf1000));
    for (const unsigned bit : {6u, 13u, 14u, 12u, 23u, 31u, 63u}) // MCE VMXE SMXE LA57 CET ...
        EXPECT_TRUE(vmcs.read(field::cr4_mask) >> bit & 1) << bit;
    for (const unsigned bit : {4u, 5u, 7u, 18u})
        EXPECT_FALSE(vmcs.read(field::cr4_mask) >> bit & 1) << bit;
    EXPECT_EQ(vmcs.read(field::cr0_mask), 0x60000020u);
    EXPECT_EQ(vmcs.read(field::exception_bitmap), 0x60002u);
    EXPECT_EQ(vmcs.read(field::ept_pointer), 0x601eu);
    EXPECT_NE(vmcs.read(field::vpid), 0);
    EXPECT_EQ(vmcs.read(field::io_bitmap_b), 0x2000u);
}

TEST(VmxPrepare, LeavesNoFieldOfAFormerLife) {
    const auto vmcs = prepared(vcpu::pvh_entry(0x100000, 0xf1000));
    // Guest and host state areas, appendix B; without what no control in use makes the CPU look at.
    std::set<std::uint32_t> area;
    for (std::uint32_t i = 0; i <= 0xe; i += 2)
        area.insert({0x800 + i, 0x4800 + i, 0x4814 + i, 0x6806 + i});
    for (std::uint32_t i = 0; i <= 0xc; i += 2)
        area.insert(0xc00 + i);
    area.insert({0x2800, 0x2802, 0x2804, 0x2806, 0x4810, 0x4812, 0x4824, 0x4826, 0x4828,
                 0x482a, 0x6800, 0x6802, 0x6804, 0x6816, 0x6818, 0x681a, 0x681c, 0x681e,
                 0x6820, 0x6822, 0x6824, 0x6826, 0x2c00, 0x2c02, 0x4c00});
    for (std::uint32_t i = 0; i <= 0x12; i += 2)
        area.insert(0x6c00 + i);
    area.insert(0x6c16);
    for (const std::uint32_t encoding : area)
        EXPECT_TRUE(vmcs.written(encoding)) << std::hex << encoding;
}

} // namespace
