// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/panic/report.cpp - what a bug in the hypervisor is reported with: base::fail's place, or the exception's registers.
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

namespace hv {
namespace {

// What the exception entries push (arch/x86_64/boot/exceptions.S), lowest address first.
struct Frame {
    std::array<std::uint64_t, 15> registers;
    std::uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};
constexpr std::array register_names{"r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8",
                                    "rdi", "rsi", "rbp", "rbx", "rdx", "rcx", "rax"};
constexpr std::uint64_t vector_page_fault = 14;

} // namespace
} // namespace hv

void base::fail(const char* what, const char* file, unsigned line) {
    hv::begin_panic();
    hv::LogLine text;
    text << "panic: " << what << " (" << file << ':' << line << ')';
    hv::end_in_panic(text.view());
}

extern "C" [[noreturn]] void caisson_exception(const hv::Frame* frame) {
    hv::begin_panic();
    hv::LogLine text;
    text << "panic: exception " << frame->vector << " error " << base::hex(frame->error_code) << " rip "
         << base::hex(frame->rip) << " rsp " << base::hex(frame->rsp) << " rflags "
         << base::hex(frame->rflags);
    if (frame->vector == hv::vector_page_fault)
        text << " cr2 " << base::hex(cpu::read_cr<2>());
    for (std::size_t i = hv::register_names.size(); i-- > 0;)
        text << ' ' << hv::register_names[i] << ' ' << base::hex(frame->registers[i]);
    hv::end_in_panic(text.view());
}
