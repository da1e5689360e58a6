// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/boot.cpp - what lies in memory at start, and believing what the guest wrote over it.
#include "partitions/adversary/attack.hpp"

#include <array>

extern "C" {
extern const unsigned char guest_image_end[]; // guest.ld: behind .bss
}

namespace attack {
namespace {

caisson_boot_page& page() {
    return *reinterpret_cast<caisson_boot_page*>(std::uint64_t{CAISSON_GPA_BOOT_PAGE});
}

bool was_zero = false;

Verdict memory_zero(std::uint64_t, std::uint64_t) {
    return was_zero ? Verdict::harmless : Verdict::granted;
}
// No part of the bundle, of a neighbour's name or of the hypervisor's keys lies in one's memory.
Verdict nothing_foreign(std::uint64_t, std::uint64_t) {
    // "CAISSON-BUNDLE", "CAISSON-KEYS-V1", the witness's name: xor 1, so that they do not find themselves.
    constexpr std::array<std::string_view, 3> words{"B@HRRNO,CTOEMD", "B@HRRNO,JDXR,W0", "`uu`bj,vhuodrr"};
    const auto first = (reinterpret_cast<std::uint64_t>(guest_image_end) + 4095) & ~std::uint64_t{4095};
    const auto holds = [](const char* at, std::string_view word) {
        for (std::size_t i = 0; i < word.size(); ++i)
            if (at[i] != (word[i] ^ 1))
                return false;
        return true;
    };
    const auto search = [&](std::uint64_t from, std::uint64_t to) {
        for (std::uint64_t at = from; at < to; ++at)
            for (const std::string_view word : words)
                if (holds(reinterpret_cast<const char*>(at), word))
                    return true;
        return false;
    };
    // Whom its wires lead to is told by name.
    constexpr std::uint64_t links = CAISSON_GPA_BOOT_PAGE + offsetof(caisson_boot_page, links);
    return search(0x1000, links) || search(links + sizeof(caisson_boot_page::links), 0x100000) ||
                   search(first, first + 0x10000)
               ? Verdict::granted
               : Verdict::harmless;
}
Verdict page_says(std::uint64_t, std::uint64_t) {
    const caisson_boot_page& p = page();
    const auto life =
        static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_GENERATION).value);
    bool zero = true;
    for (const unsigned char byte : p.reserved)
        zero = zero && byte == 0;
    return p.magic == CAISSON_BOOT_MAGIC && p.abi_version == CAISSON_ABI_VERSION && p.generation == life &&
                   p.root_bytes == 0 && zero
               ? Verdict::harmless
               : Verdict::granted;
}
// Says it has more memory than it has; the hypervisor must not believe its own page.
Verdict claim_memory(std::uint64_t, std::uint64_t) {
    const unsigned long long real = page().memory_bytes;
    page().memory_bytes = std::uint64_t{1} << 40;
    const Verdict seen = hypercall(CAISSON_CALL_CONSOLE_WRITE, real, 16);
    page().memory_bytes = real;
    return seen;
}
Verdict claim(unsigned long long caisson_boot_page::*field, std::uint64_t selector) {
    const unsigned long long real = page().*field;
    page().*field = 1'000'000;
    const auto seen = static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, selector).value);
    page().*field = real;
    return seen == 1'000'000 ? Verdict::granted : Verdict::harmless;
}
Verdict claim_generation(std::uint64_t, std::uint64_t) {
    return claim(&caisson_boot_page::generation, CAISSON_COUNTER_GENERATION);
}
// Says it has sixty-four CPUs and interrupts them all.
Verdict claim_cpus(std::uint64_t, std::uint64_t) {
    const unsigned int real = page().vcpu_count;
    page().vcpu_count = 64;
    Verdict seen = Verdict::gp;
    for (std::uint64_t id = 2; id < 64; ++id)
        if (write_msr(0x830, id << 32 | 0x4400) != Verdict::gp)
            seen = Verdict::granted;
    page().vcpu_count = real;
    return seen;
}
Verdict claim_name(std::uint64_t, std::uint64_t) {
    constexpr std::string_view name = "attack-witness";
    for (std::size_t i = 0; i < name.size(); ++i)
        page().partition_name[i] = name[i];
    (void)guest::call(99); // refused: its record must still name us
    return Verdict::error;
}
Verdict seeds_differ(std::uint64_t, std::uint64_t) {
    bool all_zero = true;
    for (const unsigned char byte : page().entropy_seed)
        all_zero = all_zero && byte == 0;
    const guest::CallResult one = guest::call(CAISSON_CALL_ENTROPY),
                            other = guest::call(CAISSON_CALL_ENTROPY);
    return !all_zero && (one.rdi != other.rdi || one.rsi != other.rsi) ? Verdict::harmless : Verdict::granted;
}
// The start record, ACPI tables and command line are copies: destroying them is one's own loss.
Verdict destroy_tables(std::uint64_t, std::uint64_t) {
    for (std::uint64_t at = CAISSON_GPA_ACPI; at < CAISSON_GPA_BOOT_PAGE; at += 8)
        *reinterpret_cast<volatile std::uint64_t*>(at) = ~std::uint64_t{0};
    return guest::call(CAISSON_CALL_VERSION).value == CAISSON_ABI_VERSION ? Verdict::harmless
                                                                          : Verdict::error;
}
Verdict no_root(std::uint64_t, std::uint64_t) {
    return read_at(CAISSON_GPA_ROOT, 0);
}

constexpr std::array<Case, 11> cases{{
    {"memory-is-zero", Verdict::harmless, memory_zero},
    {"memory-is-zero-again", Verdict::harmless, memory_zero},
    {"nothing-foreign", Verdict::harmless, nothing_foreign},
    {"page-says-the-truth", Verdict::harmless, page_says},
    {"claim-memory", bad_argument, claim_memory},
    {"claim-generation", Verdict::harmless, claim_generation},
    {"claim-cpus", gp_ipi, claim_cpus},
    {"claim-name", Expected{Verdict::error, Audit::hypercall}, claim_name},
    {"seeds-differ", Verdict::harmless, seeds_differ},
    {"destroy-tables", Verdict::harmless, destroy_tables},
    {"root-image-of-others", stopped_npf, no_root},
}};

} // namespace

// Everything behind one's own image is zero at start, also after a life that filled it: looked at before the first case.
void look_at_memory() {
    was_zero = true;
    const auto first = (reinterpret_cast<std::uint64_t>(guest_image_end) + 4095) & ~std::uint64_t{4095};
    for (auto at = first; at + 8 <= guest::boot_page().memory_bytes; at += 8) {
        auto* word = reinterpret_cast<volatile std::uint64_t*>(at);
        was_zero = was_zero && *word == 0;
        *word = 0x6C656674; // for the next life to find
    }
}

std::span<const Case> boot_cases() {
    return cases;
}

} // namespace attack
