// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/hypercalls.cpp - every number, hostile pointers, lengths that wrap, buffers that change.
#include "partitions/adversary/attack.hpp"

#include <array>
#include <atomic>

namespace attack {
namespace {

constexpr std::uint64_t write_call = CAISSON_CALL_CONSOLE_WRITE, audit_call = CAISSON_CALL_AUDIT;
constexpr std::uint64_t all_ones = ~std::uint64_t{0};

std::uint64_t ram_end() {
    return guest::boot_page().memory_bytes;
}

Verdict numbers(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t number = first; number <= last; ++number)
        if (hypercall(number, 0, 0) == Verdict::granted)
            return Verdict::granted;
    return Verdict::error;
}
Verdict number(std::uint64_t which, std::uint64_t) {
    return hypercall(which, 0x100000, 16);
}
Verdict write_range(std::uint64_t gpa, std::uint64_t bytes) {
    return hypercall(write_call, gpa, bytes);
}
Verdict audit_range(std::uint64_t gpa, std::uint64_t bytes) {
    return hypercall(audit_call, gpa, bytes);
}
// `before` the end of memory, `bytes` long.
Verdict write_at_end(std::uint64_t before, std::uint64_t bytes) {
    return hypercall(write_call, ram_end() - before, bytes);
}
Verdict audit_at_end(std::uint64_t before, std::uint64_t bytes) {
    return hypercall(audit_call, ram_end() - before, bytes);
}
Verdict write_to_the_last_byte(std::uint64_t bytes, std::uint64_t) {
    auto* text = reinterpret_cast<volatile char*>(ram_end() - bytes);
    for (std::uint64_t i = 0; i < bytes; ++i)
        text[i] = i + 1 == bytes ? '\n' : '.';
    const std::int64_t taken = guest::call(write_call, ram_end() - bytes, bytes).value;
    return taken > 0 && static_cast<std::uint64_t>(taken) <= bytes ? Verdict::harmless : Verdict::error;
}
Verdict put(std::uint64_t count, std::uint64_t) {
    return hypercall(CAISSON_CALL_CONSOLE_PUT, 0, count);
}
Verdict selector(std::uint64_t call, std::uint64_t value) {
    return hypercall(call, value, 0);
}
Verdict exit_with(std::uint64_t status, std::uint64_t kind) {
    return hypercall(CAISSON_CALL_EXIT, status, kind);
}
// The other CPU rewrites the buffer for as long as the calls last.
alignas(4096) std::array<char, 4096> shared;
std::atomic<bool> stop_changing{false};
Verdict changed_meanwhile(std::uint64_t call, std::uint64_t bytes) {
    stop_changing.store(false);
    guest::start_cpu(1, [] {
        for (unsigned i = 0; !stop_changing.load(std::memory_order_relaxed); ++i)
            for (char& byte : shared)
                byte = "x\x1e"[i & 1];
        for (;;)
            cpu::halt();
    });
    bool good = true;
    for (unsigned i = 0; i < 200; ++i) {
        const std::int64_t result =
            guest::call(call, reinterpret_cast<std::uint64_t>(shared.data()), bytes).value;
        good = good && (result >= 0 || result == -CAISSON_ERROR_RATE) &&
               result <= static_cast<std::int64_t>(bytes);
    }
    stop_changing.store(true);
    return good ? Verdict::contained : Verdict::granted;
}
Verdict from_ring3(std::uint64_t call, std::uint64_t) {
    static std::uint64_t wanted = 0;
    wanted = call;
    return attempt([] {
        in_ring3([] {
            guest::call(wanted, 0, 0);
            for (;;)
                cpu::pause();
        });
    });
}
// The instruction of the other vendor is no way around.
Verdict other_instruction(std::uint64_t, std::uint64_t) {
    return attempt([] {
        std::uint64_t result = CAISSON_CALL_VERSION;
        if (on_intel())
            asm volatile("vmmcall" : "+a"(result) : : "memory");
        else
            asm volatile("vmcall" : "+a"(result) : : "memory");
    });
}
Verdict registers_kept(std::uint64_t call, std::uint64_t) {
    std::uint64_t rbx = 0x1111, r8 = 0x8888;
    const guest::CallResult got = guest::call(call, 0xAAAA, 0xBBBB, 0xCCCC, 0xDDDD);
    asm volatile("" : "+r"(rbx), "+r"(r8));
    return got.value < 0 && got.rdi == 0xAAAA && got.rsi == 0xBBBB && got.rdx == 0xCCCC &&
                   got.r10 == 0xDDDD && rbx == 0x1111 && r8 == 0x8888
               ? Verdict::error
               : Verdict::granted;
}

constexpr Expected unknown{Verdict::error, Audit::hypercall};
constexpr Expected ud_privilege{Verdict::ud, Audit::hypercall_privilege};

constexpr std::array<Case, 34> cases{{
    {"numbers-12-to-15", unknown, numbers, 12, 15},
    {"numbers-of-managers", unknown, numbers, 16, 31},
    {"numbers-to-4096", unknown, numbers, 32, 4096},
    {"number-32-bit", unknown, number, 0xFFFFFFFF},
    {"number-33-bit", unknown, number, 0x100000001},
    {"number-negative", unknown, number, all_ones},
    {"number-high-bit", unknown, number, std::uint64_t{1} << 63 | 1},
    {"registers-kept", unknown, registers_kept, 200},
    {"write-foreign", bad_argument, write_range, 0xF0000000, 16},
    {"write-hypervisor", bad_argument, write_range, std::uint64_t{1} << 40, 16},
    {"write-root-image-place", bad_argument, write_range, CAISSON_GPA_ROOT, 16},
    {"write-wraps", bad_argument, write_range, all_ones - 15, 32},
    {"write-length-wraps", bad_argument, write_range, 0x100000, all_ones},
    {"write-length-negative", bad_argument, write_range, 0x100000, std::uint64_t{1} << 63},
    {"write-too-long", bad_argument, write_range, 0x100000, 4097},
    {"write-nothing", bad_argument, write_range, 0x100000, 0},
    {"write-across-the-end", bad_argument, write_at_end, 8, 16},
    {"write-one-byte-too-far", bad_argument, write_at_end, 64, 65},
    {"write-behind-the-end", bad_argument, write_at_end, 0, 1},
    {"write-to-the-last-byte", Verdict::harmless, write_to_the_last_byte, 64},
    {"audit-foreign", bad_argument, audit_range, 0xF0000000, 8},
    {"audit-too-long", bad_argument, audit_range, 0x100000, 257},
    {"audit-one-byte-too-far", bad_argument, audit_at_end, 16, 17},
    {"audit-length-wraps", bad_argument, audit_range, 0x100000, all_ones - 0xFFFFF},
    {"put-nothing", bad_argument, put, 0},
    {"put-nine", bad_argument, put, 9},
    {"clock-selector", bad_argument, selector, CAISSON_CALL_CLOCK, 4},
    {"clock-selector-wide", bad_argument, selector, CAISSON_CALL_CLOCK, std::uint64_t{1} << 32},
    {"counter-selector", bad_argument, selector, CAISSON_CALL_COUNTER, 3},
    {"exit-status-256", bad_argument, exit_with, 256, 0},
    {"exit-kind-3", bad_argument, exit_with, 0, 3},
    {"buffer-changed-by-other-cpu", Verdict::contained, changed_meanwhile, write_call, 4096},
    {"exit-from-ring-3", ud_privilege, from_ring3, CAISSON_CALL_EXIT},
    {"other-vendors-instruction", Verdict::ud, other_instruction},
}};

} // namespace

std::span<const Case> hypercall_cases() {
    return cases;
}

} // namespace attack
