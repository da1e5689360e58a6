// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/report.hpp - where things are said: data on stdout, everything else on stderr.
#pragma once

#include "image-tools/cli/options.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace cli {

using Json = nlohmann::ordered_json;

class Report {
public:
    explicit Report(const Common& options);

    [[nodiscard]] bool json() const { return options_.format == Format::json; }
    [[nodiscard]] bool colour_on_stderr() const { return colour_errors_; }
    [[nodiscard]] bool colour_on_stdout() const { return colour_output_; }

    void line(std::string_view text) const;    // stdout, text format only
    void data(const Json& value) const;        // stdout, JSON format only
    void text(std::string_view text) const;    // stdout, as it is, in every format
    void note(std::string_view text) const;    // stderr, unless --quiet
    void warning(std::string_view text) const; // stderr
    void failure(const diagnostic::Diagnostic& diagnostic) const;

    // "[2/4] flatten   4,213 files   0.9 s" when a step is done.
    void steps(unsigned total);
    void step(std::string_view name, const std::string& detail, double seconds);
    // The live line of a long step, on a terminal only.
    [[nodiscard]] diagnostic::Progress progress();

private:
    void clear_live() const;

    const Common& options_;
    bool colour_errors_ = false;
    bool colour_output_ = false;
    bool live_ = false;
    bool plain_ = false;
    mutable bool live_shown_ = false;
    int last_percent_ = -1;
    unsigned step_ = 0;
    unsigned total_ = 0;
};

// Throws what a failed write to stdout means: E0602, or BrokenPipe.
[[noreturn]] void output_failed();
// What was written to stdout is out, or it throws the same.
void finish_output();

Json to_json(const diagnostic::Diagnostic& diagnostic);
// The word for an exit code's class: "manifest", "trust".
std::string_view class_name(const diagnostic::Diagnostic& diagnostic);

} // namespace cli
