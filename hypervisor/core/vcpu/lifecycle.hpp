// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/lifecycle.hpp - a partition's life: the order of stopping and restarting is the
// security property.
//
// Pure: the partition manager does one step a state and enters the next one when it is done; may_follow() lets no step
// be left out or done early (docs/hypervisor.md rule 23).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vcpu {

enum class PartitionState : std::uint8_t {
    defined,  // nothing loaded yet, or loading
    running,  // the only state in which other CPUs may send it anything
    stopping, // (1) no more senders; (2) vCPUs are being kicked
    quiet,    // all vCPUs have acknowledged; (3) interrupt sources go off
    detached, // (4) DMA domain empty, IOTLB flush waited for
    drained,  // (5) IRR and ISR are empty
    scrubbed, // (6) memory is overwritten
    reset,   // (7) vector state, debug registers, MSRs are as at power-on; (8) translations flushed; back-off
    stopped, // it ended with status 0 and will not run again
    failed,  // likewise, with anything else
    quarantined, // it could not be stopped: its memory and CPUs stay its own until the machine ends
};

// In one length, to be written over each other.
constexpr std::string_view name_of(PartitionState state) {
    constexpr std::string_view names{"defined    running    stopping   quiet      detached   drained    "
                                     "scrubbed   waiting    stopped    failed     quarantined"};
    return {names.data() + 11 * static_cast<std::size_t>(state), 11};
}

// Each state follows the one above; only from `reset` there is a choice. Whatever stops and has not been overwritten yet may
// turn out not to stop.
constexpr bool may_follow(PartitionState state, PartitionState next) {
    if (next == PartitionState::quarantined)
        return state >= PartitionState::stopping && state < PartitionState::scrubbed;
    if (state == PartitionState::reset)
        return next == PartitionState::defined || next == PartitionState::stopped ||
               next == PartitionState::failed;
    return state < PartitionState::reset && static_cast<unsigned>(next) == static_cast<unsigned>(state) + 1;
}

// What runs on the partition's CPUs is not to be entered, or entered again.
constexpr bool must_leave(PartitionState state) {
    return state == PartitionState::stopping || state == PartitionState::quarantined;
}

// A CPU that has not left its guest so long after it was told never will. An exit's longest work takes milliseconds and firmware's
// SMM a fraction of a second; an emulator's CPU can be held up by its host for seconds.
inline constexpr std::uint64_t leave_ms = 5000;

enum class EndReason : std::uint8_t { exit, signal, fault, stopped };
constexpr std::string_view name_of(EndReason reason) {
    constexpr std::array<std::string_view, 4> names{"exit", "signal", "fault", "stopped"};
    return names[static_cast<std::size_t>(reason)];
}

enum class RestartRule : std::uint8_t { no, always, on_failure }; // plan::Restart
// `restarts` so far; `limit` 0: none. A failure is any end but exit status 0.
constexpr bool should_restart(RestartRule rule, std::uint32_t limit, std::uint64_t restarts, EndReason reason,
                              std::uint8_t status) {
    const bool failed = reason != EndReason::exit || status != 0;
    return rule == RestartRule::always ||
           (rule == RestartRule::on_failure && failed && (limit == 0 || restarts < limit));
}

// Before a restart: `first` milliseconds, twice as many after each further end in a row that came early. A life
// of some length starts the row anew.
inline constexpr std::uint64_t long_life_ms = 10'000, longest_delay_ms = 60'000;
class BackOff {
public:
    constexpr std::uint64_t next_delay_ms(std::uint64_t first, std::uint64_t lived_ms) {
        early_ends_ = lived_ms >= long_life_ms ? 0 : early_ends_ + (early_ends_ < 20 ? 1 : 0);
        const std::uint64_t delay = first << (early_ends_ == 0 ? 0 : early_ends_ - 1);
        return delay < longest_delay_ms ? delay : longest_delay_ms;
    }

private:
    unsigned early_ends_ = 0;
};

} // namespace vcpu
