// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/lifecycle.hpp - a partition's life: the order of stopping and restarting is the
// security property.
//
// Pure: next(state, event) gives the next state or refuses; the partition manager does one step a state and
// reports its end as an event. No step can be left out or done early (docs/hypervisor.md rule 23).
#pragma once

#include <cstdint>
#include <optional>
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
};

enum class PartitionEvent : std::uint8_t {
    loaded,       // payload verified and in place
    stop,         // exit, offence or request
    acknowledged, // by every vCPU
    sources_off,  // steps 3 and 4: interrupts, DMA
    apic_empty,
    memory_scrubbed,
    state_cleared,
    restart, // from `reset`: load again
    finish,  // from `reset`: stay down, done
    give_up, // from `reset`: stay down, failed
};

[[nodiscard]] std::optional<PartitionState> next(PartitionState state, PartitionEvent event);

enum class EndReason : std::uint8_t { exit, signal, fault, stopped };
[[nodiscard]] constexpr std::string_view name_of(EndReason reason) {
    switch (reason) {
    case EndReason::exit:
        return "exit";
    case EndReason::signal:
        return "signal";
    case EndReason::fault:
        return "fault";
    case EndReason::stopped:
        return "stopped";
    }
    return "stopped";
}

enum class RestartRule : std::uint8_t { no, always, on_failure }; // plan::Restart
// `restarts` so far; `limit` 0: none. A failure is any end but exit status 0.
[[nodiscard]] bool should_restart(RestartRule rule, std::uint32_t limit, std::uint64_t restarts,
                                  EndReason reason, std::uint8_t status);

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
