// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/values.hpp - the manifest's small languages: sizes, durations, CPU sets, names,
// signals.
//
// Each parser gives the value or, as text, what is wrong with it; the caller adds the place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace manifest {

inline constexpr std::uint32_t last_capability = 40;

struct ValueError {
    std::string message;
    std::string help;
};

template <typename T> using Value = std::variant<T, ValueError>;

Value<std::uint64_t> parse_size(std::string_view text);        // "96MiB": KiB, MiB, GiB only
Value<std::uint32_t> parse_duration_ms(std::string_view text); // "10s", "500ms", "1m"
Value<std::uint64_t> parse_rate(std::string_view text);       // "10Mbit": kbit, Mbit, Gbit; in bytes a second
Value<std::uint64_t> parse_cpu_set(std::string_view text);    // "0-1,3" -> bits
Value<std::uint64_t> parse_number(std::string_view text);     // decimal, no sign
std::optional<std::string> check_name(std::string_view name); // of an appliance or partition: what is wrong
std::optional<std::uint32_t> signal_number(std::string_view text); // "SIGTERM", "TERM", "15"; x86-64 Linux
std::optional<std::uint32_t> capability_number(std::string_view text); // "NET_RAW", "CAP_NET_RAW"; any case
std::string capability_names(std::uint64_t set);                       // "CHOWN KILL"

// "96 MiB", "1.5 GiB", "4096 bytes": for people.
std::string size_text(std::uint64_t bytes);

// As a manifest may write it, of bytes a second: "10Mbit".
std::string rate_text(std::uint64_t rate);

// As a manifest may write it: "5s".
std::string duration_text(std::uint32_t milliseconds);

} // namespace manifest
