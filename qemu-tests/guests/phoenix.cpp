// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/phoenix.cpp - dies in several ways and looks, in its next life, for anything its last one
// left behind: memory, registers, vector state, interrupts (hypervisor rule 23). For `restart: on-failure`.
// A number on the command line says how many lives; else four.
#include "partitions/adversary/runtime/guest.hpp"

#include <array>

namespace {

constexpr std::uint64_t mark = 0x5EC2E75EC2E7BEEF;
constexpr std::uint64_t scribble_from = 0x400000; // above image, stack and tables
constexpr std::uint32_t msr_kernel_gs_base = 0xC0000102;
constexpr std::uint32_t msr_lstar = 0xC0000082;
constexpr std::uint32_t msr_fs_base = 0xC0000100;
constexpr std::uint32_t x2apic_in_service = 0x810, x2apic_request = 0x820, x2apic_timer = 0x832,
                        x2apic_self = 0x83F;
constexpr unsigned late_vector = 0x51;
volatile std::uint64_t interrupts = 0;

std::uint64_t* words(std::uint64_t address) {
    return reinterpret_cast<std::uint64_t*>(address);
}

// FXSAVE's picture: x87 control word, MXCSR, then the registers, which a fresh machine has at zero.
bool vector_state_is_fresh() {
    alignas(16) std::array<std::uint8_t, 512> area{};
    constexpr std::size_t mxcsr = 24, registers = 32, registers_end = 416;
    cpu::write_cr<4>(cpu::read_cr<4>() | 1u << 9); // OSFXSR
    asm volatile("fxsave %0" : "=m"(area));
    bool fresh = area[0] == 0x40 || area[0] == 0x7f; // FCW at reset, or after FNINIT
    fresh = fresh && area[mxcsr] == 0x80 && area[mxcsr + 1] == 0x1f;
    for (std::size_t i = registers; i < registers_end; ++i)
        fresh = fresh && area[i] == 0;
    return fresh;
}

// Nothing in service or requested, the timer masked, and nothing arrives while interrupts are open.
bool interrupts_are_fresh() {
    bool fresh = (cpu::rdmsr(x2apic_timer) & 1u << 16) != 0;
    for (std::uint32_t i = 0; i < 8; ++i)
        fresh = fresh && cpu::rdmsr(x2apic_in_service + i) == 0 && cpu::rdmsr(x2apic_request + i) == 0;
    guest::interrupt_hook = [](unsigned) { interrupts = interrupts + 1; };
    cpu::interrupts_on();
    for (unsigned i = 0; i < 10'000; ++i)
        cpu::pause();
    cpu::interrupts_off();
    return fresh && interrupts == 0;
}

unsigned leftovers() {
    unsigned found = 0;
    const auto check = [&](const char* what, bool left) {
        if (!left)
            return;
        ++found;
        base::Text<64> text;
        text << "phoenix: left behind: " << what << '\n';
        guest::print(text);
    };
    std::uint64_t dirty = 0;
    for (std::uint64_t a = scribble_from; a < guest::boot_page().memory_bytes; a += 8)
        dirty += *words(a) != 0;
    check("memory", dirty != 0);
    check("KernelGSBase", cpu::rdmsr(msr_kernel_gs_base) != 0);
    check("LSTAR", cpu::rdmsr(msr_lstar) != 0);
    check("FS.base", cpu::rdmsr(msr_fs_base) != 0);
    std::uint64_t dr0 = 0, dr7 = 0;
    asm volatile("mov %%dr0, %0" : "=r"(dr0));
    asm volatile("mov %%dr7, %0" : "=r"(dr7));
    check("DR0", dr0 != 0);
    check("DR7", (dr7 & 0xFF) != 0);
    check("CR2", cpu::read_cr<2>() != 0);
    check("vector state", !vector_state_is_fresh());
    check("interrupts", !interrupts_are_fresh());
    return found;
}

void scribble() {
    for (std::uint64_t a = scribble_from; a < guest::boot_page().memory_bytes; a += 8)
        *words(a) = mark;
    cpu::wrmsr(msr_kernel_gs_base, mark >> 20);
    cpu::wrmsr(msr_lstar, mark >> 20);
    cpu::wrmsr(msr_fs_base, mark >> 20);
    asm volatile("mov %0, %%dr0" : : "r"(mark >> 20));
    cpu::write_cr<2>(mark);
    asm volatile("movq %0, %%xmm5" : : "r"(mark));
    guest::start_timer(0x40, 50'000);
    cpu::wrmsr(x2apic_self, late_vector); // stays pending: interrupts are off
}

// The three ways that a life ends badly, in turn.
void die(std::uint64_t generation) {
    if (generation % 3 == 1)
        guest::exit(3);
    if (generation % 3 == 0) // outside its memory
        *words(0xF0000000) = 1;
    cpu::lidt({0, 0}); // triple fault
    asm volatile("int3");
}

} // namespace

void guest_main() {
    const std::uint64_t generation = guest::boot_page().generation;
    std::uint64_t lives = 0;
    for (const char c : guest::command_line())
        lives = lives * 10 + static_cast<std::uint64_t>(c - '0');
    const bool many = lives != 0;
    const unsigned left = leftovers();
    if (!many || left != 0 || generation == lives) {
        base::Text<96> text;
        text << "phoenix: life " << generation << " leftovers=" << left << '\n';
        guest::print(text);
    }
    scribble();
    if (generation < (many ? lives : 4))
        die(generation);
    guest::print("phoenix: rests\n");
    guest::exit(0);
}
