// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/frame_layout.cpp - see frame_layout.hpp.
#include "partitions/unikernel/signal/frame_layout.hpp"

#include <cstring>

namespace uk::signal {

namespace {
constexpr std::uint32_t mxcsr_allowed = 0xFFFF;
constexpr std::size_t mxcsr_offset = 24;
constexpr std::uint64_t x87_and_sse = 3;
} // namespace

UserRegisters to_user(const TrapFrame& f) {
    UserRegisters r{};
    r.r8 = f.r8, r.r9 = f.r9, r.r10 = f.r10, r.r11 = f.r11;
    r.r12 = f.r12, r.r13 = f.r13, r.r14 = f.r14, r.r15 = f.r15;
    r.rdi = f.rdi, r.rsi = f.rsi, r.rbp = f.rbp, r.rbx = f.rbx;
    r.rdx = f.rdx, r.rax = f.rax, r.rcx = f.rcx, r.rsp = f.rsp;
    r.rip = f.rip, r.rflags = f.rflags;
    r.cs = static_cast<std::uint16_t>(f.cs);
    r.ss = static_cast<std::uint16_t>(f.ss);
    return r;
}

void from_user(const UserRegisters& r, TrapFrame& f) {
    f.r8 = r.r8, f.r9 = r.r9, f.r10 = r.r10, f.r11 = r.r11;
    f.r12 = r.r12, f.r13 = r.r13, f.r14 = r.r14, f.r15 = r.r15;
    f.rdi = r.rdi, f.rsi = r.rsi, f.rbp = r.rbp, f.rbx = r.rbx;
    f.rdx = r.rdx, f.rax = r.rax, f.rcx = r.rcx, f.rsp = r.rsp;
    f.rip = r.rip;
    f.rflags = (r.rflags & rflags::user_settable) | rflags::interrupt | rflags::always_set;
    f.cs = user_code_selector;
    f.ss = user_data_selector;
}

UserInformation to_user(const Information& information) {
    UserInformation user{};
    user.number = information.number;
    user.error = information.error;
    user.code = information.code;
    const bool fault = (bit(information.number) & synchronous) != 0 &&
                       (information.code > 0 || information.code == code::kernel);
    if (fault) {
        user.raw[0] = information.address;
        user.raw[1] = information.value; // SIGSYS: the call's number and architecture
    } else {
        user.sender.process = information.process;
        user.sender.user = information.user;
        user.sender.value = information.value;
    }
    return user;
}

VectorMark mark_of(const VectorArea& area) {
    VectorMark mark{};
    if (area.extended) {
        mark.magic = extended_magic;
        mark.extended_bytes = static_cast<std::uint32_t>(area.bytes + trailing_magic_bytes);
        mark.features = area.features;
        mark.bytes = area.bytes;
    }
    return mark;
}

bool is_whole(const VectorMark& mark, const VectorArea& area) {
    return area.extended && mark.magic == extended_magic && mark.bytes == area.bytes;
}

bool on_alternate(const AlternateStack& stack, std::uint64_t rsp) {
    // One that disarms itself is never the one in use.
    return (stack.flags & (stack_flag::disabled | stack_flag::autodisarm)) == 0 && rsp > stack.base &&
           rsp - stack.base <= stack.bytes;
}

Result<HandlerEntry> prepare_handler(const TrapFrame& frame, const AlternateStack& alternate,
                                     const LastFault& fault, const Action& action,
                                     const Information& information, Set mask_to_restore,
                                     const VectorArea& vectors) {
    if ((action.flags & action_flag::restorer) == 0)
        return base::Failure{Errno::fault};
    const bool nested = on_alternate(alternate, frame.rsp);
    const bool enters = (action.flags & action_flag::on_stack) != 0 &&
                        (alternate.flags & stack_flag::disabled) == 0 && !nested;
    const std::uint64_t top = enters ? alternate.base + alternate.bytes : frame.rsp - red_zone_bytes;
    HandlerEntry entry{place_frame(top, vectors.bytes), {}};
    if (entry.place.frame == 0 || ((nested || enters) && entry.place.frame <= alternate.base))
        return base::Failure{Errno::fault};
    SignalFrame& out = entry.frame;
    out.return_address = action.restorer;
    out.context_flags = context_flag::stack_segment | context_flag::strict_stack_segment |
                        (vectors.extended ? context_flag::extended_vectors : 0);
    out.stack = {alternate.base, alternate.flags, 0, alternate.bytes};
    out.registers = to_user(frame);
    out.registers.vectors = entry.place.vectors;
    out.registers.old_mask = mask_to_restore;
    out.registers.vector = fault.vector;
    out.registers.error = fault.error;
    out.registers.cr2 = fault.cr2;
    out.mask = mask_to_restore;
    out.information = to_user(information);
    return entry;
}

void begin_handler(TrapFrame& frame, const HandlerEntry& entry, const Action& action) {
    frame.rdi = static_cast<std::uint64_t>(entry.frame.information.number);
    frame.rsi = entry.place.frame + offsetof(SignalFrame, information);
    frame.rdx = entry.place.frame + offsetof(SignalFrame, context_flags);
    frame.rax = 0;
    frame.rip = action.handler;
    frame.rsp = entry.place.frame;
    frame.rflags &= ~(rflags::direction | rflags::trap | rflags::resume);
    frame.cs = user_code_selector;
    frame.ss = user_data_selector;
}

int float_code(std::uint32_t raised) {
    constexpr std::uint32_t invalid = 1, denormal = 2, divide = 4, overflow = 8, underflow = 16, inexact = 32;
    if ((raised & invalid) != 0)
        return code::fpe_invalid;
    if ((raised & divide) != 0)
        return code::fpe_float;
    if ((raised & overflow) != 0)
        return code::fpe_overflow;
    if ((raised & (denormal | underflow)) != 0)
        return code::fpe_underflow;
    if ((raised & inexact) != 0)
        return code::fpe_inexact;
    return code::fpe_unknown;
}

std::uint32_t x87_raised(std::uint16_t control, std::uint16_t status) {
    return status & ~static_cast<std::uint32_t>(control) & 0x3F;
}

std::uint32_t sse_raised(std::uint32_t mxcsr) {
    return mxcsr & ~(mxcsr >> 7) & 0x3F;
}

void sanitize_vectors(std::byte* area, std::size_t bytes, std::uint64_t enabled, bool extended) {
    std::uint32_t mxcsr = 0;
    std::memcpy(&mxcsr, area + mxcsr_offset, sizeof(mxcsr));
    mxcsr &= mxcsr_allowed;
    std::memcpy(area + mxcsr_offset, &mxcsr, sizeof(mxcsr));
    if (bytes < legacy_vector_bytes + vector_header_bytes)
        return;
    std::uint64_t present = x87_and_sse;
    if (extended)
        std::memcpy(&present, area + legacy_vector_bytes, sizeof(present));
    present &= enabled;
    std::memset(area + legacy_vector_bytes, 0, vector_header_bytes);
    std::memcpy(area + legacy_vector_bytes, &present, sizeof(present));
}

} // namespace uk::signal
