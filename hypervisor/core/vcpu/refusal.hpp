// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/refusal.hpp - what is refused, what the guest then sees, and how refusals
// are counted.
//
// Pure. One table (`responses`) says what each kind of refusal does; decide() obeys it, docs/abi.md
// prints it.
// Invariants: I1  every refusal is counted before the guest runs again
//             I2  a kind is reported at its 1st, 10th, 100th ... time, so a flood costs at most 20
//                 records
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vcpu {

enum class Refusal : std::uint8_t {
    none,
    msr_read,            // not in the allow-list
    msr_write,           // not in the allow-list, or a value that is not allowed
    port,                // not granted
    port_legacy,         // PIC, PIT, CMOS, keyboard, PCI configuration, POST ...: probed by every kernel
    port_string,         // INS, OUTS
    hypercall_privilege, // CPL 1-3
    hypercall_number,
    hypercall_argument,
    hypercall_rate,
    ipi,         // delivery mode, vector or destination
    instruction, // VMRUN, VMLOAD, ..., MONITOR, MWAIT, RSM
    counter,     // RDPMC
    cache,       // WBINVD, INVD
    bus_lock,    // a locked access across two cache lines or to uncached memory: done, counted (VMX)
    xcr0,
    control_register, // a CR4 bit that is not offered, CR0.NW without CD
    nested_fault,     // outside its own memory, or against its access rights
    shutdown,         // triple fault
    invalid,          // the processor refused the state (VMEXIT_INVALID, failed VM entry)
    loop,             // the same exit a thousand times without progress
    unexpected,       // an exit that was not asked for
    count_,
};
inline constexpr std::size_t refusal_kinds = static_cast<std::size_t>(Refusal::count_);

enum class Response : std::uint8_t {
    none,
    skip,          // the instruction: reads give all ones, a hypercall RAX = -CAISSON_ERROR_...
    inject_ud,     // #UD
    inject_gp,     // #GP(0)
    stop_partition // ends this generation; the audit record names the kind
};

struct RefusalRule {
    std::string_view name; // in audit and exit records
    Response response;
};

inline constexpr std::array<RefusalRule, refusal_kinds> refusal_rules{{
    {"none", Response::none},
    {"msr_read", Response::inject_gp},
    {"msr", Response::inject_gp},
    {"port", Response::skip},
    {"port_legacy", Response::skip},
    {"port_string", Response::inject_gp},
    {"hypercall_privilege", Response::inject_ud},
    {"hypercall", Response::skip},
    {"hypercall_argument", Response::skip},
    {"hypercall_rate", Response::skip},
    {"ipi", Response::inject_gp},
    {"instruction", Response::inject_ud},
    {"rdpmc", Response::inject_gp},
    {"cache", Response::skip},
    {"bus_lock", Response::none},
    {"xcr0", Response::inject_gp},
    {"control_register", Response::inject_gp},
    {"npf", Response::stop_partition},
    {"shutdown", Response::stop_partition},
    {"invalid", Response::stop_partition},
    {"loop", Response::stop_partition},
    {"unexpected", Response::stop_partition},
}};
constexpr const RefusalRule& rule_of(Refusal kind) {
    return refusal_rules[static_cast<std::size_t>(kind)];
}
static_assert(rule_of(Refusal::nested_fault).response == Response::stop_partition);
static_assert(rule_of(Refusal::unexpected).name == "unexpected");

// Of one vCPU, written by its own CPU only. `exits` is counted by the vendor layer, one add an exit.
struct Counters {
    std::uint64_t exits = 0;
    std::uint64_t refusals = 0; // of all kinds
    std::array<std::uint64_t, refusal_kinds> by_kind{};
    std::array<std::uint64_t, refusal_kinds> next_report{}; // 0: at the first

    // Counts one; true when it should be reported.
    [[nodiscard]] constexpr bool refuse(Refusal kind) {
        const auto index = static_cast<std::size_t>(kind);
        ++refusals;
        if (++by_kind[index] < next_report[index]) [[likely]]
            return false;
        const std::uint64_t reported = next_report[index] == 0 ? 1 : next_report[index];
        next_report[index] = reported > UINT64_MAX / 10 ? UINT64_MAX : reported * 10;
        return true;
    }
};

// The same vCPU leaving at the same place in the same state, exit after exit, makes no progress (rule 12).
class LoopGuard {
public:
    static constexpr std::uint32_t limit = 1000;
    // For exits that do not skip an instruction. `exit_number` is Counters::exits; `state` a digest of the
    // registers. True: stop the partition.
    [[nodiscard]] constexpr bool note(std::uint64_t exit_number, std::uint64_t rip, std::uint64_t state) {
        const bool same = exit_number == last_exit_ + 1 && rip == rip_ && state == state_;
        repeats_ = same ? repeats_ + 1 : 1;
        last_exit_ = exit_number;
        rip_ = rip;
        state_ = state;
        return repeats_ >= limit;
    }

private:
    std::uint64_t last_exit_ = 0, rip_ = 0, state_ = 0;
    std::uint32_t repeats_ = 0;
};

// At most `budget` units in each interval of `interval` TSC ticks; in all where that is 0.
struct RateLimiter {
    std::uint64_t budget = 0, interval = 0, start = 0, used = 0;

    // How many of `wanted` units may be used at TSC `now`.
    [[nodiscard]] constexpr std::uint64_t take(std::uint64_t now, std::uint64_t wanted) {
        if (interval != 0 && now - start >= interval) {
            start = now;
            used = 0;
        }
        const std::uint64_t granted = wanted < budget - used ? wanted : budget - used;
        used += granted;
        return granted;
    }
};

} // namespace vcpu
