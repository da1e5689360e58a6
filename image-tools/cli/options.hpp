// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/options.hpp - the options that every command takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cli {

enum class Format : std::uint8_t { text, json };
enum class When : std::uint8_t { automatic, always, never };
enum class ProgressStyle : std::uint8_t { automatic, plain, tty, none };

struct Common {
    Format format = Format::text;
    std::vector<std::string> outputs; // -o, each time it is given
    [[nodiscard]] std::string output() const { return outputs.empty() ? std::string() : outputs.back(); }
    ProgressStyle progress = ProgressStyle::automatic;
    When colour = When::automatic;
    bool quiet = false;
    bool verbose = false;
    bool offline = false;
    bool locked = false; // what the lock file does not pin is refused
    std::optional<std::chrono::milliseconds> time_out;
    std::string command; // "build"; "image create"
};

} // namespace cli
