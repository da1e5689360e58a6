// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/behaviour_rules.hpp - what the records of behaviour.hpp may say.
//
// Pure.
#pragma once

#include "hypervisor/core/plan/behaviour.hpp"

namespace plan {

struct Bounds {
    std::uint32_t least, most;
    [[nodiscard]] constexpr bool hold(std::uint32_t value) const { return least <= value && value <= most; }
};
inline constexpr Bounds restart_max_bounds{1, 1'000'000};
inline constexpr Bounds restart_delay_ms_bounds{0, 60'000};
inline constexpr Bounds watchdog_ms_bounds{100, 3'600'000};
inline constexpr Bounds output_rate_bounds{1024, 1u << 30}, note_rate_bounds{1024, 1u << 20};
inline constexpr Bounds retained_log_bounds{4096, 1u << 20}; // in whole pages
inline constexpr Bounds stop_signal_bounds{1, 64};
inline constexpr Bounds stop_timeout_ms_bounds{0, 3'600'000};

// Whether every field is in range, and means something beside the others. `reserved` is not looked at.
[[nodiscard]] constexpr bool is_valid(const Behaviour& wish) {
    const bool counted = wish.restart == Restart::on_failure && restart_max_bounds.hold(wish.restart_max);
    return wish.restart <= Restart::on_failure && (wish.restart_max == 0 || counted) &&
           restart_delay_ms_bounds.hold(wish.restart_delay_ms) &&
           (wish.watchdog_ms == 0 || watchdog_ms_bounds.hold(wish.watchdog_ms)) &&
           (wish.output_rate == 0 || output_rate_bounds.hold(wish.output_rate)) &&
           note_rate_bounds.hold(wish.note_rate) && (wish.flags & ~all_flags) == 0 &&
           stop_signal_bounds.hold(wish.stop_signal) && stop_timeout_ms_bounds.hold(wish.stop_timeout_ms);
}
[[nodiscard]] constexpr bool is_valid(const MachineBehaviour& wish) {
    return wish.on_all_stopped <= AllStopped::halt && wish.on_panic <= OnPanic::poweroff &&
           (wish.flags & ~all_machine_flags) == 0 &&
           !(wish.has(flag_require_tpm) && wish.has(flag_leave_tpm)) &&
           retained_log_bounds.hold(wish.retained_log) && wish.retained_log % retained_log_bounds.least == 0;
}

// Whether anything waits for time to pass.
[[nodiscard]] constexpr bool needs_time(const Behaviour& wish) {
    return wish.watchdog_ms != 0 || wish.has(flag_service) ||
           (wish.restart != Restart::no && wish.restart_delay_ms != 0);
}
[[nodiscard]] constexpr bool needs_time(const MachineBehaviour& wish) {
    return wish.on_panic == OnPanic::reboot || wish.has(flag_serial_stop) || wish.has(flag_power_button);
}

} // namespace plan
