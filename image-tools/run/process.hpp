// SPDX-License-Identifier: Apache-2.0
// image-tools/run/process.hpp - a child process with piped output, and the signals that end a run.
//
// Invariants: the child is in a process group of its own (Ctrl-C reaches only the tool, which
//             decides), dies with the tool, and is reaped before a Process is gone.
#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace run {

class Process {
public:
    // Starts arguments[0], looked up in PATH. Throws diagnostic::Failure E0702 when it cannot be executed.
    // `output`: what it gets as its stdout; -1: a pipe. `with_input`: its stdin is a pipe, else empty.
    static Process start(const std::vector<std::string>& arguments, int output = -1, bool with_input = false);
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;
    ~Process(); // kills and reaps

    [[nodiscard]] int output() const { return output_; } // -1: not a pipe
    // Readable when it has ended.
    [[nodiscard]] int ended() const { return ended_; }
    [[nodiscard]] int errors() const { return errors_; }
    void kill(int signal) const;
    // A byte to its stdin, if there is room for it.
    void type(char byte) const;
    // The exit status, 128 + n for a signal. `limit`: kill after that long.
    int wait(std::chrono::milliseconds limit);

private:
    Process() = default;
    int pid_ = -1;
    int input_ = -1;
    int output_ = -1;
    int errors_ = -1;
    int ended_ = -1;
};

// What a program prints on stdout, at most `limit` bytes, within `time`; nothing if it fails.
std::optional<std::string> output_of(const std::vector<std::string>& arguments, std::size_t limit,
                                     std::chrono::milliseconds time);

// SIGINT, SIGTERM and SIGHUP, except those that are ignored, as a readable file descriptor while it lives.
class SignalWatch {
public:
    SignalWatch();
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;
    ~SignalWatch();
    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] int take() const; // the signal that arrived, 0: none

private:
    int descriptor_ = -1;
    sigset_t before_{};
};

} // namespace run
