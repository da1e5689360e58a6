// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/canary.cpp - fills its memory with a pattern and looks for the time its command line gives (in
// milliseconds) whether anybody else wrote there. Status: 0 nothing changed, 3 something did.
#include "partitions/adversary/runtime/guest.hpp"

namespace {

constexpr std::uint64_t first = 4u << 20; // above its own image and tables

std::uint64_t pattern(std::uint64_t address) {
    return address * 0x9e3779b97f4a7c15 + 1;
}
volatile std::uint64_t* word(std::uint64_t address) {
    // SAFETY: identity-mapped RAM of this guest that nothing else uses.
    return reinterpret_cast<volatile std::uint64_t*>(address);
}

} // namespace

void guest_main() {
    std::uint64_t milliseconds = 0;
    for (const char c : guest::command_line())
        if (c >= '0' && c <= '9')
            milliseconds = milliseconds * 10 + static_cast<std::uint64_t>(c - '0');
    const caisson_boot_page& page = guest::boot_page();
    const std::uint64_t end = page.memory_bytes;
    for (std::uint64_t at = first; at < end; at += 512)
        *word(at) = pattern(at);
    guest::print("canary: watching\n");
    const std::uint64_t until = cpu::rdtsc() + milliseconds * (page.tsc_hz / 1000);
    while (cpu::rdtsc() < until) {
    }
    std::uint64_t changed = 0, where = 0;
    for (std::uint64_t at = first; at < end; at += 512)
        if (*word(at) != pattern(at)) {
            ++changed;
            where = at;
        }
    base::Text<128> text;
    text << "canary: changed=" << changed;
    if (changed != 0)
        text << " last=" << base::hex(where);
    text << '\n';
    guest::print(text);
    guest::exit(changed == 0 ? 0 : 3);
}
