// SPDX-License-Identifier: Apache-2.0
#include "image-tools/journal/vmx_entry.hpp"

#include "hypervisor/core/audit/vmcs_state.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace {

using vmx_entry::GuestState;

constexpr std::string_view nothing = "no check of the list";
constexpr std::uint64_t hole = 0x800000000000; // between the two halves of canonical addresses

TEST(VmxEntry, ReadsTheRecordsFields) {
    std::ostringstream out;
    for (const std::uint16_t encoding : audit::vmcs_state)
        out << "0x" << std::hex << encoding + 0x100000 << ',';
    const std::string text = out.str();
    const auto state = vmx_entry::parse(text);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->cr0, 0x106800u);
    EXPECT_EQ(state->rip, 0x10681eu);
    EXPECT_EQ(state->entry_controls, 0x104012u);
    EXPECT_EQ(state->tr_limit, 0x10480eu);
    EXPECT_EQ(state->idtr_base, 0x106818u);
    EXPECT_FALSE(vmx_entry::parse(text + "0x1,"));
    EXPECT_FALSE(vmx_entry::parse(std::string_view(text).substr(0, text.size() - 1)));
    EXPECT_FALSE(vmx_entry::parse(std::string_view(text).substr(9)));
    EXPECT_FALSE(vmx_entry::parse("0x"));
    EXPECT_FALSE(vmx_entry::parse(""));
}

// A guest in 64-bit ring 0, as valid as can be.
GuestState good() {
    GuestState s{};
    s.cr0 = 0x80010033;
    s.cr4 = 0x2020;
    s.efer = 0xd01;
    s.pat = 0x0407050600070106;
    s.dr7 = 0x400;
    s.rflags = 0x202;
    s.rip = 0x1000;
    s.entry_controls = 0x200;
    s.cs_rights = 0xa09b;
    s.cs_limit = 0xffffffff;
    s.ss_rights = 0xc093;
    s.tr_rights = 0x8b;
    s.tr_limit = 0x67;
    return s;
}

template <typename Change> std::string_view check_after(Change change) {
    GuestState state = good();
    change(state);
    return vmx_entry::failed_check(state);
}

TEST(VmxEntry, AGoodStatePasses) {
    EXPECT_EQ(check_after([](GuestState&) {}), nothing);
    EXPECT_EQ(check_after([](auto& s) { s.rip = s.gs_base = 0xffff800000000000; }),
              nothing); // the upper half
}

TEST(VmxEntry, NamesControlRegisters) {
    EXPECT_EQ(check_after([](auto& s) { s.cr0 &= ~0x20ull; }), "CR0 lacks a bit that VMX fixes to 1");
    EXPECT_EQ(check_after([](auto& s) { s.cr0 &= ~1ull; }), "CR0.PG without CR0.PE");
    EXPECT_EQ(check_after([](auto& s) { s.cr0 |= 1u << 29; }), "CR0.NW without CR0.CD");
    EXPECT_EQ(check_after([](auto& s) { s.cr4 &= ~0x2000ull; }), "CR4 lacks a bit that VMX fixes to 1");
    EXPECT_EQ(check_after([](auto& s) { s.cr4 &= ~0x20ull; }), "IA-32e mode without CR4.PAE");
    EXPECT_EQ(check_after([](auto& s) { s.cr0 = 0x21; }), "IA-32e mode without CR0.PG");
    EXPECT_EQ(check_after([](auto& s) {
                  s.entry_controls = 0;
                  s.cr4 |= 1u << 17;
              }),
              "CR4.PCIDE outside IA-32e mode");
    EXPECT_EQ(check_after([](auto& s) { s.cr3 = std::uint64_t{1} << 60; }),
              "CR3 beyond the physical address width");
    EXPECT_EQ(check_after([](auto& s) { s.dr7 |= std::uint64_t{1} << 40; }), "DR7 has a high bit");
    EXPECT_EQ(check_after([](auto& s) { s.pat = 2; }), "IA32_PAT has a reserved type");
    EXPECT_EQ(check_after([](auto& s) { s.efer |= 0x1000; }), "EFER has a reserved bit");
    EXPECT_EQ(check_after([](auto& s) { s.efer = 0x900; }), "EFER.LMA differs from the entry control");
    EXPECT_EQ(check_after([](auto& s) { s.efer = 0xc00; }), "EFER.LMA differs from EFER.LME under paging");
}

TEST(VmxEntry, NamesFlagsAndEvents) {
    EXPECT_EQ(check_after([](auto& s) { s.rflags = 0; }), "RFLAGS has a reserved bit");
    EXPECT_EQ(check_after([](auto& s) { s.rflags |= 0x8000; }), "RFLAGS has a reserved bit");
    EXPECT_EQ(check_after([](auto& s) { s.rflags |= 1u << 17; }), "RFLAGS.VM outside protected mode");
    EXPECT_EQ(check_after([](auto& s) {
                  s.interruption = 0x80000030;
                  s.rflags = 2;
              }),
              "an interrupt is injected with RFLAGS.IF = 0");
    EXPECT_EQ(check_after([](auto& s) {
                  s.interruption = 0x80000030;
                  s.interruptibility = 1;
              }),
              "an interrupt is injected into an interrupt shadow");
    EXPECT_EQ(check_after([](auto& s) { s.interruptibility = 3; }), "blocked by STI and by MOV SS at once");
    EXPECT_EQ(check_after([](auto& s) {
                  s.interruptibility = 1;
                  s.rflags = 2;
              }),
              "blocked by STI with RFLAGS.IF = 0");
    EXPECT_EQ(check_after([](auto& s) { s.interruptibility = 4; }), "interruptibility has a reserved bit");
    EXPECT_EQ(check_after([](auto& s) { s.activity = 4; }), "activity state is reserved");
    EXPECT_EQ(check_after([](auto& s) {
                  s.activity = 1;
                  s.ss_rights = 0xc0f3;
              }),
              "HLT state outside CPL 0");
    EXPECT_EQ(check_after([](auto& s) {
                  s.activity = 1;
                  s.interruptibility = 2;
              }),
              "inactive in an interrupt shadow");
    EXPECT_EQ(check_after([](auto& s) {
                  s.interruptibility = 2;
                  s.rflags = 0x102;
              }),
              "pending single step does not match RFLAGS.TF");
}

TEST(VmxEntry, NamesSegmentsAndTables) {
    EXPECT_EQ(check_after([](auto& s) { s.cs_rights |= 1u << 16; }), "CS is not present");
    EXPECT_EQ(check_after([](auto& s) { s.cs_rights = 0xa091; }), "CS has a wrong type");
    EXPECT_EQ(check_after([](auto& s) { s.cs_rights = 0xe09b; }), "CS has both L and D");
    EXPECT_EQ(check_after([](auto& s) { s.cs_limit = 0xfffff000; }), "CS limit does not fit its granularity");
    EXPECT_EQ(check_after([](auto& s) { s.cs_rights = 0x209b; }), "CS limit does not fit its granularity");
    EXPECT_EQ(check_after([](auto& s) { s.cs_base = std::uint64_t{1} << 32; }), "CS base is above 4 GiB");
    EXPECT_EQ(check_after([](auto& s) { s.fs_base = hole; }), "FS base is not canonical");
    EXPECT_EQ(check_after([](auto& s) { s.gs_base = hole; }), "GS base is not canonical");
    EXPECT_EQ(check_after([](auto& s) { s.tr_rights = 0x1008b; }), "TR is not usable");
    EXPECT_EQ(check_after([](auto& s) { s.tr_rights = 0x83; }), "TR has a wrong type");
    EXPECT_EQ(check_after([](auto& s) { s.tr_limit = 0x100000; }), "TR limit does not fit its granularity");
    EXPECT_EQ(check_after([](auto& s) { s.tr_base = hole; }), "TR base is not canonical");
    EXPECT_EQ(check_after([](auto& s) { s.gdtr_base = hole; }), "GDTR is not valid");
    EXPECT_EQ(check_after([](auto& s) { s.idtr_limit = 0x10000; }), "IDTR is not valid");
    EXPECT_EQ(check_after([](auto& s) { s.rip = hole; }), "RIP is not canonical");
    EXPECT_EQ(check_after([](auto& s) {
                  s.cs_rights = 0xc09b;
                  s.rip = std::uint64_t{1} << 32;
              }),
              "RIP is above 4 GiB outside 64-bit code");
}

} // namespace
