// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/diagnostic.hpp - what the tool says when something is wrong, and its exit codes.
//
// Every part of the tool reports a user-visible failure by throwing diagnostic::Failure; main() prints it once and
// returns its exit code. Text form:  error[E0312]: message / --> file:line:column / source line with carets /
// help: ...
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diagnostic {

// docs/cli.md; 125-128 + n only from `run`.
enum class ExitCode : int {
    done = 0,
    answer_is_no = 1,
    usage = 2,
    manifest = 3,
    input = 4,
    trust = 5,
    io = 6,
    environment = 7,
    limit = 8,
    bug = 70,
    time_out = 124,
    run_failed = 125,
};

struct Place {
    std::string file;
    unsigned line = 0;   // from 1; 0: no line
    unsigned column = 0; // from 1
    std::string source;  // the line's text, when there is one
    unsigned width = 1;  // carets
};

struct Diagnostic {
    std::string code; // "E0312": first two digits the area: 01 usage, 03 manifest and plan, 04 image, 05
                      // trust, 06 i/o, 07 environment, 08 limits
    ExitCode exit = ExitCode::bug;
    std::string message;
    Place place;                    // empty file: none
    std::vector<std::string> notes; // further lines of cause
    std::string help;               // what to do
};

class Failure : public std::exception {
public:
    explicit Failure(Diagnostic diagnostic) : diagnostic_(std::move(diagnostic)) {}
    [[nodiscard]] const Diagnostic& diagnostic() const { return diagnostic_; }
    [[nodiscard]] const char* what() const noexcept override { return diagnostic_.message.c_str(); }

private:
    Diagnostic diagnostic_;
};

// Text for people, ending in a newline; colour with ANSI sequences.
std::string to_text(const Diagnostic& diagnostic, bool colour);

// Progress of a long step: phase name, bytes or items done of total (total 0: not known). May be empty.
using Progress = std::function<void(std::string_view phase, std::uint64_t done, std::uint64_t total)>;

} // namespace diagnostic
