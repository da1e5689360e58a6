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
        user.address = information.address;
    } else {
        user.sender.process = information.process;
        user.sender.user = information.user;
        user.sender.value = information.value;
    }
    return user;
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
