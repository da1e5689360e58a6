// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/attack.hpp - attacks as data: each case says what it tries, what the hypervisor must answer and
// what the audit log must then hold.
//
// The runner prints the table, each attempt and what the guest saw; `caisson attack` compares that with the records of
// the hypervisor. A case that is stopped never returns: the next life goes on behind it.
#pragma once

#include "partitions/adversary/runtime/guest.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace attack {

// What the guest saw.
enum class Verdict : std::uint8_t {
    granted,   // what must not be
    harmless,  // done, with effect on nobody else
    ignored,   // nothing happened; reads gave all ones
    error,     // a hypercall's error result
    gp,        // #GP
    ud,        // #UD
    pf,        // #PF of the guest's own tables
    exception, // another one
    contained, // done as asked; what it may not do to others is seen outside
    stopped,   // the partition ended
};

// The audit record's `detail`: a refusal's, or with Verdict::stopped the reason.
enum class Audit : std::uint8_t {
    none,
    msr_read,
    msr,
    port,
    port_legacy,
    port_string,
    hypercall_privilege,
    hypercall,
    hypercall_argument,
    hypercall_rate,
    ipi,
    instruction,
    rdpmc,
    cache,
    xcr0,
    npf,
    shutdown,
    invalid,
    loop,
    unexpected,
    dma, // a remapping unit's, of a device of the partition's
    count_,
};

std::string_view name_of(Verdict verdict);
std::string_view name_of(Audit audit);

struct Answer {
    Verdict verdict;
    Audit audit = Audit::none;
};
// The answers of the two vendors; mostly they are the same.
struct Expected {
    Answer svm, vmx;
    constexpr Expected(Verdict verdict, Audit audit = Audit::none) : svm{verdict, audit}, vmx{svm} {}
    constexpr Expected(Answer on_svm, Answer on_vmx) : svm(on_svm), vmx(on_vmx) {}
};

struct Case {
    std::string_view name;
    Expected expected;
    Verdict (*run)(std::uint64_t first, std::uint64_t second);
    std::uint64_t first = 0, second = 0;
    bool (*offered)() = nullptr; // where the processor (or its emulator) cannot show it, the case is left out
};

inline constexpr Expected gp_msr{Verdict::gp, Audit::msr};
inline constexpr Expected gp_msr_read{Verdict::gp, Audit::msr_read};
inline constexpr Expected gp_ipi{Verdict::gp, Audit::ipi};
inline constexpr Expected ud_instruction{Verdict::ud, Audit::instruction};
inline constexpr Expected stopped_npf{Verdict::stopped, Audit::npf};
inline constexpr Expected stopped_shutdown{Verdict::stopped, Audit::shutdown};
inline constexpr Expected bad_argument{Verdict::error, Audit::hypercall_argument};

// Each class in a file of its own.
std::span<const Case> memory_cases();
std::span<const Case> cacheability_cases();
std::span<const Case> port_cases();
std::span<const Case> msr_cases();
std::span<const Case> control_cases();
std::span<const Case> apic_cases();
std::span<const Case> hypercall_cases();
std::span<const Case> instruction_cases();
std::span<const Case> exception_cases();
std::span<const Case> debug_cases();
std::span<const Case> time_cases();
std::span<const Case> console_cases();
std::span<const Case> flood_cases();
std::span<const Case> line_cases();
std::span<const Case> boot_cases();
std::span<const Case> lane_cases();
std::span<const Case> dma_cases();
std::span<const Case> card_cases(); // of class dma too

void look_at_memory();  // at the start of a life: is it as it must be? (class boot)
void look_at_lanes();   // likewise (class lanes)
void look_at_landing(); // likewise: what a device was told to write before the last life ended (class dma)
void leave_transfers(); // at the end of a life: tells it

// Audit::dma alone: what the unit's record must say, the requester that was refused and where it would have gone. Before the attempt.
void aim(std::uint16_t requester, std::uint64_t address);
void aim_message(std::uint16_t requester, std::uint64_t address, std::uint32_t data);

// What several classes try.
bool on_intel();                     // hypercalls by VMCALL
Verdict verdict_of(unsigned vector); // of exception_of()'s result; no exception is `granted`
template <typename Action> Verdict attempt(Action action) {
    return verdict_of(guest::exception_of(action));
}
Verdict write_msr(std::uint64_t msr, std::uint64_t value);
Verdict read_msr(std::uint64_t msr, std::uint64_t);
Verdict write_msrs(std::uint64_t first,
                   std::uint64_t last); // each of them, the value it may have, must be refused
Verdict read_msrs(std::uint64_t first, std::uint64_t last);
Verdict hypercall(std::uint64_t number, std::uint64_t rdi, std::uint64_t rsi); // error or granted
Verdict read_at(std::uint64_t gpa, std::uint64_t);
Verdict write_at(std::uint64_t gpa, std::uint64_t);

// Runs `body` in ring 3, as an action for exception_of(): the exception it raises ends it.
// A task-state segment of its own lies at `task_state`, if that is not 0.
void in_ring3(void (*body)(), std::uint64_t task_state = 0);

void run_cases(std::string_view classes); // "" or "msrs,ports"; does not return
[[noreturn]] void run_witness();
std::uint64_t number_in(std::string_view digits);
void run_random(std::string_view options);
void run_single(std::string_view name); // the attacks that take a whole boot; returns where there is no such

} // namespace attack
