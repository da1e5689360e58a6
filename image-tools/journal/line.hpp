// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/line.hpp - an audit record as a line of JSON and back.
//
// One writing a record: what is read must be, byte for byte, what would be written, so that no change of a line goes
// unseen because it means the same. Values stay escaped as they stood on the serial line: printable ASCII, no spaces.
// Trust:      lines are anything; nothing here throws on them.
// Invariants: to_line(r) read back gives r; a line that reads is to_line of what it reads as.
#pragma once

#include "hypervisor/core/audit/log.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace journal {

inline constexpr std::size_t longest_line = 8192;

struct Record {
    std::string event;
    std::uint64_t seq = 0, time = 0;
    std::vector<std::pair<std::string, std::string>> pairs; // what the event says, in order
    audit::Hash hash{};
    std::optional<audit::Mac> mac;

    // The value of one pair; empty when there is none.
    [[nodiscard]] std::string_view value(std::string_view key) const;
    // The bytes that its hash covers.
    [[nodiscard]] std::string text() const;
};

// The class of an event: configuration, integrity, stop, refusal, fault, close; any other event (start, restart, note) is
// its own class.
[[nodiscard]] std::string_view kind_of(std::string_view event);

// From a frame's payload. Nothing when it is no audit record.
[[nodiscard]] std::optional<Record> from_payload(std::string_view payload);

// {"seq":0,"time":1,"kind":"...","event":"...",...,"hash":"...","mac":"..."} without a line end.
[[nodiscard]] std::string to_line(const Record& record);
[[nodiscard]] std::optional<Record> from_line(std::string_view line);

// Exactly `out.size()` bytes in lower-case hexadecimal digits.
[[nodiscard]] bool unhex(std::string_view text, std::span<std::uint8_t> out);

} // namespace journal
