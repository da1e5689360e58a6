// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/host_seam.hpp - what the handlers of system calls hand on, on the host, for tests: what they took
// apart of their arguments is written down instead of done.
#pragma once

#include "partitions/unikernel/process/fork.hpp"
#include "partitions/unikernel/signal/interval_timer.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <string>

namespace uk::host {

struct Handed {
    process::CloneRequest clone;     // the last
    unsigned clones = 0;             //
    signal::Information information; // of the last timer or signal
    signal::TimerClock clock{};
    int thread = 0;
    std::uint64_t expiry = 0, interval = 0;
    int action_number = 0;
    signal::Action action;
    std::string seccomp, audited;
    bool audit_is_full = false;
    unsigned signals = 0, faults = 0;
};
[[nodiscard]] Handed& handed();

} // namespace uk::host
