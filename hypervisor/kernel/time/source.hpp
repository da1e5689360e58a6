// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/source.hpp - the devices that time comes from, found by start.cpp.
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/clock/clock.hpp"
#include "drivers/watchdog/i6300esb.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv::alarm {

using Pit = drivers::Pit<cpu::Ports>;
inline constexpr cpu::Ports ports{};

struct Source {
    Cpu* cpu = nullptr;             // that is interrupted
    std::uint64_t hpet_page = 0;    // 0: the PIT
    std::uint64_t io_apic_page = 0; // 0: there is none
    std::uint64_t redirection = 0;  // of the pin, in the I/O APIC
    unsigned pin = 0;
    std::optional<drivers::I6300esb> watchdog;
};
extern Source source;

inline cpu::Registers registers(std::uint64_t physical) {
    return cpu::Registers{base::VirtAddr{physical}};
}

inline drivers::Hpet<cpu::Registers> hpet() {
    return drivers::Hpet{registers(source.hpet_page)};
}

} // namespace hv::alarm
