// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/report.cpp - where things are said.
#include "image-tools/cli/report.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

namespace cli {
namespace {

void put(std::FILE* to, std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), to) != text.size() && to == stdout)
        output_failed();
}

bool has_terminal(int descriptor) {
    const char* kind = std::getenv("TERM");
    return ::isatty(descriptor) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

bool use_colour(When when, int descriptor) {
    if (when != When::automatic)
        return when == When::always;
    const char* refused = std::getenv("NO_COLOR");
    return has_terminal(descriptor) && (refused == nullptr || refused[0] == '\0');
}

} // namespace

void output_failed() {
    const int error = errno;
    if (error == EPIPE)
        throw diagnostic::BrokenPipe{};
    throw diagnostic::fail_system("E0602", "cannot write to stdout", error);
}

void finish_output() {
    if (std::fflush(stdout) != 0)
        output_failed();
}

Report::Report(const Common& options)
    : options_(options), colour_errors_(use_colour(options.colour, 2)),
      colour_output_(use_colour(options.colour, 1)) {
    const bool terminal = has_terminal(2);
    const ProgressStyle style = options.progress;
    live_ =
        !options.quiet && (style == ProgressStyle::tty || (style == ProgressStyle::automatic && terminal));
    plain_ = !options.quiet && (live_ || style == ProgressStyle::plain || style == ProgressStyle::automatic);
}

void Report::line(std::string_view text) const {
    if (json())
        return;
    put(stdout, text);
    put(stdout, "\n");
}

void Report::text(std::string_view text) const {
    put(stdout, text);
}

void Report::data(const Json& value) const {
    if (!json())
        return;
    put(stdout, value.dump(2, ' ', false, Json::error_handler_t::replace));
    put(stdout, "\n");
}

void Report::note(std::string_view text) const {
    if (options_.quiet)
        return;
    clear_live();
    put(stderr, text);
    put(stderr, "\n");
}

void Report::warning(std::string_view text) const {
    clear_live();
    put(stderr, colour_errors_ ? "\033[1;33mwarning\033[0m: " : "warning: ");
    put(stderr, text);
    put(stderr, "\n");
}

void Report::failure(const diagnostic::Diagnostic& diagnostic) const {
    clear_live();
    std::fflush(stdout);
    put(stderr, diagnostic::to_text(diagnostic, colour_errors_));
}

void Report::steps(unsigned total) {
    total_ = total;
    step_ = 0;
}

void Report::step(std::string_view name, const std::string& detail, double seconds) {
    ++step_;
    last_percent_ = -1;
    if (!plain_)
        return;
    clear_live();
    put(stderr, fmt::format("[{}/{}] {:<9} {:<58} {:5.1f} s\n", step_, total_, name, detail, seconds));
}

diagnostic::Progress Report::progress() {
    if (!live_)
        return {};
    return [this](std::string_view phase, std::uint64_t done, std::uint64_t total) {
        constexpr std::uint64_t mebibyte = 1 << 20;
        const int shown = static_cast<int>(total == 0 ? done / mebibyte : done * 100 / total);
        if (shown == last_percent_)
            return;
        last_percent_ = shown;
        live_shown_ = true;
        put(stderr, fmt::format("\r[{}/{}] {:<9} {:3d} {}", step_ + 1, total_, phase, shown,
                                total == 0 ? "MiB" : "%"));
        std::fflush(stderr);
    };
}

void Report::clear_live() const {
    if (live_shown_)
        put(stderr, "\r\033[K");
    live_shown_ = false;
}

std::string_view class_name(const diagnostic::Diagnostic& diagnostic) {
    static constexpr std::array<std::string_view, 10> areas{
        "", "usage", "", "manifest", "input", "trust", "io", "environment", "limit", "run"};
    const bool known = diagnostic.code.size() == 5 && diagnostic.code[1] == '0';
    const std::size_t area = known ? static_cast<std::size_t>(diagnostic.code[2] - '0') : areas.size();
    return area < areas.size() && !areas[area].empty() ? areas[area] : "bug";
}

Json to_json(const diagnostic::Diagnostic& diagnostic) {
    Json out{{"code", diagnostic.code}, {"class", class_name(diagnostic)}, {"message", diagnostic.message}};
    if (!diagnostic.place.file.empty()) {
        out["file"] = diagnostic.place.file;
        if (diagnostic.place.line > 0) {
            out["line"] = diagnostic.place.line;
            out["column"] = diagnostic.place.column;
        }
    }
    if (!diagnostic.notes.empty())
        out["notes"] = diagnostic.notes;
    if (!diagnostic.help.empty())
        out["help"] = diagnostic.help;
    return out;
}

} // namespace cli
