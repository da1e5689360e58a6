// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/signal/frame_layout.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <ucontext.h>

namespace {

using namespace uk;
using namespace uk::signal;

// The layout against the C library's own view of it.
TEST(SignalFrame, IsWhatTheCLibraryExpects) {
    static_assert(offsetof(SignalFrame, context_flags) == 8);
    static_assert(offsetof(SignalFrame, registers) - 8 == offsetof(ucontext_t, uc_mcontext));
    static_assert(offsetof(SignalFrame, mask) - 8 == offsetof(ucontext_t, uc_sigmask));
    static_assert(offsetof(SignalFrame, stack) - 8 == offsetof(ucontext_t, uc_stack));
    EXPECT_EQ(offsetof(UserRegisters, rip) / 8, static_cast<std::size_t>(REG_RIP));
    EXPECT_EQ(offsetof(UserRegisters, r8) / 8, static_cast<std::size_t>(REG_R8));
    EXPECT_EQ(offsetof(UserRegisters, rsp) / 8, static_cast<std::size_t>(REG_RSP));
    EXPECT_EQ(offsetof(UserRegisters, cr2) / 8, static_cast<std::size_t>(REG_CR2));
    EXPECT_EQ(offsetof(UserRegisters, vectors), offsetof(mcontext_t, fpregs));
    EXPECT_EQ(offsetof(UserInformation, address), offsetof(siginfo_t, si_addr));
    EXPECT_EQ(offsetof(UserInformation, sender.value), offsetof(siginfo_t, si_value));
}

TEST(SignalFrame, IsPlacedAligned) {
    for (std::uint64_t stack = 0x10000; stack < 0x10100; ++stack) {
        const FramePlace place = place_frame(stack, 832);
        EXPECT_EQ((place.frame + 8) % 16, 0u);
        EXPECT_EQ(place.vectors % 64, 0u);
        EXPECT_LE(place.frame + sizeof(SignalFrame), place.vectors);
        EXPECT_LE(place.vectors + 832 + trailing_magic_bytes, stack);
        EXPECT_LE(stack - place.frame, frame_bytes_max(832));
    }
    EXPECT_EQ(place_frame(100, 832).frame, 0u);
}

TEST(SignalFrame, RegistersSurviveTheRoundTripAndPrivilegeDoesNot) {
    TrapFrame frame{};
    frame.rip = 1, frame.rsp = 2, frame.rax = 3, frame.r15 = 4, frame.rdi = 5;
    UserRegisters user = to_user(frame);
    user.rflags = ~std::uint64_t{0};
    user.cs = 0x10;
    TrapFrame back{};
    from_user(user, back);
    EXPECT_EQ(back.rip, 1u);
    EXPECT_EQ(back.rsp, 2u);
    EXPECT_EQ(back.rax, 3u);
    EXPECT_EQ(back.r15, 4u);
    EXPECT_EQ(back.rdi, 5u);
    EXPECT_EQ(back.cs, user_code_selector);
    EXPECT_EQ(back.ss, user_data_selector);
    EXPECT_EQ(back.rflags & (rflags::io_privilege | rflags::nested_task), 0u);
    EXPECT_NE(back.rflags & rflags::interrupt, 0u);
}

TEST(SignalFrame, HostileVectorStateIsMadeSafe) {
    std::array<std::byte, 832> area;
    area.fill(std::byte{0xFF});
    sanitize_vectors(area.data(), area.size(), 7, true);
    std::uint32_t mxcsr = 0;
    std::memcpy(&mxcsr, &area[24], 4);
    EXPECT_EQ(mxcsr, 0xFFFFu);
    std::uint64_t present = 0;
    std::memcpy(&present, &area[512], 8);
    EXPECT_EQ(present, 7u);
    for (std::size_t i = 520; i < 576; ++i)
        EXPECT_EQ(area[i], std::byte{0});
    area.fill(std::byte{0xFF});
    sanitize_vectors(area.data(), area.size(), 7, false);
    std::memcpy(&present, &area[512], 8);
    EXPECT_EQ(present, 3u);
}

TEST(Information, FaultsCarryAnAddressAndSendersAnIdentity) {
    Information fault;
    fault.number = segv, fault.code = code::segv_unmapped, fault.address = 0x1234;
    EXPECT_EQ(to_user(fault).address, 0x1234u);
    Information sent;
    sent.number = segv, sent.code = code::user, sent.process = 7, sent.user = 9;
    EXPECT_EQ(to_user(sent).sender.process, 7);
    EXPECT_EQ(to_user(sent).sender.user, 9u);
}

TEST(SignalFrame, GoesWhereTheActionSays) {
    TrapFrame at{};
    at.rip = 0x401000, at.rsp = 0x7F0000, at.rbx = 7,
    at.rflags = rflags::direction | rflags::trap | rflags::interrupt;
    const AlternateStack alternate{0x20000, 0x4000, 0};
    const LastFault fault{14, 6, 0x1234};
    const Action plain{0x5000, action_flag::restorer, 0x6000, 0},
        switching{0x5000, action_flag::restorer | action_flag::on_stack, 0x6000, 0};
    Information information;
    information.number = 10;
    const VectorArea area{832, 7, true};

    const auto normal = prepare_handler(at, alternate, fault, plain, information, 0x55, area);
    ASSERT_TRUE(normal.ok());
    EXPECT_LT(normal->place.vectors + 832, at.rsp - red_zone_bytes);
    EXPECT_EQ(normal->frame.return_address, 0x6000u);
    EXPECT_EQ(normal->frame.mask, 0x55u);
    EXPECT_EQ(normal->frame.registers.cr2, 0x1234u);
    EXPECT_EQ(normal->frame.registers.vector, 14u);
    EXPECT_EQ(normal->frame.context_flags, 7u);
    const auto moved = prepare_handler(at, alternate, fault, switching, information, 0, {512, 0, false});
    ASSERT_TRUE(moved.ok());
    EXPECT_TRUE(on_alternate(alternate, moved->place.frame));
    EXPECT_EQ(moved->frame.context_flags, 6u);

    begin_handler(at, *moved, switching);
    EXPECT_EQ(at.rip, 0x5000u);
    EXPECT_EQ(at.rdi, 10u);
    EXPECT_EQ(at.rsp, moved->place.frame);
    EXPECT_EQ(at.rflags, rflags::interrupt);
    EXPECT_EQ(at.rbx, 7u);

    // The next one nests on the stack that is in use, until it is full.
    unsigned nested = 0;
    for (;; ++nested) {
        const auto again = prepare_handler(at, alternate, fault, switching, information, 0, area);
        if (!again.ok()) {
            EXPECT_EQ(again.error(), Errno::fault);
            break;
        }
        EXPECT_LT(again->place.frame, at.rsp);
        EXPECT_GT(again->place.frame, alternate.base);
        begin_handler(at, *again, switching);
    }
    EXPECT_GE(nested, 8u);
}

TEST(SignalFrame, HasToFit) {
    TrapFrame at{};
    at.rsp = 0x7F0000;
    Information information;
    information.number = usr1;
    const Action action{0x5000, action_flag::restorer | action_flag::on_stack, 0, 0};
    EXPECT_FALSE(prepare_handler(at, {}, {}, {0x5000, 0, 0, 0}, information, 0, {}).ok()); // no way back
    EXPECT_FALSE(prepare_handler(at, {0x20000, 900, 0}, {}, action, information, 0, {}).ok());
    EXPECT_TRUE(prepare_handler(at, {0x20000, 2048, 0}, {}, action, information, 0, {}).ok());
    EXPECT_TRUE(prepare_handler(at, {}, {}, action, information, 0, {}).ok()); // none is set: the normal one
    at.rsp = 300;
    EXPECT_FALSE(prepare_handler(at, {}, {}, action, information, 0, {}).ok());
}

TEST(SignalFrame, SaysWhetherAllOfTheVectorsAreThere) {
    const VectorArea area{832, 7, true};
    VectorMark mark = mark_of(area);
    EXPECT_TRUE(is_whole(mark, area));
    EXPECT_EQ(mark.extended_bytes, 836u);
    EXPECT_FALSE(is_whole(mark, {832, 7, false}));
    EXPECT_FALSE(is_whole(mark, {576, 3, true}));
    mark.magic = 0;
    EXPECT_FALSE(is_whole(mark, area));
    EXPECT_EQ(mark_of({512, 0, false}).magic, 0u);
}

TEST(FloatingPoint, SaysWhichException) {
    EXPECT_EQ(float_code(x87_raised(0x37B, 0x0084)), FPE_FLTDIV); // control: only "divide" is not masked
    EXPECT_EQ(float_code(x87_raised(0x37F, 0x0084)), code::fpe_unknown);
    EXPECT_EQ(float_code(sse_raised(0x1E80 | 0x22)), FPE_FLTUND); // denormal, not masked; inexact, masked
    EXPECT_EQ(float_code(1 | 4), FPE_FLTINV);
    EXPECT_EQ(float_code(8 | 32), FPE_FLTOVF);
    EXPECT_EQ(float_code(16), FPE_FLTUND);
    EXPECT_EQ(float_code(32), FPE_FLTRES);
}

} // namespace
