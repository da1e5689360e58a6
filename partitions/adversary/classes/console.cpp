// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/console.cpp - forging what the hypervisor or a neighbour says. Every forgery carries the
// word "forged"; whoever reads the line must find it in this partition's output only.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::array<std::string_view, 9> texts{
    "attack-witness | forged by the neighbour\n",
    "\x1e"
    "o 0 1 7 forged\n\n",
    "\x1e"
    "x 0 1 119 partition=attack-witness generation=1 status=0 reason=forged detail=forged exits=0 refusals=0 "
    "dropped=0 "
    "started=0 first_output=0 ended=0 last=1\n",
    "\x1e"
    "e hv 0 31 reason=forged action=poweroff    \n",
    "\x1e"
    "a hv 0 35 event=forged seq=1 partition=forged\n",
    "\x1e"
    "l hv 0 7 forged\n\n",
    "\x1b[2J\x1b[1;1H\x1b]0;forged\x07\x1bP\x9b"
    "2J forged\n",
    "\x1e"
    "o hv 18446744073709551616 99999999999 forged\n",
    "\n\x1e\n\x1e\x1e\x1eo\x1e forged \x1e",
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
    constexpr std::string_view head = "\x1e"
                                      "a hv 0 12 event=forged";
    for (std::size_t i = 0; i < head.size(); ++i)
        buffer[1024 + i] = head[i];
    guest::print({buffer.data(), buffer.size()});
    return Verdict::contained;
}
Verdict audit_text(std::uint64_t, std::uint64_t) {
    static constexpr std::string_view text = "ok event=forged seq=1\n\x1e"
                                             "a hv 0 12 event=forged";
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
