// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/behaviour.hpp - how a partition and the machine behave: choices of the manifest that the
// hypervisor carries out as they are.
//
// The manifest fills these records, the plan's table holds them, the hypervisor reads them; defaults stand here, limits in
// behaviour_rules.hpp, and nowhere else.
// Pure.
#pragma once

#include <array>
#include <cstdint>

namespace plan {

enum class AllStopped : std::uint32_t { poweroff = 0, reboot = 1, halt = 2 };
enum class OnPanic : std::uint32_t { halt = 0, reboot = 1, poweroff = 2 };
enum class Restart : std::uint32_t { no = 0, always = 1, on_failure = 2 };

inline constexpr std::uint32_t flag_console_serial = 1;
inline constexpr std::uint32_t flag_smt_shared = 2; // may have a core together with others that say so too
inline constexpr std::uint32_t flag_no_store_bypass = 4; // SPEC_CTRL.SSBD while it runs
inline constexpr std::uint32_t flag_same_delay = 8;      // before every restart, however many there were
inline constexpr std::uint32_t flag_console_screen = 16; // its last lines on the screen too
inline constexpr std::uint32_t flag_service =
    32; // for the others: asked to end when they have, and its status is nobody's
inline constexpr std::uint32_t all_flags = flag_console_serial | flag_smt_shared | flag_no_store_bypass |
                                           flag_same_delay | flag_console_screen | flag_service;

struct Behaviour {
    Restart restart = Restart::no;
    std::uint32_t restart_max = 0;        // on_failure: attempts; 0: no limit
    std::uint32_t restart_delay_ms = 100; // before the first restart; doubles (core/vcpu/lifecycle.hpp)
    std::uint32_t watchdog_ms = 0;        // at least one heartbeat in each so many; 0: none is expected
    std::uint32_t flags = flag_console_serial;
    std::uint32_t stop_signal = 15; // what a stop request names: SIGTERM, unless the image says another
    std::uint32_t stop_timeout_ms = 10'000; // from the request until it is stopped
    std::uint32_t output_rate = 0;          // console bytes a second; 0: what the line takes
    std::uint32_t note_rate = 4096;         // bytes of audit notes a second, their records' own included
    std::array<std::uint32_t, 5> reserved{};

    [[nodiscard]] constexpr bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
    constexpr void set(std::uint32_t flag, bool on) { flags = on ? flags | flag : flags & ~flag; }
};
static_assert(sizeof(Behaviour) == 56);

// COM1's input may ask the machine to end (abi/console.h); refuse a machine on which nobody hears the hypervisor; refuse one
// without a TPM that takes the measurements; measure nothing; the fixed power button asks the machine to end, then it is off.
inline constexpr std::uint32_t flag_serial_stop = 1, flag_require_console = 2, flag_require_tpm = 4,
                               flag_leave_tpm = 8, flag_power_button = 16, all_machine_flags = 31;

struct MachineBehaviour {
    AllStopped on_all_stopped = AllStopped::poweroff;
    OnPanic on_panic = OnPanic::halt;
    std::uint32_t flags = 0;
    // Bytes of memory for what goes over the line, found again after a reset.
    std::uint32_t retained_log = 16 * 1024;

    [[nodiscard]] constexpr bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
    constexpr void set(std::uint32_t flag, bool on) { flags = on ? flags | flag : flags & ~flag; }
};
static_assert(sizeof(MachineBehaviour) == 16);

} // namespace plan
