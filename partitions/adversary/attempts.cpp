// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/attempts.cpp - what several classes of attacks try.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {

bool on_intel() {
    return (guest::boot_page().flags & CAISSON_BOOT_VMCALL) != 0;
}

Verdict verdict_of(unsigned vector) {
    switch (vector) {
    case guest::no_exception:
        return Verdict::granted;
    case 6:
        return Verdict::ud;
    case 13:
        return Verdict::gp;
    case 14:
        return Verdict::pf;
    default:
        return Verdict::exception;
    }
}

Verdict write_msr(std::uint64_t msr, std::uint64_t value) {
    return attempt([=] { cpu::wrmsr(static_cast<std::uint32_t>(msr), value); });
}

Verdict read_msr(std::uint64_t msr, std::uint64_t) {
    return attempt([=] { (void)cpu::rdmsr(static_cast<std::uint32_t>(msr)); });
}

Verdict write_msrs(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t msr = first; msr <= last; ++msr)
        for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
            if (const Verdict seen = write_msr(msr, value); seen != Verdict::gp)
                return seen;
    return Verdict::gp;
}

Verdict read_msrs(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t msr = first; msr <= last; ++msr)
        if (const Verdict seen = read_msr(msr, 0); seen != Verdict::gp)
            return seen;
    return Verdict::gp;
}

Verdict hypercall(std::uint64_t number, std::uint64_t rdi, std::uint64_t rsi) {
    return guest::call(number, rdi, rsi).value < 0 ? Verdict::error : Verdict::granted;
}

// Guest-physical below 4 GiB: the runtime maps it one to one.
Verdict read_at(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { (void)*reinterpret_cast<volatile std::uint32_t*>(gpa); });
}

Verdict write_at(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { *reinterpret_cast<volatile std::uint32_t*>(gpa) = 0xBADC0DE; });
}

namespace {

struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0;
    std::uint64_t rsp0;
    std::array<std::uint32_t, 23> rest;
};
alignas(16) std::array<std::uint64_t, 8> ring3_gdt{
    0, 0x00209b0000000000, 0x00cf93000000ffff, 0x00cf9b000000ffff, 0x0020fb0000000000, 0x00cff3000000ffff, 0,
    0};
alignas(16) TaskState task_state;
alignas(16) std::array<std::uint8_t, 8192> ring0_stack;
alignas(16) std::array<std::uint8_t, 8192> ring3_stack;

// Every present entry of the runtime's first four GiB gets U/S.
void allow_user_pages() {
    auto* pml4 = reinterpret_cast<std::uint64_t*>(cpu::read_cr<3>() & ~std::uint64_t{0xFFF});
    pml4[0] |= 4;
    auto* pdpt = reinterpret_cast<std::uint64_t*>(pml4[0] & ~std::uint64_t{0xFFF});
    for (std::size_t i = 0; i < 4; ++i) {
        pdpt[i] |= 4;
        auto* directory = reinterpret_cast<std::uint64_t*>(pdpt[i] & ~std::uint64_t{0xFFF});
        for (std::size_t j = 0; j < 512; ++j)
            directory[j] |= 4;
    }
    cpu::write_cr<3>(cpu::read_cr<3>());
}

void prepare_ring3(std::uint64_t base) {
    static bool done = false;
    if (!done)
        allow_user_pages();
    done = true;
    task_state.rsp0 = reinterpret_cast<std::uint64_t>(ring0_stack.data() + ring0_stack.size());
    ring3_gdt[6] = (sizeof task_state - 1) | (base & 0xFFFFFF) << 16 | std::uint64_t{0x89} << 40 |
                   (base >> 24 & 0xFF) << 56;
    ring3_gdt[7] = base >> 32;
    cpu::lgdt({static_cast<std::uint16_t>(sizeof ring3_gdt - 1),
               reinterpret_cast<std::uint64_t>(ring3_gdt.data())});
    cpu::ltr(0x30);
}

} // namespace

void in_ring3(void (*body)(), std::uint64_t own_task_state) {
    prepare_ring3(own_task_state != 0 ? own_task_state : reinterpret_cast<std::uint64_t>(&task_state));
    // SAFETY: never comes back here; the exception that ends `body` resumes in exception_of().
    asm volatile("pushq $0x2B\n\tpushq %0\n\tpushq $2\n\tpushq $0x23\n\tpushq %1\n\tiretq"
                 :
                 : "r"(reinterpret_cast<std::uint64_t>(ring3_stack.data() + ring3_stack.size() - 8)),
                   "r"(reinterpret_cast<std::uint64_t>(body))
                 : "memory");
}

} // namespace attack
