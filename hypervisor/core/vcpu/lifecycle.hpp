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
    empty,    // nothing loaded yet, or loading
    running,  // the only state in which other CPUs may send it anything
    stopping, // (1) no more senders; (2) vCPUs are being kicked
    quiet,    // all vCPUs have acknowledged; (3) interrupt sources go off
    detached, // (4) DMA domain empty, IOTLB flush waited for
    drained,  // (5) IRR and ISR are empty
    scrubbed, // (6) memory is overwritten
    reset,    // (7) vector state, debug registers, MSRs are as at power-on; (8) translations flushed
    ended,    // it will not run again
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
    give_up, // from `reset`: stay down; from `empty`: the payload did not verify
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

} // namespace vcpu
