// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/values.cpp - sizes, durations, CPU sets, names, signals.
#include "image-tools/manifest/values.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>

namespace manifest {
namespace {

constexpr std::uint64_t kib = 1024, mib = kib * 1024, gib = mib * 1024;

struct Split {
    std::optional<std::uint64_t> number;
    std::string_view unit;
};

// Leading digits and the rest, spaces between dropped.
Split split(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || text.empty())
        return {std::nullopt, text};
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    while (!unit.empty() && unit.front() == ' ')
        unit.remove_prefix(1);
    return {number, unit};
}

std::string grouped(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t at = digits.size(); at > 3; at -= 3)
        digits.insert(at - 3, ",");
    return digits;
}

// A unit of powers of ten, or one that people read in two ways.
std::optional<ValueError> ambiguous_size(std::uint64_t number, std::string_view unit) {
    struct Ambiguous {
        std::string_view unit, binary_name;
        std::uint64_t decimal, binary;
    };
    static constexpr std::array<Ambiguous, 9> units{{{"K", "KiB", 1000, kib},
                                                     {"k", "KiB", 1000, kib},
                                                     {"KB", "KiB", 1000, kib},
                                                     {"kB", "KiB", 1000, kib},
                                                     {"M", "MiB", 1000000, mib},
                                                     {"MB", "MiB", 1000000, mib},
                                                     {"m", "MiB", 1000000, mib},
                                                     {"G", "GiB", 1000000000, gib},
                                                     {"GB", "GiB", 1000000000, gib}}};
    for (const Ambiguous& entry : units) {
        if (unit != entry.unit)
            continue;
        const std::string written = std::to_string(number) + std::string(unit);
        std::uint64_t decimal = 0, binary = 0;
        if (__builtin_mul_overflow(number, entry.decimal, &decimal) ||
            __builtin_mul_overflow(number, entry.binary, &binary))
            return ValueError{"the size '" + written + "' is too large", ""};
        return ValueError{"the size '" + written + "' can be read in two ways: " + grouped(decimal) +
                              " bytes or " + grouped(binary) + " bytes",
                          "write '" + std::to_string(number) + std::string(entry.binary_name) + "' for " +
                              grouped(binary) + " bytes"};
    }
    return std::nullopt;
}

// "1.5GiB" and the like: what to write instead, where that is a whole number.
ValueError fraction(std::uint64_t number, std::string_view rest, std::string_view text) {
    ValueError error{"the size '" + std::string(text) + "' is not a whole number", ""};
    const auto [part, unit] = split(rest);
    std::size_t digits = 0;
    while (digits < rest.size() && std::isdigit(static_cast<unsigned char>(rest[digits])) != 0)
        ++digits;
    const bool gibibytes = unit == "GiB";
    if (!part || digits > 3 || number > 1'000'000 || !(gibibytes || unit == "MiB"))
        return error;
    std::uint64_t scale = 1;
    for (std::size_t i = 0; i < digits; ++i)
        scale *= 10;
    const std::uint64_t smaller = number * 1024 + *part * 1024 / scale;
    error.help = "write " + std::to_string(smaller) + (gibibytes ? "MiB" : "KiB");
    return error;
}

} // namespace

Value<std::uint64_t> parse_size(std::string_view text) {
    const auto [number, unit] = split(text);
    if (!number)
        return ValueError{"'" + std::string(text) + "' is not a size",
                          "write for example 96MiB (KiB, MiB or GiB)"};
    if (unit.starts_with('.'))
        return fraction(*number, unit.substr(1), text);
    std::uint64_t scale = 0;
    if (unit == "KiB")
        scale = kib;
    else if (unit == "MiB")
        scale = mib;
    else if (unit == "GiB")
        scale = gib;
    if (scale == 0) {
        if (auto error = ambiguous_size(*number, unit))
            return *error;
        return ValueError{"the size '" + std::string(text) + "' has " +
                              (unit.empty() ? "no unit" : "the unknown unit '" + std::string(unit) + "'"),
                          "write KiB, MiB or GiB after the number"};
    }
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(*number, scale, &bytes) || bytes > std::uint64_t{1} << 46)
        return ValueError{"the size '" + std::string(text) + "' is too large", ""};
    if (bytes == 0)
        return ValueError{"the size must not be 0", ""};
    return bytes;
}

namespace {

// Bytes a second. Decimal, as lines are sold.
struct RateUnit {
    std::string_view name;
    std::uint64_t bytes;
};
constexpr std::array<RateUnit, 3> rate_units{{{"Gbit", 125'000'000}, {"Mbit", 125'000}, {"kbit", 125}}};
constexpr std::uint64_t least_rate = 1000, most_rate = 12'500'000'000;

} // namespace

Value<std::uint64_t> parse_rate(std::string_view text) {
    const auto [number, unit] = split(text);
    const auto known = std::ranges::find(rate_units, unit, &RateUnit::name);
    const std::string help = "write for example 10Mbit (kbit, Mbit or Gbit a second)";
    if (!number || known == rate_units.end())
        return ValueError{"'" + std::string(text) + "' is not a rate", help};
    std::uint64_t rate = 0;
    if (__builtin_mul_overflow(*number, known->bytes, &rate) || rate < least_rate || rate > most_rate)
        return ValueError{"a rate is from " + rate_text(least_rate) + " to " + rate_text(most_rate), help};
    return rate;
}

std::string rate_text(std::uint64_t rate) {
    for (const RateUnit& unit : rate_units)
        if (rate % unit.bytes == 0)
            return std::to_string(rate / unit.bytes) + std::string(unit.name);
    return std::to_string(rate) + " bytes";
}

Value<std::uint32_t> parse_duration_ms(std::string_view text) {
    const auto [number, unit] = split(text);
    std::uint64_t scale = 0;
    if (unit == "ms")
        scale = 1;
    else if (unit == "s")
        scale = 1000;
    else if (unit == "m")
        scale = 60000;
    std::uint64_t value = 0;
    if (!number || scale == 0)
        return ValueError{"'" + std::string(text) + "' is not a duration",
                          "write for example 10s, 500ms or 2m"};
    if (__builtin_mul_overflow(*number, scale, &value) || value > 24u * 3600u * 1000u)
        return ValueError{"the duration '" + std::string(text) + "' is longer than a day", ""};
    return static_cast<std::uint32_t>(value);
}

Value<std::uint64_t> parse_number(std::string_view text) {
    const auto [number, unit] = split(text);
    if (!number || !unit.empty() || text.find(' ') != std::string_view::npos)
        return ValueError{"'" + std::string(text) + "' is not a number", ""};
    return *number;
}

Value<std::uint64_t> parse_cpu_set(std::string_view text) {
    const ValueError wrong{"'" + std::string(text) + "' is not a set of CPUs",
                           "write for example \"2-3\" or \"0,2\""};
    std::uint64_t bits = 0;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        const std::string_view part = text.substr(at, end - at);
        const std::size_t dash = part.find('-');
        const auto low = parse_number(part.substr(0, std::min(dash, part.size())));
        const auto high = dash == std::string_view::npos ? low : parse_number(part.substr(dash + 1));
        if (std::holds_alternative<ValueError>(low) || std::holds_alternative<ValueError>(high))
            return wrong;
        const std::uint64_t from = std::get<std::uint64_t>(low), to = std::get<std::uint64_t>(high);
        if (from > to || to > 63)
            return ValueError{"the CPUs of '" + std::string(text) + "' must be ascending, from 0 to 63", ""};
        for (std::uint64_t cpu = from; cpu <= to; ++cpu) {
            if ((bits >> cpu & 1) != 0)
                return ValueError{"CPU " + std::to_string(cpu) + " is named twice", ""};
            bits |= std::uint64_t{1} << cpu;
        }
        at = end + 1;
    }
    return bits;
}

std::optional<std::string> check_name(std::string_view name) {
    if (name.empty())
        return "the name is empty";
    if (name.size() > 31)
        return "the name is longer than 31 characters";
    for (char c : name)
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return "a name has only the characters a-z, 0-9 and '-'";
    if (name == "hv")
        return "'hv' is the hypervisor's own name";
    return std::nullopt;
}

std::optional<std::uint32_t> signal_number(std::string_view text) {
    static constexpr std::array<std::string_view, 32> names{
        "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
        "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
        "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
    const Value<std::uint64_t> number = parse_number(text);
    if (const auto* value = std::get_if<std::uint64_t>(&number))
        return *value >= 1 && *value <= 64 ? std::optional{static_cast<std::uint32_t>(*value)} : std::nullopt;
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    std::string_view word = upper;
    if (word.starts_with("SIG"))
        word.remove_prefix(3);
    for (std::uint32_t i = 1; i < names.size(); ++i)
        if (names[i] == word)
            return i;
    if (word.starts_with("RTMIN")) { // glibc's first real-time signal is 34
        word.remove_prefix(5);
        if (word.empty())
            return 34;
        const Value<std::uint64_t> offset = word.front() == '+' ? parse_number(word.substr(1)) : ValueError{};
        if (const auto* value = std::get_if<std::uint64_t>(&offset); value != nullptr && *value <= 30)
            return static_cast<std::uint32_t>(34 + *value);
    }
    return std::nullopt;
}

namespace {

// In the order of their numbers.
constexpr std::array<std::string_view, last_capability + 1> capability_list{"CHOWN",
                                                                            "DAC_OVERRIDE",
                                                                            "DAC_READ_SEARCH",
                                                                            "FOWNER",
                                                                            "FSETID",
                                                                            "KILL",
                                                                            "SETGID",
                                                                            "SETUID",
                                                                            "SETPCAP",
                                                                            "LINUX_IMMUTABLE",
                                                                            "NET_BIND_SERVICE",
                                                                            "NET_BROADCAST",
                                                                            "NET_ADMIN",
                                                                            "NET_RAW",
                                                                            "IPC_LOCK",
                                                                            "IPC_OWNER",
                                                                            "SYS_MODULE",
                                                                            "SYS_RAWIO",
                                                                            "SYS_CHROOT",
                                                                            "SYS_PTRACE",
                                                                            "SYS_PACCT",
                                                                            "SYS_ADMIN",
                                                                            "SYS_BOOT",
                                                                            "SYS_NICE",
                                                                            "SYS_RESOURCE",
                                                                            "SYS_TIME",
                                                                            "SYS_TTY_CONFIG",
                                                                            "MKNOD",
                                                                            "LEASE",
                                                                            "AUDIT_WRITE",
                                                                            "AUDIT_CONTROL",
                                                                            "SETFCAP",
                                                                            "MAC_OVERRIDE",
                                                                            "MAC_ADMIN",
                                                                            "SYSLOG",
                                                                            "WAKE_ALARM",
                                                                            "BLOCK_SUSPEND",
                                                                            "AUDIT_READ",
                                                                            "PERFMON",
                                                                            "BPF",
                                                                            "CHECKPOINT_RESTORE"};

} // namespace

std::optional<std::uint32_t> capability_number(std::string_view text) {
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    std::string_view word = upper;
    if (word.starts_with("CAP_"))
        word.remove_prefix(4);
    const auto found = std::find(capability_list.begin(), capability_list.end(), word);
    if (found == capability_list.end())
        return std::nullopt;
    return static_cast<std::uint32_t>(found - capability_list.begin());
}

std::string capability_names(std::uint64_t set) {
    std::string out;
    for (std::size_t i = 0; i < capability_list.size(); ++i)
        if ((set >> i & 1) != 0)
            out += (out.empty() ? "" : " ") + std::string(capability_list[i]);
    return out;
}

std::string duration_text(std::uint32_t milliseconds) {
    if (milliseconds != 0 && milliseconds % 60'000 == 0)
        return std::to_string(milliseconds / 60'000) + "m";
    if (milliseconds % 1000 == 0)
        return std::to_string(milliseconds / 1000) + "s";
    return std::to_string(milliseconds) + "ms";
}

std::string size_text(std::uint64_t bytes) {
    const auto scaled = [&](std::uint64_t unit, const char* name) {
        std::array<char, 32> buffer{};
        const bool whole = bytes % unit == 0;
        std::snprintf(buffer.data(), buffer.size(), whole ? "%.0f %s" : "%.1f %s",
                      static_cast<double>(bytes) / static_cast<double>(unit), name);
        return std::string(buffer.data());
    };
    if (bytes >= gib)
        return scaled(gib, "GiB");
    if (bytes >= mib)
        return scaled(mib, "MiB");
    if (bytes >= kib)
        return scaled(kib, "KiB");
    return std::to_string(bytes) + " bytes";
}

} // namespace manifest
