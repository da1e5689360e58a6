// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/memory.cpp - memory outside its own: every kind of second-stage fault.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t foreign = 0xFD000000; // in no guest-physical layout
constexpr std::uint64_t large_page = 0x200000, present_write = 3, large = 0x80;

std::uint64_t ram_end() {
    return guest::boot_page().memory_bytes;
}

alignas(4096) std::array<std::uint64_t, 512> spare_directory, spare_table;

std::uint64_t* table_at(std::uint64_t entry) {
    return reinterpret_cast<std::uint64_t*>(entry & ~std::uint64_t{0xFFF});
}

// Maps 2 MiB at 5 GiB of virtual memory to `gpa`.
std::uint64_t map_high(std::uint64_t gpa) {
    constexpr std::uint64_t at = std::uint64_t{5} << 30;
    spare_directory[0] = (gpa & ~(large_page - 1)) | large | present_write;
    table_at(table_at(cpu::read_cr<3>())[0])[5] =
        reinterpret_cast<std::uint64_t>(spare_directory.data()) | present_write;
    cpu::write_cr<3>(cpu::read_cr<3>());
    return at + (gpa & (large_page - 1));
}

Verdict read_behind(std::uint64_t distance, std::uint64_t) {
    return read_at(ram_end() + distance, 0);
}
Verdict write_behind(std::uint64_t distance, std::uint64_t) {
    return write_at(ram_end() + distance, 0);
}
Verdict run_at(std::uint64_t address, std::uint64_t) {
    return attempt([=] { reinterpret_cast<void (*)()>(address)(); });
}
Verdict run_behind(std::uint64_t, std::uint64_t) {
    return run_at(ram_end(), 0);
}
Verdict read_high(std::uint64_t gpa, std::uint64_t) {
    return read_at(map_high(gpa), 0);
}
Verdict write_high(std::uint64_t gpa, std::uint64_t) {
    return write_at(map_high(gpa), 0);
}
// The last byte of its own is the first of eight.
Verdict read_across(std::uint64_t, std::uint64_t) {
    return attempt([] { (void)*reinterpret_cast<volatile std::uint64_t*>(ram_end() - 1); });
}
Verdict write_across(std::uint64_t, std::uint64_t) {
    return attempt([] { *reinterpret_cast<volatile std::uint64_t*>(ram_end() - 4) = ~std::uint64_t{0}; });
}
Verdict exchange(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { __atomic_exchange_n(reinterpret_cast<std::uint32_t*>(gpa), 1u, __ATOMIC_SEQ_CST); });
}
Verdict store_non_temporal(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { asm volatile("movntil %0, (%1)" : : "r"(1u), "r"(gpa) : "memory"); });
}
Verdict fill_beyond(std::uint64_t, std::uint64_t) {
    return attempt([] {
        auto to = ram_end() - 64;
        std::uint64_t count = 4096;
        asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0x5A) : "memory");
    });
}
Verdict copy_from_beyond(std::uint64_t, std::uint64_t) {
    return attempt([] {
        auto from = ram_end() - 64;
        auto to = reinterpret_cast<std::uint64_t>(spare_table.data());
        std::uint64_t count = 4096;
        asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    });
}
// Walks of the guest's own tables that lead through pages which are not its own.
Verdict walk_root(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { cpu::write_cr<3>(gpa); });
}
Verdict walk_pointer(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] {
        table_at(cpu::read_cr<3>())[1] = gpa | present_write;
        (void)*reinterpret_cast<volatile std::uint32_t*>(std::uint64_t{1} << 39);
    });
}
Verdict walk_directory(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] {
        table_at(table_at(cpu::read_cr<3>())[0])[6] = gpa | present_write;
        (void)*reinterpret_cast<volatile std::uint32_t*>(std::uint64_t{6} << 30);
    });
}
Verdict walk_table(std::uint64_t gpa, std::uint64_t) {
    const std::uint64_t at = map_high(0);
    spare_directory[1] = gpa | present_write;
    return read_at(at + large_page, 0);
}
// Accessed and dirty bits would be written into a page that is not its own.
Verdict walk_dirty(std::uint64_t, std::uint64_t) {
    const std::uint64_t at = map_high(0);
    spare_directory[1] = ram_end() | present_write;
    return write_at(at + large_page, 0);
}
// The processor's own reads: descriptors, stacks, task state.
Verdict descriptors(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] {
        cpu::lgdt({0xFFFF, gpa});
        asm volatile("movw %0, %%es" : : "r"(std::uint16_t{0x28}) : "memory");
    });
}
Verdict interrupt_table(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] {
        cpu::lidt({0xFFF, gpa});
        asm volatile("int3");
    });
}
Verdict stack(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { asm volatile("movq %0, %%rsp\n\tpushq $1" : : "r"(gpa) : "memory"); });
}
Verdict exception_stack(std::uint64_t gpa, std::uint64_t) {
    return attempt([=] { asm volatile("movq %0, %%rsp\n\tint3" : : "r"(gpa) : "memory"); });
}
// LTR marks the descriptor, not the segment: the fault comes when ring 3 is left.
Verdict task_state(std::uint64_t, std::uint64_t) {
    return attempt([] { in_ring3([] { asm volatile("int3"); }, foreign); });
}
// Its own tables refuse these before the second stage is asked.
Verdict not_canonical(std::uint64_t address, std::uint64_t) {
    return attempt([=] { (void)*reinterpret_cast<volatile std::uint32_t*>(address); });
}
Verdict reserved_bits(std::uint64_t, std::uint64_t) {
    const std::uint64_t at = map_high(0);
    spare_directory[0] |= std::uint64_t{1} << 51;
    cpu::write_cr<3>(cpu::read_cr<3>());
    return read_at(at, 0);
}

constexpr std::array<Case, 35> cases{{
    {"read-behind", stopped_npf, read_behind},
    {"write-behind", stopped_npf, write_behind},
    {"execute-behind", stopped_npf, run_behind},
    {"read-a-page-behind", stopped_npf, read_behind, 0x1000},
    {"write-64k-behind", stopped_npf, write_behind, 0x10000},
    {"read-across-the-end", stopped_npf, read_across},
    {"write-across-the-end", stopped_npf, write_across},
    {"fill-beyond-the-end", stopped_npf, fill_beyond},
    {"copy-from-beyond-the-end", stopped_npf, copy_from_beyond},
    {"read-hole", stopped_npf, read_at, foreign},
    {"write-hole", stopped_npf, write_at, foreign},
    {"execute-hole", stopped_npf, run_at, foreign},
    {"exchange-hole", stopped_npf, exchange, foreign},
    {"store-non-temporal", stopped_npf, store_non_temporal, foreign},
    {"read-local-apic", stopped_npf, read_at, 0xFEE00020},
    {"write-local-apic-icr", stopped_npf, write_at, 0xFEE00300},
    {"write-io-apic", stopped_npf, write_at, 0xFEC00000},
    {"read-hpet", stopped_npf, read_at, 0xFED00000},
    {"read-ecam", stopped_npf, read_at, 0xB0000000},
    {"read-flash", stopped_npf, read_at, 0xFFFFFFF0},
    {"read-4-gib", stopped_npf, read_high, std::uint64_t{1} << 32},
    {"write-top-of-physical", stopped_npf, write_high, (std::uint64_t{1} << 39) - 8},
    {"page-walk-root", stopped_npf, walk_root, foreign},
    {"page-walk-pointers", stopped_npf, walk_pointer, foreign},
    {"page-walk-directory", stopped_npf, walk_directory, foreign},
    {"page-walk-table", stopped_npf, walk_table, foreign},
    {"page-walk-dirty", stopped_npf, walk_dirty},
    {"descriptor-table", stopped_npf, descriptors, foreign},
    {"interrupt-table", stopped_npf, interrupt_table, foreign},
    {"push", stopped_npf, stack, foreign},
    {"exception-stack", stopped_npf, exception_stack, foreign},
    {"task-state", stopped_npf, task_state},
    {"not-canonical", Verdict::gp, not_canonical, 0x0000800000000000},
    {"wrap-around", Verdict::gp, not_canonical, 0x7FFFFFFFFFFFFFFF},
    {"reserved-bits", Verdict::pf, reserved_bits},
}};

} // namespace

std::span<const Case> memory_cases() {
    return cases;
}

} // namespace attack
