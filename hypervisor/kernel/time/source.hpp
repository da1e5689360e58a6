// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/source.hpp - the devices that time comes from, found by start.cpp.
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/clock/clock.hpp"
#include "drivers/uart/uart.hpp"
#include "drivers/watchdog/watchdog.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/time/alarm.hpp"

namespace hv::alarm {

using Pit = drivers::Pit<cpu::Ports>;
inline constexpr cpu::Ports ports{};

struct Source {
    Cpu* cpu = nullptr;             // that is interrupted
    std::uint64_t hpet_page = 0;    // 0: the PIT
    std::uint64_t io_apic_page = 0; // 0: there is none
    std::uint64_t redirection = 0;  // of the pin, in the I/O APIC
    unsigned pin = 0;
    std::uint16_t button = 0;   // the port of PM1 status; 0: nobody looks at the power button
    bool listens = false;       // the serial line's input interrupts it too
    drivers::Watchdog watchdog; // no stores: there is none
    base::FixedVector<Timed*, plan::max_partitions> all; // who may wait, by partition
};
extern Source source;

// The hardware watchdog is fed so often; twice its stage (find_watchdog.cpp) without that, and it resets the machine.
inline constexpr std::uint64_t feed_ms = 2000;
extern std::atomic<std::uint64_t> feed_at, button_at; // TSC; 0: never

inline std::uint64_t ticks(std::uint64_t milliseconds) {
    return milliseconds * (machine().times.tsc_hz / 1000);
}
// One of these devices may interrupt once more (platform_nmi.hpp counts that).
void nmi_may_come();
// Sets the hardware to the earliest time that anybody waits for.
void set();

inline cpu::Registers registers(std::uint64_t physical) {
    return cpu::Registers{base::VirtAddr{physical}};
}

inline drivers::Hpet<cpu::Registers> hpet() {
    return drivers::Hpet{registers(source.hpet_page)};
}

} // namespace hv::alarm
