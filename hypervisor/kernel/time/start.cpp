// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/start.hpp"

#include "drivers/clock/counters.hpp"
#include "drivers/uart/start.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/dma/start.hpp"
#include "hypervisor/kernel/making.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/time/find_watchdog.hpp"
#include "hypervisor/kernel/time/source.hpp"

#include <algorithm>

namespace hv::alarm {
namespace {

// The page that these registers lie in (plan::check_devices: nothing else does).
base::Status<paging::Error> add_page(AddressSpace& space, std::uint64_t registers) {
    return space.add_device(base::PhysAddr{base::round_down(registers, base::page_size)}, base::page_size);
}

constinit base::FixedVector<drivers::Store, 16> watchdog_start;

// Where firmware still answers the button itself, it is told that somebody else does now (ACPI 6.5 section 4.8.2.5).
void take_button() {
    constexpr std::uint16_t answers_to_us = 1, button = 1u << 8, enable_at = 2;
    const acpi::Fadt& fadt = machine().fadt;
    const auto answers = [&fadt] {
        return !fadt.pm1a_control || (ports.in16(*fadt.pm1a_control) & answers_to_us) != 0;
    };
    if (fadt.command && !answers())
        ports.out8(*fadt.command, fadt.enable);
    for (const Deadline patience{1000}; !answers() && !patience.passed();) // Linux gives it three seconds
        cpu::pause();
    ports.out16(source.button, button); // what was pressed before
    ports.out16(static_cast<std::uint16_t>(source.button + enable_at), button);
    button_at = cpu::rdtsc() + ticks(feed_ms / 8);
}

drivers::HpetCounter<cpu::Registers> counter() {
    return drivers::HpetCounter{registers(source.hpet_page)};
}

} // namespace

base::Status<paging::Error> start(AddressSpace& space, bool needed, bool com1) {
    const Machine& m = machine();
    Pit{ports}.cancel();
    source.pin = drivers::pit_pin;
    // Only the serial line wants it: then it waits for an idle CPU or the next exit, no reason to refuse the machine.
    const auto without = [needed](auto why) -> base::Status<paging::Error> {
        if (needed)
            refuse_to_start(plan::time_needed, why);
        return base::success;
    };
    const auto* const io_apic = std::ranges::find(tables().io_apics, 0u, &acpi::IoApic::gsi_base);
    if (io_apic == tables().io_apics.end() || !early_mapped(io_apic->address, base::page_size))
        return without(plan::without_io_apic);
    Cpu* const cpu = m.cpus[bound_plan().time_cpu()];
    if (m.behaviour.has(plan::flag_power_button)) {
        if (!m.fadt.button)
            refuse_to_start(plan::no_button, plan::without_button);
        if (bound_plan().cpus[cpu->index].partition != plan::no_index)
            refuse_to_start(plan::no_button, plan::button_without_cpu);
        source.button = *m.fadt.button;
    }
    const auto route = dma::nmi_redirection(io_apic->id, cpu->apic_id);
    if (!route)
        return without(plan::time_blocked);
    source.redirection = *route;
    source.hpet_page = tables().hpet;
    const bool mapped = source.hpet_page != 0 && early_mapped(source.hpet_page, base::page_size);
    if (const auto reachable = mapped ? counter().pin() : std::nullopt) {
        source.pin = *reachable;
        counter().start(source.pin);
        CAISSON_TRY(add_page(space, source.hpet_page));
    } else {
        source.hpet_page = 0;
        if (!drivers::PitCounter{ports}.counts())
            return without(plan::without_timer);
    }
    source.cpu = cpu;
    source.io_apic_page = io_apic->address;
    source.listens = com1 && m.behaviour.has(plan::flag_serial_stop);
    CAISSON_TRY(add_page(space, source.io_apic_page));
    if (m.behaviour.on_panic != plan::OnPanic::reboot)
        return base::success;
    const auto watchdog = prepare_watchdog();
    if (!watchdog) {
        console::log(
            "the machine has no hardware watchdog that can be fed: onPanic is the hypervisor's alone");
        return base::success;
    }
    constexpr std::array names{"", "the i6300esb", "the TCO timer", "the one of firmware's WDAT"};
    console::log(
        (LogLine{} << "hardware watchdog: " << names[static_cast<std::size_t>(watchdog->kind)]).view());
    source.watchdog = watchdog->watchdog;
    watchdog_start = watchdog->start;
    // Only what is stored to once the hypervisor's own tables are used.
    for (const drivers::Store& store : watchdog->start)
        if (store.in_memory) {
            CAISSON_TRY(add_page(space, store.at));
            break;
        }
    return base::success;
}

void look_after(Timed& timed) {
    base::expects(source.all.push_back(&timed), "more partitions than a plan holds");
}

void begin() {
    if (source.io_apic_page != 0)
        drivers::route(registers(source.io_apic_page), source.pin, source.redirection);
    if (source.listens) {
        drivers::route(registers(source.io_apic_page), drivers::com1_pin, source.redirection);
        nmi_may_come();
        console::listen(true);
    }
    if (source.button != 0)
        take_button();
    if (!watchdog_start.empty()) {
        drivers::play(cpu::PortsAndMemory{}, watchdog_start);
        feed_at = base::weak("stop_feeding") ? 0 : cpu::rdtsc() + ticks(feed_ms);
    }
    if (feed_at != 0 || button_at != 0)
        set();
}

} // namespace hv::alarm
