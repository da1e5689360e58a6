// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/alarm.hpp"

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#include "hypervisor/kernel/time/source.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>

namespace hv::alarm {

CAISSON_CONSTANT_AFTER_BOOT constinit Source source{};

namespace {

// The machine is reset when it has not been fed for twice the first; it is fed after the second.
constexpr std::uint32_t watchdog_stage_ms = 5000;
constexpr std::uint64_t feed_ms = 2000;

constinit base::FixedVector<Timed*, plan::max_partitions> all;
constinit TicketLock lock; // of the alarm's registers and `armed`
constinit std::atomic<bool> armed{false};
constinit std::atomic<std::uint64_t> feed_at{0};
constinit std::atomic<std::uint64_t> line_at{0}; // the next visit to the line
constinit std::atomic<Cpu*> drainer{nullptr};    // the first CPU without a partition
constinit std::atomic<bool> draining{false};     // it is awake

std::uint64_t ticks(std::uint64_t milliseconds) {
    return milliseconds * (machine().times.tsc_hz / 1000);
}

// Sets the hardware to the earliest time that anybody waits for.
void set() {
    const Locked held{lock};
    std::uint64_t next = feed_at.load(std::memory_order_acquire);
    if (const std::uint64_t at = line_at.load(std::memory_order_acquire); at != 0 && (next == 0 || at < next))
        next = at;
    for (const Timed* timed : all)
        for (const auto* due : {&timed->beat_due, &timed->resume_at})
            if (const std::uint64_t at = due->load(std::memory_order_acquire);
                at != 0 && (next == 0 || at < next))
                next = at;
    const std::uint64_t now = cpu::rdtsc();
    const std::uint64_t left = next > now ? drivers::nanoseconds(next - now, machine().times.tsc_hz) : 0;
    if (next != 0)
        source.hpet_page != 0 ? hpet().set(left) : Pit{ports}.set(left);
    else if (armed)
        source.hpet_page != 0 ? hpet().cancel() : Pit{ports}.cancel();
    armed = next != 0;
}

constexpr std::uint64_t line_load_ms = 2; // 16 bytes at 115200 baud take 1.4

void visit_line(std::uint64_t now) {
    console::visit_in_passing();
    const bool more = console::something_waits() && drainer.load(std::memory_order_acquire) == nullptr;
    line_at.store(more ? now + ticks(line_load_ms) : 0, std::memory_order_release);
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

void look_after(Timed& timed) {
    base::expects(all.push_back(&timed), "more partitions than a plan holds");
}

void begin() {
    if (source.io_apic_page != 0)
        drivers::route(registers(source.io_apic_page), source.pin, source.redirection);
    if (!source.watchdog)
        return;
    drivers::PciConfiguration pci{ports};
    source.watchdog->start(pci, registers(source.watchdog->registers), watchdog_stage_ms);
    feed_at = base::weak(base::Weakness::stop_feeding) ? 0 : cpu::rdtsc() + ticks(feed_ms);
    set();
}

void stop_watchdog() {
    drivers::PciConfiguration pci{ports};
    if (source.watchdog)
        source.watchdog->stop(pci);
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

void line_waits() {
    if (!console::something_waits())
        return;
    if (Cpu* const idle = drainer.load(std::memory_order_acquire); idle != nullptr) {
        if (!draining.exchange(true, std::memory_order_acq_rel))
            request(*idle, request_look);
        return;
    }
    std::uint64_t none = 0;
    if (source.io_apic_page != 0 && line_at.compare_exchange_strong(none, cpu::rdtsc() + ticks(line_load_ms)))
        set();
}

void drain_line(Cpu& cpu) {
    Cpu* none = nullptr;
    if (drainer.load(std::memory_order_acquire) != &cpu && !drainer.compare_exchange_strong(none, &cpu))
        return;
    do {
        draining.store(true, std::memory_order_release);
        while (console::something_waits() && cpu.requests.load(std::memory_order_acquire) == 0) {
            console::serve();
            virt::take_pending_nmi();
        }
        draining.store(false, std::memory_order_seq_cst);
    } while (console::something_waits() && cpu.requests.load(std::memory_order_acquire) == 0);
}

bool is_here() {
    return &this_cpu() == source.cpu;
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
    if (const std::uint64_t at = line_at.load(std::memory_order_acquire); at != 0 && at <= now)
        visit_line(now);
    if (const std::uint64_t feed = feed_at.load(std::memory_order_acquire); feed != 0 && feed <= now) {
        drivers::I6300esb::feed(registers(source.watchdog->registers));
        feed_at.store(now + ticks(feed_ms), std::memory_order_release);
    }
    set();
}

} // namespace hv::alarm
