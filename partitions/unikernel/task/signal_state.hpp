// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/signal_state.hpp - signal numbers, actions, and what is pending for a thread or a
// process.
// Spec: POSIX.1-2017 2.4 "Signal Concepts"; the layouts are those of the Linux x86-64 user ABI.
#pragma once

#include <array>
#include <cstdint>

namespace uk::signal {

inline constexpr int count = 64;

inline constexpr int hup = 1, interrupt = 2, quit = 3, ill = 4, trap = 5, abort = 6, bus = 7, fpe = 8,
                     kill = 9, usr1 = 10, segv = 11, usr2 = 12, pipe = 13, alarm = 14, term = 15, child = 17,
                     cont = 18, stop = 19, tstp = 20, ttin = 21, ttou = 22, urg = 23, xcpu = 24,
                     file_size = 25, virtual_alarm = 26, profile = 27, winch = 28, input_output = 29,
                     sys = 31;

// Bit n - 1 stands for signal n.
using Set = std::uint64_t;
constexpr Set bit(int number) {
    return Set{1} << (number - 1);
}
inline constexpr Set unblockable = bit(kill) | bit(stop);
inline constexpr Set stops = bit(stop) | bit(tstp) | bit(ttin) | bit(ttou);
inline constexpr Set synchronous = bit(segv) | bit(bus) | bit(ill) | bit(trap) | bit(fpe) | bit(sys);

namespace code { // siginfo si_code
inline constexpr int user = 0, kernel = 0x80, queue = -1, timer = -2, tkill = -6;
inline constexpr int ill_opcode = 2, fpe_divide = 1, fpe_float = 3, fpe_overflow = 4, fpe_underflow = 5,
                     fpe_inexact = 6, fpe_invalid = 7, fpe_unknown = 14, segv_unmapped = 1, segv_access = 2,
                     bus_alignment = 1, bus_address = 2, trap_breakpoint = 1, trap_trace = 2;
inline constexpr int child_exited = 1, child_killed = 2, child_dumped = 3, child_stopped = 5,
                     child_continued = 6;
} // namespace code

namespace action_flag {
inline constexpr std::uint64_t no_child_stop = 1, no_child_wait = 2, information = 4, restorer = 0x04000000,
                               on_stack = 0x08000000, restart = 0x10000000, no_defer = 0x40000000,
                               reset_hand = 0x80000000;
} // namespace action_flag

inline constexpr std::uint64_t handler_default = 0, handler_ignore = 1;

struct Action { // struct kernel_sigaction
    std::uint64_t handler = handler_default;
    std::uint64_t flags = 0;
    std::uint64_t restorer = 0;
    Set mask = 0;
};

struct Information { // the fields of siginfo_t that are in use
    std::int32_t number = 0;
    std::int32_t error = 0;
    std::int32_t code = 0;
    std::int32_t process = 0; // sender, or timer id
    std::uint32_t user = 0;   // sender, or timer overrun
    std::uint64_t value = 0;  // sigval of sigqueue and timers; the status of a child
    std::uint64_t address = 0;
};

struct AlternateStack {
    std::uint64_t base = 0;
    std::uint64_t bytes = 0;
    std::uint32_t flags = 2; // SS_DISABLE
};

// What the thread's last fault was; a handler's context shows it, whatever the signal.
struct LastFault {
    std::uint64_t vector = 0, error = 0, cr2 = 0;
};

using Actions = std::array<Action, count>;

} // namespace uk::signal
