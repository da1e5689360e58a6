// SPDX-License-Identifier: Apache-2.0
// image-tools/board/read.hpp - a board's description (caisson.board/1, docs/boards.md) read back.
//
// Trust:      the text is anybody's. Whatever read() gives, the hypervisor's own bind() and check() may be asked about.
// Invariants: every member is there, once, and of its kind; nothing else is; what acpi::parse() promises of its results holds.
#pragma once

#include "hypervisor/core/board/facts.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace board {

inline constexpr std::uint64_t largest_description = std::uint64_t{4} << 20;

// Throws E0425 with the path of what is wrong; `file` for messages.
std::unique_ptr<Facts> read(std::string_view text, const std::string& file);
// Throws besides E0601 (not readable) and E0801 (too large).
std::unique_ptr<Facts> load(const std::filesystem::path& file);

// As core/board writes it.
std::string to_text(const Facts& facts);

// "00:1f.3" as a requester ID, or nothing.
std::optional<pci::Requester> requester_of(std::string_view text);

} // namespace board
