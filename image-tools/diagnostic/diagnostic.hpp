// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/diagnostic.hpp - what the tool says when something is wrong, and its exit codes.
//
// Every part of the tool reports a user-visible failure by throwing what fail() makes; main() prints it once and
// returns its exit code. Text form:  error[E0312]: message / --> file:line:column / source line with carets /
// help: ...
#pragma once

#include "image-tools/diagnostic/codes.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diagnostic {

struct Place {
    std::string file;
    unsigned line = 0;   // from 1; 0: no line
    unsigned column = 0; // from 1
    std::string source;  // the line's text, when there is one
    unsigned width = 1;  // carets
};

struct Diagnostic {
    std::string code; // "E0312" (codes.hpp)
    ExitCode exit = ExitCode::bug;
    std::string message;
    Place place;                    // empty file: none
    std::vector<std::string> notes; // further lines of cause
    std::string help;               // what to do
};

// Thrown as: throw fail("E0602", "cannot write x").at(place).help("what to do");
class Failure : public std::exception {
public:
    explicit Failure(Diagnostic diagnostic) : diagnostic_(std::move(diagnostic)) {}
    [[nodiscard]] const Diagnostic& diagnostic() const { return diagnostic_; }
    [[nodiscard]] const char* what() const noexcept override { return diagnostic_.message.c_str(); }

    Failure& at(Place place);
    Failure& at_if_nowhere(Place place); // a place that is known better stays
    Failure& help(std::string text);
    Failure& note(std::string text);
    Failure& notes(std::vector<std::string> texts);

private:
    Diagnostic diagnostic_;
};

// Thrown when nobody reads stdout any more: the tool ends quietly, as other programs in a pipe do.
struct BrokenPipe {};
inline constexpr int broken_pipe_exit = 128 + 13; // as a shell gives it for SIGPIPE

[[nodiscard]] Failure fail(Code code, std::string message);
// "WHAT: No space left on device".
[[nodiscard]] Failure fail_system(Code code, const std::string& what, int error);

// Text for people, ending in a newline; colour with ANSI sequences.
std::string to_text(const Diagnostic& diagnostic, bool colour);

// Progress of a long step: phase name, bytes or items done of total (total 0: not known). May be empty.
using Progress = std::function<void(std::string_view phase, std::uint64_t done, std::uint64_t total)>;

} // namespace diagnostic
