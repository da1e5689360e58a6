// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/console.cpp - forging what the hypervisor or a neighbour says. Every forgery carries the
// word "forged"; whoever reads the line must find it in this partition's output only.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

// A whole frame as the hypervisor makes them (partitions/abi/console.h), checksum and all. It has number 0, as the first
// one after a reset: no other can be known.
struct Frame {
    constexpr Frame(std::string_view type, std::string_view partition, std::string_view payload) {
        add("\x1e");
        for (const std::string_view text :
             {type, sep, std::string_view{"0"}, sep, partition, sep, std::string_view{"1"}, sep, payload})
            add(text);
        std::uint32_t crc = ~std::uint32_t{0};
        for (std::size_t i = 1; i < size; ++i) {
            crc ^= static_cast<std::uint8_t>(bytes[i]);
            for (int bit = 0; bit < 8; ++bit)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
        }
        const std::size_t length = size - 1;
        add(sep);
        for (std::size_t power = 100; power > 0; power /= 10)
            if (length >= power)
                bytes[size++] = static_cast<char>('0' + length / power % 10);
        add(sep);
        for (int shift = 28; shift >= 0; shift -= 4)
            bytes[size++] = "0123456789abcdef"[~crc >> shift & 15];
        add("\n");
    }
    constexpr void add(std::string_view text) {
        for (const char c : text)
            bytes[size++] = c;
    }
    [[nodiscard]] constexpr std::string_view view() const { return {bytes.data(), size}; }

    static constexpr std::string_view sep = "\x1f";
    std::array<char, 256> bytes{};
    std::size_t size = 0;
};

constexpr Frame output_frame{"o", "0", "forged\n"}, log_frame{"l", "hv", "forged"},
    end_frame{"e", "hv", "reason=forged action=poweroff"},
    audit_frame{"a", "hv", "event=forged seq=1 partition=forged"},
    exit_frame{
        "x", "0",
        "partition=attack-witness generation=1 status=0 reason=forged detail=forged exits=0 refusals=0 "
        "dropped=0 started=0 first_output=0 ended=0 last=1"};

constexpr std::array<std::string_view, 9> texts{
    "attack-witness | forged by the neighbour\n",
    output_frame.view(),
    exit_frame.view(),
    end_frame.view(),
    audit_frame.view(),
    log_frame.view(),
    "\x1b[2J\x1b[1;1H\x1b]0;forged\x07\x1bP\x9b"
    "2J forged\n",
    "\x1e"
    "o\x1f"
    "18446744073709551616\x1fhv\x1f"
    "99999999999 forged\n",
    "\n\x1e\n\x1e\x1e\x1eo\x1e\x1d\x1f\x1f\x1d forged \x1e",
};

Verdict say(std::uint64_t which, std::uint64_t) {
    guest::print(texts[which]);
    return Verdict::contained;
}
// The same, a byte a call, so that each may end a frame of its own.
Verdict say_bytewise(std::uint64_t which, std::uint64_t) {
    for (const char byte : texts[which])
        while (guest::call(CAISSON_CALL_CONSOLE_PUT, static_cast<std::uint8_t>(byte), 1).value == 0)
            cpu::pause();
    return Verdict::contained;
}
Verdict say_by_uart(std::uint64_t which, std::uint64_t) {
    for (const char byte : texts[which])
        cpu::Ports::out8(0x3F8, static_cast<std::uint8_t>(byte));
    return Verdict::contained;
}
Verdict every_byte(std::uint64_t, std::uint64_t) {
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        guest::print({&c, 1});
    }
    return Verdict::contained;
}
// A frame whose head ends exactly where a frame of the hypervisor is cut off.
Verdict split_at_frame_end(std::uint64_t, std::uint64_t) {
    alignas(4096) static std::array<char, 4096> buffer;
    buffer.fill('.');
    constexpr std::string_view head = audit_frame.view();
    for (std::size_t i = 0; i < head.size(); ++i)
        buffer[1024 + i] = head[i];
    guest::print({buffer.data(), buffer.size()});
    return Verdict::contained;
}
Verdict audit_text(std::uint64_t, std::uint64_t) {
    constexpr std::string_view text = audit_frame.view();
    (void)guest::call(CAISSON_CALL_AUDIT, reinterpret_cast<std::uint64_t>(text.data()), text.size());
    return Verdict::contained;
}

constexpr std::array<Case, 15> cases{{
    {"prefix", Verdict::contained, say, 0},
    {"frame-of-neighbour", Verdict::contained, say, 1},
    {"exit-record", Verdict::contained, say, 2},
    {"end-record", Verdict::contained, say, 3},
    {"audit-record", Verdict::contained, say, 4},
    {"log-line", Verdict::contained, say, 5},
    {"escape-sequences", Verdict::contained, say, 6},
    {"malformed-head", Verdict::contained, say, 7},
    {"frame-starts-only", Verdict::contained, say, 8},
    {"exit-record-bytewise", Verdict::contained, say_bytewise, 2},
    {"audit-record-bytewise", Verdict::contained, say_bytewise, 4},
    {"exit-record-by-uart", Verdict::contained, say_by_uart, 2},
    {"every-byte", Verdict::contained, every_byte},
    {"split-at-frame-end", Verdict::contained, split_at_frame_end},
    {"audit-text", Verdict::contained, audit_text},
}};

} // namespace

std::span<const Case> console_cases() {
    return cases;
}

} // namespace attack
