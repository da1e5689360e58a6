// SPDX-License-Identifier: Apache-2.0
// qemu-tests/bench/latency.cpp - how late a partition's timer interrupt comes, by its own count, while others flood the
// hypervisor with exits.
//
// `measure` prints  @@ EX latency n=N med=N  in instructions of its own between the moment when its timer is due and its
// handler, at most, and  @@ EX latency_exits med=N : how often its CPU left guest mode meanwhile. With none the hypervisor
// ran nothing there, and the count of the guest's own instructions is the whole of that CPU. `flood N` leaves guest mode
// five times in each of N rounds and ends; `rest` halts. The common clock only says when the timer is due (docs/hypervisor.md rule 26).
#include "partitions/adversary/runtime/guest.hpp"

namespace {

constexpr unsigned timer_vector = 0x40, samples = 1000;
constexpr std::uint64_t instructions_a_turn = 7;
constexpr std::uint32_t spurious = 0x80F, timer_entry = 0x832, initial_count = 0x838, divider = 0x83E;
volatile std::uint64_t fired = 0;

std::uint64_t exits() {
    return static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_EXITS).value);
}

// Turns of this loop after `due` until the interrupt's handler has run.
std::uint64_t turns_after(std::uint64_t due) {
    std::uint64_t turns = 0;
    // SAFETY: reads `fired`, changes the named registers only.
    asm volatile("1: rdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax\n\tcmpq %1, %%rax\n\tsbbq $-1, %0\n\t"
                 "cmpq $0, %2\n\tje 1b"
                 : "+r"(turns)
                 : "r"(due), "m"(fired)
                 : "rax", "rdx", "cc");
    return turns;
}

void report(std::string_view name, std::uint64_t value) {
    base::Text<96> text;
    text << "@@ EX " << name << " n=" << samples << " med=" << value << '\n';
    guest::print(text);
}

void measure() {
    guest::interrupt_hook = [](unsigned vector) { fired = fired + (vector == timer_vector ? 1 : 0); };
    cpu::wrmsr(spurious, 0x1FF);
    cpu::wrmsr(divider, 0xB); // by 1
    cpu::wrmsr(timer_entry, timer_vector);
    const caisson_boot_page& page = guest::boot_page();
    cpu::interrupts_on();
    const std::uint64_t before = exits();
    std::uint64_t most = 0;
    for (std::uint64_t i = 0; i < samples; ++i) {
        const std::uint64_t count = 5000 + i * 7919 % 10007;
        fired = 0;
        cpu::wrmsr(initial_count, count);
        const std::uint64_t due = cpu::rdtsc() + count * page.tsc_hz / page.apic_timer_hz;
        const std::uint64_t turns = turns_after(due);
        most = turns > most ? turns : most;
    }
    const std::uint64_t more = exits() - before - 1;     // the second question
    report("latency", (most + 1) * instructions_a_turn); // the turn in which it became due counts in full
    report("latency_exits", more);
}

void flood(std::string_view digits) {
    std::uint64_t rounds = 0;
    for (const char c : digits)
        rounds = rounds * 10 + static_cast<std::uint64_t>(c - '0');
    for (; rounds != 0; --rounds) {
        (void)cpu::cpuid(0);
        (void)guest::call(CAISSON_CALL_VERSION);
        (void)cpu::rdmsr(0x1B);
        (void)cpu::Ports::in8(0x80); // refused and counted
        cpu::wbinvd();               // too
    }
}

} // namespace

void guest_main() {
    constexpr std::string_view flooding = "flood ";
    const std::string_view words = guest::command_line();
    if (words == "measure")
        return measure();
    if (words.starts_with(flooding))
        return flood(words.substr(flooding.size()));
    for (;;)
        cpu::halt();
}
