// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/exceptions.cpp - exceptions that loop, exceptions while exceptions are delivered.
#include "partitions/adversary/attack.hpp"

#include <array>

extern "C" {
// Handlers that go back to where the exception came from; with the resume flag cleared a breakpoint hits again.
void adversary_return();
void adversary_return_with_error();
void adversary_loop_here();
}
asm(R"(
        .text
adversary_return:
        andq    $~0x10000, 16(%rsp)
        iretq
adversary_return_with_error:
        addq    $8, %rsp
        iretq
adversary_loop_here:
        nop
        jmp     adversary_loop_here
)");

namespace attack {
namespace {

struct [[gnu::packed]] Table {
    std::uint16_t limit;
    std::uint64_t base;
};
std::uint64_t* gates() {
    Table table{};
    asm volatile("sidt %0" : "=m"(table));
    return reinterpret_cast<std::uint64_t*>(table.base);
}
void set_gate(unsigned vector, void (*handler)()) {
    const auto address = reinterpret_cast<std::uint64_t>(handler);
    std::uint64_t* gate = gates() + 2 * vector;
    gate[0] = (address & 0xFFFF) | std::uint64_t{0x08} << 16 | std::uint64_t{0x8E00} << 32 |
              (address >> 16 & 0xFFFF) << 48;
    gate[1] = address >> 32;
}

Verdict no_table(std::uint64_t, std::uint64_t) {
    return attempt([] {
        cpu::lidt({0, 0});
        asm volatile("int3");
    });
}
Verdict no_stack(std::uint64_t address, std::uint64_t) {
    return attempt([=] { asm volatile("movq %0, %%rsp\n\tint3" : : "r"(address) : "memory"); });
}
// Every gate not present: the fault of the fault.
Verdict no_gates(std::uint64_t, std::uint64_t) {
    return attempt([] {
        for (unsigned i = 0; i < 64; ++i)
            gates()[i] = 0;
        asm volatile("ud2");
    });
}
Verdict gates_to_nowhere(std::uint64_t, std::uint64_t) {
    return attempt([] {
        for (unsigned i = 0; i < 64; i += 2)
            gates()[i] = gates()[i] | std::uint64_t{0xFFF8} << 16; // a selector beyond the table
        asm volatile("ud2");
    });
}
Verdict tables_unmapped(std::uint64_t, std::uint64_t) {
    return attempt([] {
        auto* root = reinterpret_cast<std::uint64_t*>(cpu::read_cr<3>());
        root[0] = 0;
        cpu::write_cr<3>(cpu::read_cr<3>());
    });
}
// #DB at an instruction, whose handler returns to it, for ever.
Verdict breakpoint_loop(std::uint64_t, std::uint64_t) {
    set_gate(1, adversary_return);
    const auto here = reinterpret_cast<std::uint64_t>(&adversary_loop_here);
    asm volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(here), "r"(std::uint64_t{0x401}));
    return attempt([] { adversary_loop_here(); });
}
void read_unaligned() {
    alignas(8) static std::array<char, 16> bytes{};
    asm volatile("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmovl (%0), %%eax\n\tud2"
                 :
                 : "r"(bytes.data() + 1)
                 : "rax", "memory");
}
// QEMU's translator does not check alignment.
bool checks_alignment() {
    static const Verdict seen = [] {
        const std::uint64_t cr0 = cpu::read_cr<0>();
        cpu::write_cr<0>(cr0 | std::uint64_t{1} << 18);
        const Verdict verdict = attempt([] { in_ring3(read_unaligned); });
        cpu::write_cr<0>(cr0);
        return verdict;
    }();
    return seen == Verdict::exception;
}
// #AC in ring 3, whose handler returns to it, for ever.
Verdict alignment_loop(std::uint64_t, std::uint64_t) {
    set_gate(17, adversary_return_with_error);
    cpu::write_cr<0>(cpu::read_cr<0>() | std::uint64_t{1} << 18);
    return attempt([] { in_ring3(read_unaligned); });
}
Verdict icebp(std::uint64_t, std::uint64_t) {
    return attempt([] { asm volatile(".byte 0xf1"); });
}
Verdict single_step(std::uint64_t, std::uint64_t) {
    return attempt([] {
        asm volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop" : : : "memory");
    });
}
Verdict single_step_over_exit(std::uint64_t, std::uint64_t) {
    return attempt([] {
        asm volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tcpuid\n\tnop\n\tnop"
                     :
                     : "a"(0), "c"(0)
                     : "rbx", "rdx", "memory");
    });
}
Verdict interrupt_beyond_table(std::uint64_t, std::uint64_t) {
    Table before{};
    asm volatile("sidt %0" : "=m"(before));
    cpu::lidt({16 * 32 - 1, before.base});
    const Verdict seen = attempt([] { asm volatile("int $0x80"); });
    cpu::lidt({before.limit, before.base});
    return seen;
}
Verdict storm(std::uint64_t count, std::uint64_t) {
    Verdict seen = Verdict::granted;
    for (std::uint64_t i = 0; i < count; ++i)
        seen = attempt([] { asm volatile("ud2"); });
    return seen;
}
// A page fault that finds its own gate missing becomes #DF, which the guest handles itself.
Verdict double_fault(std::uint64_t, std::uint64_t) {
    std::uint64_t* gate = gates() + 2 * 14;
    const std::uint64_t before = gate[0];
    gate[0] = 0;
    const Verdict seen =
        attempt([] { (void)*reinterpret_cast<volatile std::uint32_t*>(std::uint64_t{1} << 39); });
    gate[0] = before;
    return seen;
}
Verdict task_switch(std::uint64_t, std::uint64_t) {
    return attempt([] { asm volatile("pushfq\n\torq $0x4000, (%%rsp)\n\tpopfq\n\tiretq" : : : "memory"); });
}

constexpr Expected stopped_loop{Verdict::stopped, Audit::loop};

constexpr std::array<Case, 15> cases{{
    {"no-interrupt-table", stopped_shutdown, no_table},
    {"no-stack", stopped_shutdown, no_stack, 0x0000800000000000},
    {"stack-wraps", stopped_shutdown, no_stack, 0x8000000000000004},
    {"no-gates", stopped_shutdown, no_gates},
    {"gates-to-nowhere", stopped_shutdown, gates_to_nowhere},
    {"own-tables-unmapped", stopped_shutdown, tables_unmapped},
    {"breakpoint-loop", stopped_loop, breakpoint_loop},
    {"alignment-loop", stopped_loop, alignment_loop, 0, 0, checks_alignment},
    {"icebp", Verdict::exception, icebp},
    {"single-step", Verdict::exception, single_step},
    {"single-step-over-an-exit", Verdict::exception, single_step_over_exit},
    {"interrupt-beyond-table", Verdict::gp, interrupt_beyond_table},
    {"undefined-storm", Verdict::ud, storm, 20000},
    {"double-fault", Verdict::exception, double_fault},
    {"nested-task-return", Verdict::gp, task_switch},
}};

} // namespace

std::span<const Case> exception_cases() {
    return cases;
}

} // namespace attack
