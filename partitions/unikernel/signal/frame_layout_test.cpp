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

} // namespace
