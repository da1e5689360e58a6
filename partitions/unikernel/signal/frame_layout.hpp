// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/frame_layout.hpp - what a signal handler finds on its stack, byte for
// byte, and where.
//
// Pure.
// Spec:       Linux x86-64 user ABI as laid down in the uapi headers asm/sigcontext.h,
//             asm/ucontext.h, asm/siginfo.h.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/machine/trap_frame.hpp"
#include "partitions/unikernel/task/signal_state.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace uk::signal {

struct UserInformation { // siginfo_t
    std::int32_t number, error, code, padding;
    union {
        struct {
            std::int32_t process;
            std::uint32_t user;
            std::uint64_t value;
        } sender;
        std::uint64_t address;
        std::array<std::uint64_t, 14> raw;
    };
};
static_assert(sizeof(UserInformation) == 128);

struct UserStack { // stack_t
    std::uint64_t base;
    std::uint32_t flags, padding;
    std::uint64_t bytes;
};

struct UserRegisters { // struct sigcontext
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error, vector, old_mask, cr2;
    std::uint64_t vectors; // address of the FPU/XSAVE area
    std::array<std::uint64_t, 8> reserved;
};
static_assert(sizeof(UserRegisters) == 256);

struct SignalFrame {
    std::uint64_t return_address;
    std::uint64_t context_flags;
    std::uint64_t context_link;
    UserStack stack;
    UserRegisters registers;
    Set mask;
    UserInformation information;
};
static_assert(sizeof(SignalFrame) == 440);

namespace stack_flag { // ss_flags
inline constexpr std::uint32_t on = 1, disabled = 2, autodisarm = 0x80000000;
} // namespace stack_flag

// The program runs on its alternate stack. One that disarms itself is never the one in use.
[[nodiscard]] bool on_alternate(const AlternateStack& stack, std::uint64_t rsp);

namespace context_flag {
inline constexpr std::uint64_t extended_vectors = 1, stack_segment = 2, strict_stack_segment = 4;
} // namespace context_flag

// Written at byte 464 of the legacy area so that programs find what the area holds.
struct VectorMark {
    std::uint32_t magic;          // extended_magic, or 0
    std::uint32_t extended_bytes; // area and trailing magic
    std::uint64_t features;       // XCR0
    std::uint32_t bytes;          // area
    std::array<std::uint32_t, 7> padding;
};
static_assert(sizeof(VectorMark) == 48);
inline constexpr std::size_t vector_mark_offset = 464, legacy_vector_bytes = 512, vector_header_bytes = 64;
inline constexpr std::uint32_t extended_magic = 0x46505853, trailing_magic = 0x46505845;
inline constexpr std::size_t trailing_magic_bytes = 4;

inline constexpr std::uint64_t red_zone_bytes = 128;

struct FramePlace {
    std::uint64_t frame =
        0; // also the handler's stack pointer: the return address is on top, RSP + 8 is 16-aligned
    std::uint64_t vectors = 0;
};

// Where a frame goes below `stack` (the red zone already left out); nothing where it would wrap.
constexpr FramePlace place_frame(std::uint64_t stack, std::uint64_t vector_bytes) {
    const std::uint64_t needed = vector_bytes + trailing_magic_bytes + sizeof(SignalFrame) + 128;
    if (stack < needed)
        return {};
    const std::uint64_t vectors = (stack - vector_bytes - trailing_magic_bytes) & ~std::uint64_t{63};
    const std::uint64_t frame = ((vectors - sizeof(SignalFrame)) & ~std::uint64_t{15}) - 8;
    return {frame, vectors};
}

// The vector state of this CPU: how long its XSAVE area is and what is in it.
struct VectorArea {
    std::uint32_t bytes = 512;
    std::uint64_t features = 0; // XCR0
    bool extended = false;      // XSAVE, not FXSAVE
};
[[nodiscard]] VectorMark mark_of(const VectorArea& area);
// The mark that a program left says that the whole area is there.
[[nodiscard]] bool is_whole(const VectorMark& mark, const VectorArea& area);

// The most that a frame takes: AT_MINSIGSTKSZ.
constexpr std::uint64_t frame_bytes_max(std::uint64_t vector_bytes) {
    return vector_bytes + trailing_magic_bytes + 63 + sizeof(SignalFrame) + 15 + 8 + red_zone_bytes;
}

[[nodiscard]] UserRegisters to_user(const TrapFrame& frame);
// Takes the registers over; what a program may not choose (selectors, privileged flags) keeps its value.
void from_user(const UserRegisters& registers, TrapFrame& frame);
[[nodiscard]] UserInformation to_user(const Information& information);

// A handler's frame, and where it goes.
struct HandlerEntry {
    FramePlace place;
    SignalFrame frame;
};
// EFAULT where it does not fit: below address 0, or below the alternate stack that is or would be in use.
[[nodiscard]] Result<HandlerEntry> prepare_handler(const TrapFrame& frame, const AlternateStack& alternate,
                                                   const LastFault& fault, const Action& action,
                                                   const Information& information, Set mask_to_restore,
                                                   const VectorArea& vectors);
// The registers with which the handler begins.
void begin_handler(TrapFrame& frame, const HandlerEntry& entry, const Action& action);

// What an x87 or SSE exception was (si_code), by the exception flags that are set and not masked.
[[nodiscard]] int float_code(std::uint32_t raised);
[[nodiscard]] std::uint32_t x87_raised(std::uint16_t control, std::uint16_t status);
[[nodiscard]] std::uint32_t sse_raised(std::uint32_t mxcsr);

// A vector area that came from a program, made safe for XRSTOR / FXRSTOR: only enabled features, reserved
// bits zero. `area` has `bytes` bytes (512 without XSAVE).
void sanitize_vectors(std::byte* area, std::size_t bytes, std::uint64_t enabled, bool extended);

} // namespace uk::signal
