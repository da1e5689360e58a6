// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/exits.hpp"

#include "arch/host/vmcs.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace {

namespace field = vmx::field;
using vcpu::ExitKind;

static_assert(!vmx::WritableField<std::remove_const_t<decltype(field::exit_reason)>>);
static_assert(!vmx::WritableField<std::remove_const_t<decltype(field::guest_physical_address)>>);
static_assert(vmx::WritableField<std::remove_const_t<decltype(field::guest_rip)>>);
static_assert(sizeof(decltype(field::vpid)::Value) == 2 && sizeof(decltype(field::ept_pointer)::Value) == 8);
static_assert(sizeof(decltype(field::exit_reason)::Value) == 4 &&
              sizeof(decltype(field::guest_rip)::Value) == 8);

// A guest in 64-bit ring 0 that left for `reason`.
host::Vmcs left(std::uint32_t reason, std::uint64_t qualification = 0) {
    host::Vmcs vmcs;
    vmcs.cpu_sets(field::exit_reason, reason);
    vmcs.cpu_sets(field::exit_qualification, qualification);
    vmcs.cpu_sets(field::exit_length, 3);
    vmcs.cpu_sets(field::exit_interruption, 0);
    vmcs.cpu_sets(field::vectoring, 0);
    vmcs.cpu_sets(field::guest_physical_address, 0xdead000);
    vmcs.write(field::guest_cs_rights, 0xa09b);
    vmcs.write(field::guest_ss_rights, 0xc093);
    vmcs.write(field::guest_rip, 0x1000);
    vmcs.write(field::guest_rsp, 0x7000);
    vmcs.write(field::guest_rflags, 2);
    vmcs.write(field::guest_cr0, 0x80000021);
    vmcs.write(field::guest_cr4, 0x2020);
    vmcs.write(field::guest_efer, 0xd00);
    vmcs.write(field::guest_interruptibility, 0);
    vmcs.write(field::guest_pending_debug, 0);
    vmcs.write(field::guest_dr7, 0x400);
    vmcs.write(field::entry_interruption, 0);
    return vmcs;
}

vcpu::Exit decode(const host::Vmcs& vmcs, const vcpu::Registers& registers = {}) {
    const vcpu::Exit exit = vmx::decode(vmcs, registers);
    EXPECT_TRUE(vmcs.complaints().empty()) << vmcs.complaints().front();
    return exit;
}

TEST(VmxExits, DecodesByReason) {
    const std::pair<std::uint32_t, ExitKind> expected[] = {
        {1, ExitKind::host_event},      {2, ExitKind::shutdown},      {3, ExitKind::host_event},
        {4, ExitKind::unexpected},      {9, ExitKind::unexpected},    {10, ExitKind::cpuid},
        {11, ExitKind::forbidden},      {12, ExitKind::unexpected},   {13, ExitKind::cache},
        {15, ExitKind::counter},        {17, ExitKind::forbidden},    {18, ExitKind::hypercall},
        {19, ExitKind::forbidden},      {24, ExitKind::forbidden},    {27, ExitKind::forbidden},
        {29, ExitKind::unexpected},     {30, ExitKind::port},         {31, ExitKind::msr_read},
        {32, ExitKind::msr_write},      {36, ExitKind::forbidden},    {37, ExitKind::unexpected},
        {39, ExitKind::forbidden},      {48, ExitKind::nested_fault}, {49, ExitKind::unexpected},
        {50, ExitKind::forbidden},      {52, ExitKind::host_event},   {53, ExitKind::forbidden},
        {54, ExitKind::cache},          {55, ExitKind::xsetbv},       {59, ExitKind::forbidden},
        {74, ExitKind::bus_lock},       {200, ExitKind::unexpected},  {0x80000021, ExitKind::invalid},
        {0x80000022, ExitKind::invalid}};
    for (const auto& [reason, kind] : expected)
        EXPECT_EQ(decode(left(reason)).kind, kind) << reason;
    EXPECT_EQ(decode(left(9)).detail, 9u);
    EXPECT_EQ(decode(left(48)).gpa.value(), 0xdead000u);
}

// SDM 27.9.1: the flags beside the basic reason change nothing of what is decided, except for the failed entry.
TEST(VmxExits, AFlagBesideTheReasonIsAFactOfItsOwn) {
    constexpr std::uint32_t bus_lock = 1u << 26;
    for (std::uint32_t basic = 1; basic < 100; ++basic)
        for (const unsigned flag : {25u, 26u, 27u, 28u, 29u}) {
            const auto exit = decode(left(basic | 1u << flag, basic == 28 ? 3 << 8 : 0));
            EXPECT_EQ(exit.kind, decode(left(basic, basic == 28 ? 3 << 8 : 0)).kind) << basic << '+' << flag;
            EXPECT_EQ(exit.bus_lock, flag == 26) << basic;
        }
    EXPECT_EQ(decode(left(bus_lock | 48)).gpa.value(), 0xdead000u);
    EXPECT_EQ(decode(left(bus_lock | 30, 0x03fd0008)).port.port, 0x3fd);
    EXPECT_EQ(decode(left(bus_lock | 0x80000021)).kind, ExitKind::invalid);
    EXPECT_FALSE(decode(left(74)).bus_lock) << "the reason itself is counted as one already";
}

TEST(VmxExits, AnNmiIsKnownByItsInformationWhateverElseWas) {
    for (const std::uint32_t flags : {0u, 1u << 26, 1u << 27}) {
        auto vmcs = left(flags);
        vmcs.cpu_sets(field::exit_interruption, 0x80000202);
        EXPECT_TRUE(vmx::ended_by_nmi(vmcs));
        EXPECT_EQ(decode(vmcs).kind, ExitKind::host_event);
        vmcs.cpu_sets(field::exit_interruption, 0x80000301);
        EXPECT_FALSE(vmx::ended_by_nmi(vmcs));
        EXPECT_EQ(decode(vmcs).kind, ExitKind::exception);
        vmx::inject(vmcs, {.vector = 1});
        EXPECT_EQ(vmcs.read(field::entry_interruption), 0x80000301u) << "given back as it came";
    }
    auto other = left(48); // the information is a leftover
    other.cpu_sets(field::exit_interruption, 0x80000202);
    EXPECT_FALSE(vmx::ended_by_nmi(other));
    auto refused = left(0x80000000);
    refused.cpu_sets(field::exit_interruption, 0x80000202);
    EXPECT_FALSE(vmx::ended_by_nmi(refused));
}

TEST(VmxExits, CarriesTheState) {
    auto vmcs = left(10);
    vmcs.write(field::guest_ss_rights, 0xc0f3);
    const auto exit = decode(vmcs);
    EXPECT_EQ(exit.cpl, 3);
    EXPECT_EQ(exit.rip, 0x1000u);
    EXPECT_EQ(exit.rsp, 0x7000u);
    EXPECT_EQ(exit.cr0, 0x80000021u);
    EXPECT_EQ(exit.cr4, 0x2020u);
    EXPECT_EQ(exit.efer, 0xd00u);
}

TEST(VmxExits, TellsExceptionsAndNmisApart) {
    const auto interrupted = [](std::uint32_t information) {
        auto vmcs = left(0);
        vmcs.cpu_sets(field::exit_interruption, information);
        vmcs.cpu_sets(field::exit_error_code, 7);
        return decode(vmcs);
    };
    EXPECT_EQ(interrupted(0x80000202).kind, ExitKind::host_event);
    EXPECT_EQ(interrupted(0x80000312).kind, ExitKind::machine_check);
    EXPECT_EQ(interrupted(0x80000306).kind, ExitKind::unexpected);
    const auto debug = interrupted(0x80000301);
    EXPECT_EQ(debug.kind, ExitKind::exception);
    EXPECT_EQ(debug.vector, 1);
    EXPECT_FALSE(debug.has_error_code);
    const auto alignment = interrupted(0x80000b11);
    EXPECT_EQ(alignment.vector, 17);
    EXPECT_TRUE(alignment.has_error_code);
    EXPECT_EQ(alignment.error_code, 7u);
}

TEST(VmxExits, DecodesPorts) {
    const auto in = decode(left(30, 0x03fd0008)).port;
    EXPECT_EQ(in.port, 0x3fd);
    EXPECT_EQ(in.bytes, 1);
    EXPECT_TRUE(in.in);
    EXPECT_FALSE(in.string);
    const auto out = decode(left(30, 0x0cf80013)).port;
    EXPECT_EQ(out.bytes, 4);
    EXPECT_TRUE(out.string);
    EXPECT_FALSE(out.in);
}

TEST(VmxExits, DecodesControlRegisters) {
    vcpu::Registers registers{};
    registers.rbx = 0xffffffff00000031;
    const auto to_cr0 = decode(left(28, 3 << 8 | 0), registers); // MOV CR0, RBX
    EXPECT_EQ(to_cr0.kind, ExitKind::control_register);
    EXPECT_EQ(to_cr0.control_register, 0);
    EXPECT_EQ(to_cr0.value, 0xffffffff00000031u);
    EXPECT_EQ(decode(left(28, 4 << 8 | 4), registers).value, 0x7000u); // MOV CR4, RSP
    auto legacy = left(28, 3 << 8 | 4);
    legacy.write(field::guest_cs_rights, 0xc09b);
    EXPECT_EQ(decode(legacy, registers).value, 0x31u);            // 32-bit code has no upper half
    for (const std::uint64_t other : {1u << 4, 2u << 4, 3u << 4}) // MOV from, CLTS, LMSW
        EXPECT_EQ(decode(left(28, other), registers).kind, ExitKind::unexpected);
}

TEST(VmxExits, KnowsTheRegistersOfInstructions) {
    vcpu::Registers r{};
    std::uint64_t* const in_order[] = {&r.rax, &r.rcx, &r.rdx, &r.rbx, nullptr, &r.rbp, &r.rsi, &r.rdi,
                                       &r.r8,  &r.r9,  &r.r10, &r.r11, &r.r12,  &r.r13, &r.r14, &r.r15};
    for (unsigned i = 0; i < 16; ++i)
        if (in_order[i] != nullptr)
            *in_order[i] = 100 + i;
    for (unsigned i = 0; i < 16; ++i)
        EXPECT_EQ(vmx::general_register(r, i), i == 4 ? 0 : 100 + i);
}

TEST(VmxExits, AdvancesAndEndsTheShadow) {
    auto vmcs = left(18);
    vmcs.write(field::guest_interruptibility, 1 | 8); // by STI, and NMIs
    vmx::advance(vmcs);
    EXPECT_EQ(vmcs.read(field::guest_rip), 0x1003u);
    EXPECT_EQ(vmcs.read(field::guest_interruptibility), 8u);
}

TEST(VmxExits, InjectsNewExceptions) {
    auto vmcs = left(32);
    vmx::inject(vmcs, {.has_error_code = true, .vector = 13, .error_code = 5});
    EXPECT_EQ(vmcs.read(field::entry_interruption), 0x80000b0du);
    EXPECT_EQ(vmcs.read(field::entry_error_code), 5u);
    vmcs.write(field::guest_cr0, 0x30); // in real mode none has an error code
    vmx::inject(vmcs, {.has_error_code = true, .vector = 13, .error_code = 5});
    EXPECT_EQ(vmcs.read(field::entry_interruption), 0x8000030du);
    EXPECT_TRUE(vmcs.complaints().empty());
}

TEST(VmxExits, GivesExceptionsBackAsTheyCame) {
    auto vmcs = left(0, 0x2000);                         // #DB: DR7.GD
    vmcs.cpu_sets(field::exit_interruption, 0x80001501); // INT1 inside an IRET
    vmcs.write(field::guest_dr7, 0x2400);
    vmcs.cpu_sets(field::exit_length, 1);
    vmx::inject(vmcs, {.vector = 1});
    EXPECT_EQ(vmcs.read(field::entry_interruption), 0x80000501u);
    EXPECT_EQ(vmcs.read(field::entry_length), 1u);
    EXPECT_EQ(vmcs.read(field::guest_dr7), 0x400u);
    EXPECT_EQ(vmcs.read(field::guest_pending_debug), 0u);
    vmcs.write(field::guest_rflags, 0x102);
    vmcs.write(field::guest_interruptibility, 2); // single step in the shadow of MOV SS
    vmx::inject(vmcs, {.vector = 1});
    EXPECT_EQ(vmcs.read(field::guest_pending_debug), 1u << 14);
    EXPECT_TRUE(vmcs.complaints().empty());
}

TEST(VmxExits, AnInterruptedDeliveryComesFirst) {
    auto vmcs = left(48);
    vmcs.cpu_sets(field::vectoring, 0x350); // without the valid bit: left over
    EXPECT_TRUE(vmx::deliver_again(vmcs));
    EXPECT_EQ(vmcs.read(field::entry_interruption), 0u);
    vmcs.cpu_sets(field::vectoring, 0x80001b0e); // #PF with an error code; bit 12 means nothing on entry
    vmcs.cpu_sets(field::vectoring_error_code, 6);
    EXPECT_TRUE(vmx::deliver_again(vmcs));
    EXPECT_EQ(vmcs.read(field::entry_interruption), 0x80000b0eu);
    EXPECT_EQ(vmcs.read(field::entry_error_code), 6u);
    EXPECT_FALSE(vmx::deliver_again(vmcs)); // not on top of another
    auto software = left(48);
    software.cpu_sets(field::vectoring, 0x80000480); // INT 80h
    software.cpu_sets(field::exit_length, 2);
    EXPECT_TRUE(vmx::deliver_again(software));
    EXPECT_EQ(software.read(field::entry_length), 2u);
    EXPECT_TRUE(vmcs.complaints().empty() && software.complaints().empty());
}

} // namespace
