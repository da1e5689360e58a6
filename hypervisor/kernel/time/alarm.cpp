// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/alarm.hpp"

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/clock/clock.hpp"
#include "drivers/watchdog/i6300esb.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/console/ticket_lock.hpp"
#include "hypervisor/kernel/dma/dma.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>

namespace hv::alarm {
namespace {

using Pit = drivers::Pit<cpu::Ports>;

// The machine is reset when it has not been fed for twice the first; it is fed after the second.
constexpr std::uint32_t watchdog_stage_ms = 5000;
constexpr std::uint64_t feed_ms = 2000;
constexpr std::string_view needed =
    "the plan needs time interrupts (a watchdog or a delay before restarts), and this machine";

constexpr cpu::Ports ports{};
constinit Cpu* time_cpu = nullptr;
constinit base::FixedVector<Timed*, plan::max_partitions> all;
constinit std::uint64_t hpet_page = 0;    // 0: the PIT
constinit std::uint64_t io_apic_page = 0; // 0: nobody needs time
constinit std::uint64_t redirection = 0;
constinit unsigned pin = Pit::pin;
constinit drivers::PciConfiguration pci{ports};
constinit std::optional<drivers::I6300esb> watchdog;
constinit TicketLock lock; // of the alarm's registers and `armed`
constinit std::atomic<bool> armed{false};
constinit std::atomic<std::uint64_t> feed_at{0};

cpu::Registers registers(std::uint64_t physical) {
    return cpu::Registers{base::VirtAddr{physical}};
}

drivers::Hpet<cpu::Registers> hpet() {
    return drivers::Hpet{registers(hpet_page)};
}

std::uint64_t ticks(std::uint64_t milliseconds) {
    return milliseconds * (machine().times.tsc_hz / 1000);
}

// Sets the hardware to the earliest time that anybody waits for.
void set() {
    const Locked held{lock};
    std::uint64_t next = feed_at.load(std::memory_order_acquire);
    for (const Timed* timed : all)
        for (const auto* due : {&timed->beat_due, &timed->resume_at})
            if (const std::uint64_t at = due->load(std::memory_order_acquire);
                at != 0 && (next == 0 || at < next))
                next = at;
    const std::uint64_t now = cpu::rdtsc();
    const std::uint64_t left = next > now ? drivers::nanoseconds(next - now, machine().times.tsc_hz) : 0;
    if (next != 0)
        hpet_page != 0 ? hpet().set(left) : Pit{ports}.set(left);
    else if (armed)
        hpet_page != 0 ? hpet().cancel() : Pit{ports}.cancel();
    armed = next != 0;
}

std::uint64_t heartbeat(const Timed& timed) {
    constexpr base::GuestPhysAddr at{CAISSON_GPA_BOOT_PAGE + offsetof(caisson_boot_page, heartbeat)};
    std::uint64_t value = 0;
    if (const auto window = Window::guest(WindowSide::source, timed.partition, at, sizeof(value), false))
        std::memcpy(&value, window->bytes().data(), sizeof(value));
    return value;
}

// Its interval is over. The primary stops it: if the life that hangs is still the present one.
void check_heartbeat(Timed& timed, std::uint64_t due, std::uint64_t now) {
    const std::uint64_t life = timed.life.load(std::memory_order_acquire);
    const std::uint64_t beat = heartbeat(timed);
    const bool alive = timed.last_beat.exchange(beat, std::memory_order_acq_rel) != beat;
    if (!timed.beat_due.compare_exchange_strong(due, alive ? now + ticks(timed.interval_ms) : 0) || alive)
        return;
    timed.hung.store(life, std::memory_order_release);
    request(*timed.cpu, request_hung);
}

} // namespace

base::Status<paging::Error> start(AddressSpace& space) {
    Machine& m = machine();
    Pit{ports}.cancel();
    if (!m.plan->needs_time())
        return base::success;
    const auto* const io_apic = std::ranges::find(m.acpi.io_apics, 0u, &acpi::IoApic::gsi_base);
    if (io_apic == m.acpi.io_apics.end() || m.times.tsc_hz < 1000 ||
        !early_mapped(io_apic->address, base::page_size))
        refuse_to_start(needed, " has no I/O APIC or no timer that runs");
    time_cpu = m.cpus[m.bound.time_cpu()];
    const auto route = dma::nmi_redirection(io_apic->id, time_cpu->apic_id);
    if (!route)
        refuse_to_start(
            needed, "'s IOMMU would block them: its firmware's DMAR or IVRS does not list their I/O APIC");
    redirection = *route;
    hpet_page = m.acpi.hpet;
    const bool mapped = hpet_page != 0 && early_mapped(hpet_page, base::page_size);
    if (const auto reachable = mapped ? hpet().pin() : std::nullopt) {
        pin = *reachable;
        hpet().start(pin);
        CAISSON_TRY(space.add_device(base::PhysAddr{hpet_page}, base::page_size));
    } else {
        hpet_page = 0;
    }
    io_apic_page = io_apic->address;
    CAISSON_TRY(space.add_device(base::PhysAddr{io_apic_page}, base::page_size));
    if (m.plan->header().on_panic == plan::OnPanic::reboot)
        watchdog = drivers::I6300esb::find(pci);
    if (watchdog && early_mapped(watchdog->registers, base::page_size)) {
        const base::PhysAddr page{base::round_down(watchdog->registers, base::page_size)};
        CAISSON_TRY(space.add_device(page, base::page_size));
    }
    return base::success;
}

void look_after(Timed& timed) {
    base::expects(all.push_back(&timed), "more partitions than a plan holds");
}

void begin() {
    if (io_apic_page != 0)
        drivers::route(registers(io_apic_page), pin, redirection);
    if (!watchdog)
        return;
    watchdog->start(pci, registers(watchdog->registers), watchdog_stage_ms);
    feed_at = base::weak(base::Weakness::stop_feeding) ? 0 : cpu::rdtsc() + ticks(feed_ms);
    set();
}

void stop_watchdog() {
    if (watchdog)
        watchdog->stop(pci);
}

void watch(Timed& timed, std::uint64_t generation) {
    if (timed.interval_ms == 0)
        return;
    timed.life.store(generation, std::memory_order_release);
    timed.last_beat.store(0, std::memory_order_release);
    timed.beat_due.store(cpu::rdtsc() + ticks(timed.interval_ms), std::memory_order_release);
    set();
}

void unwatch(Timed& timed) {
    timed.beat_due.store(0, std::memory_order_release);
}

void wait(Timed& timed, std::uint64_t milliseconds) {
    if (milliseconds == 0)
        return;
    timed.resume_at.store(cpu::rdtsc() + ticks(milliseconds), std::memory_order_release);
    set();
    sleep_until(*timed.cpu, [&timed] { return timed.resume_at.load(std::memory_order_acquire) == 0; });
}

bool is_here() {
    return &this_cpu() == time_cpu;
}

void look() {
    if (!is_here() || !armed)
        return;
    const std::uint64_t now = cpu::rdtsc();
    for (Timed* timed : all) {
        const std::uint64_t resume = timed->resume_at.load(std::memory_order_acquire);
        if (resume != 0 && resume <= now) {
            timed->resume_at.store(0, std::memory_order_release);
            request(*timed->cpu, request_look);
        }
        const std::uint64_t beat = timed->beat_due.load(std::memory_order_acquire);
        if (beat != 0 && beat <= now)
            check_heartbeat(*timed, beat, now);
    }
    if (const std::uint64_t feed = feed_at.load(std::memory_order_acquire); feed != 0 && feed <= now) {
        watchdog->feed(registers(watchdog->registers));
        feed_at.store(now + ticks(feed_ms), std::memory_order_release);
    }
    set();
}

} // namespace hv::alarm
