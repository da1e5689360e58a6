// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/local_timer.cpp - see local_timer.hpp.
#include "partitions/unikernel/machine/local_timer.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "partitions/unikernel/machine/cpu.hpp"

namespace uk::machine {

namespace {
constexpr std::uint32_t end_of_interrupt = 0x80B, spurious = 0x80F, timer_entry = 0x832,
                        initial_count = 0x838, divide = 0x83E, interrupt_command = 0x830;
constexpr std::uint64_t software_enable = 0x100, divide_by_one = 0xB;
constexpr std::uint64_t init = 0x4500, start_up = 0x4600; // at page 0

void command(std::uint32_t cpu, std::uint64_t what) {
    cpu::wrmsr(interrupt_command, std::uint64_t{cpu} << 32 | what);
}
} // namespace

void start_local_timer() {
    cpu::wrmsr(spurious, software_enable | spurious_vector);
    cpu::wrmsr(divide, divide_by_one);
    cpu::wrmsr(timer_entry, timer_vector);
}

void set_timer_count(std::uint32_t count) {
    cpu::wrmsr(initial_count, count);
}

void end_interrupt() {
    cpu::wrmsr(end_of_interrupt, 0);
}

void send_interrupt(std::uint32_t cpu, unsigned vector) {
    cpu::fence(); // the APIC's registers are written without waiting for memory
    command(cpu, vector);
}

void send_start(std::uint32_t cpu) {
    cpu::fence();
    command(cpu, init);
    command(cpu, start_up);
}

} // namespace uk::machine
