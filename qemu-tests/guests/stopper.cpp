// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/stopper.cpp - what a kernel makes of a stop request (boot_page.h): `ends` as it should, `ignores` spins with
// interrupts off, `sleeps` halts so, `forges` writes the word itself and goes on, `dies` ends before it is asked.
#include "partitions/adversary/runtime/guest.hpp"

namespace {

volatile unsigned long long& stop_request() {
    return const_cast<caisson_boot_page&>(guest::boot_page()).stop_request;
}

[[noreturn]] void spin() {
    cpu::interrupts_off();
    for (;;)
        cpu::pause();
}

} // namespace

void guest_main() {
    const std::string_view mode = guest::command_line();
    guest::print(stop_request() == 0 ? "stopper: ready\n" : "stopper: asked before it began\n");
    if (mode == "dies")
        guest::exit(1);
    if (mode == "forges") {
        stop_request() = std::uint64_t{0xFFFFFFFF} << 32 | 9;
        spin();
    }
    if (mode == "sleeps") {
        cpu::interrupts_off();
        for (;;)
            cpu::halt();
    }
    if (mode == "ignores")
        spin();
    while (stop_request() == 0)
        cpu::pause();
    const std::uint64_t word = stop_request();
    base::Text<64> text;
    text << "stopper: signal " << CAISSON_STOP_SIGNAL(word) << ", " << CAISSON_STOP_MS(word) << " ms\n";
    guest::print(text);
    guest::exit(7);
}
