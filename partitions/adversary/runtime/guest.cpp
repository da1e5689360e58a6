// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/runtime/guest.cpp - the runtime of the test guests (see guest.hpp).
#include "partitions/adversary/runtime/guest.hpp"

#include "hypervisor/base/fail.hpp"

#include <array>

extern "C" {
extern const unsigned char vector_stubs[];
extern const unsigned char trampoline[];
extern const unsigned char trampoline_end[];
void guest_start(std::uint64_t start_info);
void guest_other_cpu();
void guest_vector(guest::Frame* frame);

// start.S: calls action(argument) with the callee-saved registers on the stack and the stack pointer in
// guest_resume_rsp; guest_resume is where an exception continues.
void guest_call_resumable(void (*action)(void*), void* argument);
extern const unsigned char guest_resume[];
extern volatile std::uint64_t guest_resume_rsp;
}

namespace guest {

void (*interrupt_hook)(unsigned vector) = nullptr;
bool (*step_hook)(Frame& frame) = nullptr;

namespace {

struct alignas(16) Gate {
    std::uint64_t low, high;
};
std::array<Gate, 256> idt;
std::uint64_t start_info_address = 0;
void (*volatile other_entry)() = nullptr;

// The exception that ended the last expected attempt.
volatile unsigned seen_vector = no_exception;

constexpr std::uint32_t msr_x2apic_eoi = 0x80B;
constexpr std::uint32_t msr_x2apic_svr = 0x80F;
constexpr std::uint32_t msr_x2apic_icr = 0x830;
constexpr std::uint32_t msr_x2apic_lvt_timer = 0x832;
constexpr std::uint32_t msr_x2apic_initial_count = 0x838;
constexpr std::uint32_t msr_x2apic_divide = 0x83E;

void load_idt() {
    cpu::lidt({static_cast<std::uint16_t>(sizeof idt - 1), reinterpret_cast<std::uint64_t>(idt.data())});
}

void build_idt() {
    for (std::size_t i = 0; i < idt.size(); ++i) {
        const std::uint64_t handler = reinterpret_cast<std::uint64_t>(vector_stubs) + 16 * i;
        idt[i].low = (handler & 0xFFFF) | std::uint64_t{0x08} << 16 | std::uint64_t{0x8E00} << 32 |
                     (handler >> 16 & 0xFFFF) << 48;
        idt[i].high = handler >> 32;
    }
    load_idt();
}

} // namespace

void print(std::string_view text) {
    while (!text.empty()) {
        const std::size_t part = text.size() < 4096 ? text.size() : 4096;
        const auto taken =
            call(CAISSON_CALL_CONSOLE_WRITE, reinterpret_cast<std::uint64_t>(text.data()), part).value;
        if (taken < 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(taken));
    }
}

void exit(unsigned status) {
    call(CAISSON_CALL_EXIT, status, CAISSON_EXIT_NORMAL);
    for (;;)
        cpu::halt();
}

unsigned exception_of(void (*action)(void*), void* argument) {
    seen_vector = no_exception;
    guest_call_resumable(action, argument);
    guest_resume_rsp = 0;
    return seen_vector;
}

void start_timer(unsigned vector, std::uint32_t count) {
    cpu::wrmsr(msr_x2apic_svr, 0x1FF);
    cpu::wrmsr(msr_x2apic_divide, 0xB);                                // by 1
    cpu::wrmsr(msr_x2apic_lvt_timer, std::uint64_t{1} << 17 | vector); // periodic
    cpu::wrmsr(msr_x2apic_initial_count, count);
}

void start_cpu(std::uint32_t apic_id, void (*entry)()) {
    constexpr std::uint64_t trampoline_address = 0x8000;
    other_entry = entry;
    auto* to = reinterpret_cast<unsigned char*>(trampoline_address);
    for (const unsigned char* from = trampoline; from != trampoline_end; ++from)
        *to++ = *from;
    const std::uint64_t destination = std::uint64_t{apic_id} << 32;
    cpu::wrmsr(msr_x2apic_icr, destination | 0x4500);                            // INIT
    cpu::wrmsr(msr_x2apic_icr, destination | 0x4600 | trampoline_address >> 12); // SIPI
}

std::string_view command_line() {
    // hvm_start_info: cmdline_paddr is the u64 at offset 24.
    const auto* text = *reinterpret_cast<const char* const*>(start_info_address + 24);
    return text == nullptr ? std::string_view{} : std::string_view{text};
}

} // namespace guest

void guest_start(std::uint64_t start_info) {
    guest::start_info_address = start_info;
    guest::build_idt();
    guest_main();
    guest::exit(0);
}

void guest_other_cpu() {
    guest::load_idt();
    cpu::wrmsr(guest::msr_x2apic_svr, 0x1FF);
    guest::other_entry();
}

void guest_vector(guest::Frame* frame) {
    if (frame->vector >= 32) {
        if (guest::interrupt_hook != nullptr)
            guest::interrupt_hook(static_cast<unsigned>(frame->vector));
        cpu::wrmsr(guest::msr_x2apic_eoi, 0);
        return;
    }
    if (guest_resume_rsp == 0) {
        base::Text<128> text;
        text << "guest: unexpected exception " << frame->vector << " error " << base::hex(frame->error)
             << " rip " << base::hex(frame->rip) << " cr2 " << base::hex(cpu::read_cr<2>()) << '\n';
        guest::print(text);
        guest::exit(99);
    }
    if (guest::step_hook != nullptr && guest::step_hook(*frame))
        return;
    guest::seen_vector = static_cast<unsigned>(frame->vector);
    frame->rip = reinterpret_cast<std::uint64_t>(guest_resume);
    frame->rsp = guest_resume_rsp;
    frame->rflags &= ~std::uint64_t{0x100}; // no single-stepping beyond the attempt
    frame->cs = 0x08;                       // an exception from ring 3 comes back to ring 0
    frame->ss = 0x10;
}

namespace base {
void fail(const char* what, const char* file, unsigned line) {
    Text<192> text;
    text << "guest: " << what << " (" << file << ':' << line << ")\n";
    guest::print(text);
    guest::exit(98);
}
} // namespace base
