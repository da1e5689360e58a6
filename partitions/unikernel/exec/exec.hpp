// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/exec.hpp - puts a program into a process: segments, interpreter, stack,
// registers.
// Spec: System V ABI AMD64 supplement, "Process Initialization"; auxiliary vector of the Linux user ABI.
#pragma once

#include "partitions/unikernel/task/process.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace uk::exec {

// Argument and environment strings of a program to be, gathered in kernel memory before the old one goes.
class ProgramStrings {
public:
    ProgramStrings() = default;
    ProgramStrings(const ProgramStrings&) = delete;
    ProgramStrings& operator=(const ProgramStrings&) = delete;
    ~ProgramStrings();

    // Errors: too_big, nomem.
    [[nodiscard]] Status add_argument(std::string_view text);
    [[nodiscard]] Status add_environment(std::string_view text); // after the last argument
    // Replaces argument 0 by `prefix...` (scripts: interpreter, its argument, the script's path).
    [[nodiscard]] Status replace_first(std::span<const std::string_view> prefix);

    [[nodiscard]] std::span<const char> bytes() const { return {data_, size_}; }
    [[nodiscard]] unsigned argument_count() const { return arguments_; }
    [[nodiscard]] unsigned environment_count() const { return environments_; }

private:
    [[nodiscard]] Status append(std::string_view text);
    [[nodiscard]] Status reserve(std::size_t more);

    char* data_ = nullptr; // strings, each with its NUL
    std::size_t size_ = 0, capacity_ = 0;
    unsigned arguments_ = 0, environments_ = 0;
};

// What stands for a program's path where a descriptor named it: the number follows (execveat(2)).
inline constexpr std::string_view descriptor_path = "/dev/fd/";

// Called when the new program stands: ends the other threads. An error leaves everything as it was.
using LastMoment = Status (*)();

// Replaces what the process runs by the file at `path`, following scripts: the new program is built in a space
// of its own, which then takes the old one's place. On success `frame` starts the program. An error (noent,
// acces, noexec, nomem, loop, ...) leaves the process as it was.
[[nodiscard]] Status execute(Process& process, Thread& thread, Ref<fs::Node> file, std::string_view path,
                             ProgramStrings& strings, LastMoment last_moment = nullptr);

} // namespace uk::exec
