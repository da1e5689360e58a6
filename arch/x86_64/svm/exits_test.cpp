// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/svm/set_up.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace {

using vcpu::ExitKind;

std::unique_ptr<svm::Vmcb> vmcb(std::uint64_t code, std::uint64_t info1 = 0, std::uint64_t info2 = 0) {
    auto made = std::make_unique<svm::Vmcb>();
    made->exit_code = code;
    made->exit_info1 = info1;
    made->exit_info2 = info2;
    made->rip = 0x1000;
    return made;
}

TEST(SvmExits, DecodesByCode) {
    EXPECT_EQ(svm::decode(*vmcb(0x72)).kind, ExitKind::cpuid);
    EXPECT_EQ(svm::decode(*vmcb(0x7c, 0)).kind, ExitKind::msr_read);
    EXPECT_EQ(svm::decode(*vmcb(0x7c, 1)).kind, ExitKind::msr_write);
    EXPECT_EQ(svm::decode(*vmcb(0x61)).kind, ExitKind::host_event);
    EXPECT_EQ(svm::decode(*vmcb(0x82)).kind, ExitKind::forbidden);
    EXPECT_EQ(svm::decode(*vmcb(0x51, 7)).kind, ExitKind::exception);
    EXPECT_EQ(svm::decode(*vmcb(0x51, 7)).error_code, 7u);
    EXPECT_EQ(svm::decode(*vmcb(0x52)).kind, ExitKind::machine_check);
    EXPECT_EQ(svm::decode(*vmcb(0x46)).kind, ExitKind::unexpected);
    EXPECT_EQ(svm::decode(*vmcb(0x400, 4, 0xdead000)).gpa.value(), 0xdead000u);
}

// Everything that is intercepted means something to decide(), and the rest of the first six words does not exit.
TEST(SvmExits, EveryInterceptHasAMeaning) {
    for (std::uint32_t code = 0; code < 6 * 32; ++code) {
        const bool intercepted = (svm::intercepts[code / 32] >> code % 32 & 1) != 0;
        const bool known = svm::decode(*vmcb(code)).kind != ExitKind::unexpected;
        EXPECT_EQ(known, intercepted || code == 0x60 || code == 0x62) << std::hex << code;
    }
}

TEST(SvmExits, InvalidStateInBothWidths) {
    EXPECT_EQ(svm::decode(*vmcb(0xffffffff)).kind, ExitKind::invalid);
    EXPECT_EQ(svm::decode(*vmcb(~std::uint64_t{0})).kind, ExitKind::invalid);
    EXPECT_EQ(svm::decode(*vmcb(0x7777)).kind, ExitKind::unexpected);
}

TEST(SvmExits, DecodesPorts) {
    const auto in = svm::decode(*vmcb(0x7b, 0x03fd0011)).port; // byte in from 3fd
    EXPECT_EQ(in.port, 0x3fd);
    EXPECT_EQ(in.bytes, 1);
    EXPECT_TRUE(in.in);
    EXPECT_FALSE(in.string);
    const auto out = svm::decode(*vmcb(0x7b, 0x0cf80044)).port; // string doubleword out
    EXPECT_EQ(out.bytes, 4);
    EXPECT_TRUE(out.string);
    EXPECT_FALSE(out.in);
}

TEST(SvmExits, AdvancesByHardwareOrKnownLength) {
    auto guest = vmcb(0x81);
    guest->interrupt_shadow = 1;
    svm::advance(*guest, ExitKind::hypercall, false);
    EXPECT_EQ(guest->rip, 0x1003u);
    EXPECT_EQ(guest->interrupt_shadow, 0u);
    guest->next_rip = 0x2000;
    svm::advance(*guest, ExitKind::hypercall, true);
    EXPECT_EQ(guest->rip, 0x2000u);
    auto port = vmcb(0x7b, 0, 0x1001);
    svm::advance(*port, ExitKind::port, false);
    EXPECT_EQ(port->rip, 0x1001u);
}

TEST(SvmExits, AnInterruptedDeliveryComesFirst) {
    auto guest = vmcb(0x72);
    guest->exit_int_info = 0x350; // without the valid bit: left over
    EXPECT_TRUE(svm::deliver_again(*guest));
    EXPECT_EQ(guest->event_injection, 0u);
    guest->exit_int_info = svm::event_valid | 0x30;
    EXPECT_TRUE(svm::deliver_again(*guest));
    EXPECT_EQ(guest->event_injection, svm::event_valid | 0x30);
    EXPECT_FALSE(svm::deliver_again(*guest));
}

TEST(SvmExits, AFreshBlockInterceptsAndHidesSvme) {
    svm::Vmcb guest{};
    svm::set_up(guest, {base::PhysAddr{0x1000}, base::PhysAddr{0x4000}, base::PhysAddr{0x6000}, 0});
    // Left by a former life.
    guest.virtual_interrupt = guest.interrupt_shadow = guest.event_injection = guest.exit_int_info = 1;
    guest.tlb_control = svm::flush_all;
    guest.star_to_sysenter[7] = guest.cr4 = guest.cr2 = 1;
    guest.reserved10[0] = 1;
    svm::prepare(guest, vcpu::pvh_entry(0x100000, 0xf1000));
    EXPECT_EQ(guest.interrupt_shadow | guest.event_injection | guest.exit_int_info, 0u);
    EXPECT_EQ(guest.star_to_sysenter[7] | guest.reserved10[0] | guest.cr4 | guest.cr2, 0u);
    EXPECT_EQ(guest.intercepts, svm::intercepts);
    EXPECT_NE(guest.asid, 0u);
    EXPECT_EQ(guest.virtual_interrupt, 0u);
    EXPECT_EQ(guest.nested_control, 1u);
    EXPECT_EQ(guest.nested_cr3, 0x6000u);
    EXPECT_NE(guest.efer & 1u << 12, 0u);
    EXPECT_EQ(guest.rip, 0x100000u);
    EXPECT_EQ(guest.tlb_control, 0) << "the flush is asked for on the way in (core/paging/live_table.hpp)";
}

} // namespace
