// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/heart.cpp - beats for its watchdog, or stops doing so: `hang-once` spins with interrupts off in its
// first life and is well in its second one, `never` has no heartbeat at all, `beat` lives three intervals.
#include "partitions/adversary/runtime/guest.hpp"

namespace {

volatile unsigned long long& heartbeat() {
    return const_cast<caisson_boot_page&>(guest::boot_page()).heartbeat;
}

// Three intervals long, four beats in each.
void live_well() {
    const std::uint64_t quarter = guest::boot_page().tsc_hz / 1000 * guest::boot_page().watchdog_ms / 4;
    for (unsigned i = 0; i < 12; ++i) {
        const std::uint64_t start = cpu::rdtsc();
        while (cpu::rdtsc() - start < quarter)
            cpu::pause();
        heartbeat() = heartbeat() + 1;
    }
}

} // namespace

void guest_main() {
    const caisson_boot_page& page = guest::boot_page();
    base::Text<96> text;
    text << "heart: life " << page.generation << " watchdog=" << page.watchdog_ms
         << " beats=" << page.heartbeat << '\n';
    guest::print(text);
    const bool first = page.generation == 1;
    if (guest::command_line() != "never")
        live_well();
    if (guest::command_line() == "never" || (guest::command_line() == "hang-once" && first)) {
        guest::print("heart: stands still\n");
        cpu::interrupts_off();
        for (;;)
            cpu::pause();
    }
    guest::print("heart: well\n");
    guest::exit(0);
}
