// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/runtime/guest.hpp - what a test guest is written with: console and exit by
// hypercall, faults that can be expected, a timer, a second CPU. A guest defines guest_main().
// Spec: partitions/abi (hypercalls, boot page); AMD APM vol. 2 "Exceptions and Interrupts",
// "x2APIC".
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/hypercall.h"

#include <cstdint>
#include <string_view>

namespace guest {

struct CallResult {
    std::int64_t value;
    std::uint64_t rdi, rsi, rdx, r10;
};

inline const caisson_boot_page& boot_page() {
    return *reinterpret_cast<const caisson_boot_page*>(std::uint64_t{CAISSON_GPA_BOOT_PAGE});
}

// One hypercall, by the instruction that the boot page names.
inline CallResult call(std::uint64_t number, std::uint64_t rdi = 0, std::uint64_t rsi = 0,
                       std::uint64_t rdx = 0, std::uint64_t r10 = 0) {
    CallResult r{static_cast<std::int64_t>(number), rdi, rsi, rdx, r10};
    register std::uint64_t in_r10 asm("r10") = r10;
    // SAFETY: the ABI keeps every register but RAX and the named result registers.
    if ((boot_page().flags & CAISSON_BOOT_VMMCALL) != 0)
        asm volatile("vmmcall"
                     : "+a"(r.value), "+D"(r.rdi), "+S"(r.rsi), "+d"(r.rdx), "+r"(in_r10)
                     :
                     : "memory");
    else
        asm volatile("vmcall"
                     : "+a"(r.value), "+D"(r.rdi), "+S"(r.rsi), "+d"(r.rdx), "+r"(in_r10)
                     :
                     : "memory");
    r.r10 = in_r10;
    return r;
}

void print(std::string_view text); // retries until all bytes are taken
template <std::size_t N> void print(const base::Text<N>& text) {
    print(text.view());
}
[[noreturn]] void exit(unsigned status);

struct Frame {
    std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    std::uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

// Runs `action`; the vector of the exception it raised, or no_exception. The faulting instruction is
// abandoned.
inline constexpr unsigned no_exception = 256;
unsigned exception_of(void (*action)(void*), void* argument);
template <typename Action> unsigned exception_of(Action action) {
    return exception_of([](void* self) { (*static_cast<Action*>(self))(); }, &action);
}

// Asked before an exception ends an expected attempt: true lets the attempt go on where `frame` then says.
extern bool (*step_hook)(Frame& frame);

// Called for vectors 32 and above (interrupts), after which the runtime sends EOI.
extern void (*interrupt_hook)(unsigned vector);

// x2APIC on, timer periodic with `vector` every `count` input clocks. Interrupts still have to be enabled.
void start_timer(unsigned vector, std::uint32_t count);

// Starts the CPU with this APIC ID at `entry` (one other CPU at most).
void start_cpu(std::uint32_t apic_id, void (*entry)());

std::string_view command_line();

} // namespace guest

extern "C" void guest_main();
