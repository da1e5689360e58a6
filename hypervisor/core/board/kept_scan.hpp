// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/board/kept_scan.hpp - how a scan's description comes onto the stick that it was started from.
//
// Firmware writes files only while Boot Services are there, and the scan looks once they are gone. So the loader takes memory and
// notes its address in the file; the scan leaves its description in that memory and resets the machine; the loader of the next
// boot looks where the file says, and writes what is there into the file, in place. The file is JSON at every moment.
//
// Trust:      file and memory are whatever they are: the loader takes an address only where firmware's map has memory, and a
//             description only where its CRC is right. It proves nothing, no more than the serial line does.
#pragma once

#include "hypervisor/core/audit/crc32c.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace board {

// The file before a scan: this, 16 hexadecimal digits (the address, or 0), the end, spaces.
inline constexpr std::string_view unscanned_begin = R"({"schema":"caisson.no-scan/1","kept":"0x)";
inline constexpr std::string_view unscanned_end = "\"}\n";
inline constexpr std::size_t address_digits = 16;
inline constexpr std::size_t unscanned_bytes = unscanned_begin.size() + address_digits + unscanned_end.size();
inline constexpr std::size_t kept_bytes = 1u << 20; // of the file and of the memory

// The first bytes of the scan's module, where the loader wants the description kept.
struct KeepRequest {
    static constexpr std::uint64_t right_magic = 0x3153'4b45'4550'4c45;
    std::uint64_t magic = right_magic;
    std::uint64_t address = 0; // physical, of kept_bytes that nobody else uses
};
// The first bytes of that memory; the text follows.
struct KeptScan {
    static constexpr std::uint64_t right_magic = 0x3154'5045'4b4e'4353;
    std::uint64_t magic = right_magic;
    std::uint32_t bytes = 0;
    std::uint32_t crc = 0; // CRC-32C of the text
};
inline constexpr std::size_t longest_kept = kept_bytes - sizeof(KeptScan);

// The address that a file's beginning names; 0: none.
[[nodiscard]] constexpr std::uint64_t noted_address(std::string_view file) {
    if (file.size() < unscanned_bytes || !file.starts_with(unscanned_begin))
        return 0;
    std::uint64_t value = 0;
    for (const char digit : file.substr(unscanned_begin.size(), address_digits)) {
        if (!(digit >= '0' && digit <= '9') && !(digit >= 'a' && digit <= 'f'))
            return 0;
        value = value << 4 | static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return value;
}

// Such a beginning: `out` has unscanned_bytes.
constexpr void note_address(std::span<char> out, std::uint64_t address) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::size_t at = 0;
    for (const char c : unscanned_begin)
        out[at++] = c;
    for (unsigned shift = 64; shift != 0; shift -= 4)
        out[at++] = digits[address >> (shift - 4) & 15];
    for (const char c : unscanned_end)
        out[at++] = c;
}

[[nodiscard]] inline std::uint32_t sum_of(std::span<const char> text) {
    audit::Crc32c sum;
    for (const char c : text)
        sum.add(static_cast<std::uint8_t>(c));
    return sum.value();
}

// The description in memory of kept_bytes that a scan may have written to, or nothing.
[[nodiscard]] inline std::optional<std::string_view> kept_text(const KeptScan& head,
                                                               std::span<const char> after) {
    if (head.magic != KeptScan::right_magic || head.bytes == 0 || head.bytes > longest_kept ||
        head.bytes > after.size() || sum_of(after.first(head.bytes)) != head.crc)
        return std::nullopt;
    return std::string_view{after.data(), head.bytes};
}

} // namespace board
