// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/phoenix.cpp - dies in several ways and looks, in its next life, for anything its last one
// left behind: memory, registers, a pending timer (hypervisor rule 23). For `restart: on-failure`.
#include "partitions/adversary/runtime/guest.hpp"

namespace {

constexpr std::uint64_t mark = 0x5EC2E75EC2E7BEEF;
constexpr std::uint64_t scribble_from = 0x400000; // above image, stack and tables
constexpr std::uint32_t msr_kernel_gs_base = 0xC0000102;
constexpr std::uint32_t msr_lstar = 0xC0000082;
constexpr std::uint32_t msr_fs_base = 0xC0000100;

std::uint64_t* words(std::uint64_t address) {
    return reinterpret_cast<std::uint64_t*>(address);
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
    check("CR2", cpu::read_cr2() != 0);
    return found;
}

void scribble() {
    for (std::uint64_t a = scribble_from; a < guest::boot_page().memory_bytes; a += 8)
        *words(a) = mark;
    cpu::wrmsr(msr_kernel_gs_base, mark >> 20);
    cpu::wrmsr(msr_lstar, mark >> 20);
    cpu::wrmsr(msr_fs_base, mark >> 20);
    asm volatile("mov %0, %%dr0" : : "r"(mark >> 20));
    cpu::write_cr2(mark);
    guest::start_timer(0x40, 50'000);
}

} // namespace

void guest_main() {
    const std::uint64_t generation = guest::boot_page().generation;
    base::Text<96> text;
    text << "phoenix: life " << generation << " leftovers=" << leftovers() << '\n';
    guest::print(text);
    scribble();
    switch (generation) {
    case 1:
        guest::exit(3);
    case 2: // triple fault
        cpu::lidt({0, 0});
        asm volatile("int3");
        break;
    case 3: // outside its memory
        *words(0xF0000000) = 1;
        break;
    default:
        guest::print("phoenix: rests\n");
        guest::exit(0);
    }
}
