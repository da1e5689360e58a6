// SPDX-License-Identifier: Apache-2.0
// image-tools/run/machine.hpp - one boot of an appliance under QEMU, from start to exit code.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/run/outlet.hpp"
#include "image-tools/run/qemu.hpp"
#include "image-tools/run/session.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace run {

struct RunOptions {
    QemuOptions qemu;
    std::optional<std::chrono::milliseconds> time_out;
    std::filesystem::path log;                  // raw serial bytes; empty: not kept
    std::string exit_code_from;                 // a partition's name, or empty
    std::vector<std::string> services;          // partitions whose status is asked for by nobody else
    std::vector<Outlet*> outlets;               // where the session's listener writes to
    bool serial_stop = false;                   // the plan lets the serial line ask the machine to end
    std::function<void()> asked_to_end;         // it is being asked now; may be empty
    std::function<bool(const Session&)> enough; // true: end the machine now; may be empty
    std::optional<std::chrono::milliseconds> look_again; // `enough` is asked at least so often
};

// How the boot ended, as the tool's exit code and, where Caisson itself failed, why.
struct Outcome {
    int exit_code = 125;
    bool stopped = false; // by a signal, or because its time was over
    std::optional<diagnostic::Diagnostic> failure;
    int qemu_status = 0;
    std::string qemu_errors; // its stderr
};

// Runs until the machine ends or the time is over; `session` holds what was said. A signal asks the machine to end where that
// is possible, a second one ends it at once; the exit code is then 128 + the first.
Outcome boot(const Qemu& qemu, const RunOptions& options, Session& session);

// QEMU's status where there was no QEMU.
inline constexpr int no_status = -1;

// The verdict on a finished session; separate so that it can be tested without a machine.
Outcome judge(const Session& session, const RunOptions& options, int qemu_status, std::string qemu_errors);

} // namespace run
