// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/alarm.hpp"

#include "hypervisor/core/vcpu/lifecycle.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/cpu/platform_nmi.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#include "hypervisor/kernel/time/source.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/console.h"

#include <algorithm>
#include <cstring>

namespace hv::alarm {

CAISSON_CONSTANT_AFTER_BOOT constinit Source source{};

namespace {

constinit TicketLock lock; // of the alarm's registers and `armed`
constinit std::atomic<bool> armed{false};
constinit std::atomic<std::uint64_t> line_at{0};   // the next visit to the line
constinit std::atomic<std::uint64_t> listen_at{0}; // its input interrupts again
constinit std::atomic<bool> machine_ending{false};
constinit std::atomic<Cpu*> drainer{nullptr}; // the first CPU without a partition
constinit std::atomic<bool> draining{false};  // it is awake

} // namespace

constinit std::atomic<std::uint64_t> feed_at{0}, button_at{0};
constinit std::atomic<bool> button_pressed{false};

void nmi_may_come() {
    source.cpu->kicks.fetch_add(1, std::memory_order_acq_rel);
}

// Sets the hardware to the earliest time that anybody waits for.
void set() {
    const Locked held{lock};
    std::uint64_t next = 0;
    const auto consider = [&next](const std::atomic<std::uint64_t>& due) {
        const std::uint64_t at = due.load(std::memory_order_acquire);
        if (at != 0 && (next == 0 || at < next))
            next = at;
    };
    for (const auto* due : {&feed_at, &button_at, &line_at, &listen_at})
        consider(*due);
    for (const Timed* timed : source.all)
        for (const auto* due : {&timed->beat_due, &timed->stop_due, &timed->resume_at, &timed->leave_due})
            consider(*due);
    const std::uint64_t now = cpu::rdtsc();
    const std::uint64_t left = next > now ? drivers::nanoseconds(next - now, machine().times.tsc_hz) : 0;
    if (next != 0)
        nmi_may_come();
    if (next != 0)
        source.hpet_page != 0 ? hpet().set(left) : Pit{ports}.set(left);
    else if (armed)
        source.hpet_page != 0 ? hpet().cancel() : Pit{ports}.cancel();
    armed = next != 0;
}

namespace {

// A little later than a primary gives its siblings.
constexpr std::uint64_t leave_ms = vcpu::leave_ms + 1000;
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

// The primary stops that life, if it is still the present one.
void stop_life(Timed& timed, std::uint64_t life, std::uint64_t now) {
    timed.hung.store(life, std::memory_order_release);
    timed.leave_due.store(now + ticks(leave_ms), std::memory_order_release);
    request(*timed.cpu, request_hung);
}

// Its interval is over.
void check_heartbeat(Timed& timed, std::uint64_t due, std::uint64_t now) {
    const std::uint64_t life = timed.life.load(std::memory_order_acquire);
    const std::uint64_t beat = heartbeat(timed);
    const bool alive = timed.last_beat.exchange(beat, std::memory_order_acq_rel) != beat;
    if (!timed.beat_due.compare_exchange_strong(due, alive ? now + ticks(timed.interval_ms) : 0) || alive)
        return;
    stop_life(timed, life, now);
}

// Writes the request where its kernel looks. From two CPUs at once the same is written; nothing is read, so what the guest
// makes of the word is its own affair.
void ask_to_end(Timed& timed) {
    constexpr base::GuestPhysAddr at{CAISSON_GPA_BOOT_PAGE + offsetof(caisson_boot_page, stop_request)};
    if (const auto window =
            Window::guest(WindowSide::target, timed.partition, at, sizeof(timed.stop_word), true))
        std::memcpy(window->bytes().data(), &timed.stop_word, sizeof(timed.stop_word));
    std::uint64_t none = 0;
    timed.stop_due.compare_exchange_strong(none, cpu::rdtsc() + ticks(CAISSON_STOP_MS(timed.stop_word)));
}

// What came on the serial line. Then it is silent for a while: whoever is at its other end cannot keep this CPU busy.
void hear(std::uint64_t now) {
    constexpr std::uint64_t silent_ms = 100;
    constexpr unsigned most = 16; // a FIFO
    const std::uint64_t until = listen_at.load(std::memory_order_acquire);
    if (now < until)
        return;
    bool any = false, stop = false;
    for (unsigned i = 0; i < most; ++i) {
        const auto byte = console::heard();
        if (!byte)
            break;
        any = true;
        stop = stop || *byte == CAISSON_STOP_BYTE;
    }
    if (!any && until != 0)
        nmi_may_come();
    if (any || until != 0)
        console::listen(!any);
    listen_at.store(any ? now + ticks(silent_ms) : 0, std::memory_order_release);
    if (stop)
        end_all("serial");
}

void wake(Timed& timed) {
    timed.resume_at.store(0, std::memory_order_seq_cst);
    request(*timed.cpu, request_look);
}

} // namespace

void stop_watchdog() {
    drivers::play(cpu::PortsAndMemory{}, source.watchdog.stop);
}

void watch(Timed& timed, std::uint64_t generation) {
    timed.life.store(generation, std::memory_order_seq_cst);
    if (ending()) // whoever comes second asks: end_all(), or this
        ask_to_end(timed);
    if (timed.interval_ms != 0) {
        timed.last_beat.store(0, std::memory_order_release);
        timed.beat_due.store(cpu::rdtsc() + ticks(timed.interval_ms), std::memory_order_release);
    }
    if (timed.interval_ms != 0 || ending())
        set();
}

void unwatch(Timed& timed) {
    timed.life.store(0, std::memory_order_seq_cst);
    timed.beat_due.store(0, std::memory_order_release);
    timed.stop_due.store(0, std::memory_order_release);
}

void must_leave(Timed& timed) {
    timed.leave_due.store(cpu::rdtsc() + ticks(leave_ms), std::memory_order_release);
    if (source.io_apic_page != 0)
        set();
}

void has_left(Timed& timed) {
    timed.leave_due.store(0, std::memory_order_release);
}

void wait(Timed& timed, std::uint64_t milliseconds) {
    if (milliseconds == 0)
        return;
    timed.resume_at.store(cpu::rdtsc() + ticks(milliseconds), std::memory_order_seq_cst);
    if (ending())
        timed.resume_at.store(0, std::memory_order_release);
    set();
    sleep_until(*timed.cpu, [&timed] { return timed.resume_at.load(std::memory_order_acquire) == 0; });
}

void end_all(std::string_view by) {
    if (machine_ending.exchange(true, std::memory_order_seq_cst))
        return;
    console::audit_event("stop_request", [by](audit::Record& record) { record.add("by", by); });
    for (Timed* timed : source.all) {
        if (timed->life.load(std::memory_order_seq_cst) != 0)
            ask_to_end(*timed);
        if (timed->resume_at.load(std::memory_order_seq_cst) != 0)
            wake(*timed);
    }
    set();
}

bool ending() {
    return machine_ending.load(std::memory_order_seq_cst);
}

void line_waits() {
    if (!console::something_to_do())
        return;
    if (Cpu* const idle = drainer.load(std::memory_order_acquire); idle != nullptr) {
        if (!draining.exchange(true, std::memory_order_acq_rel))
            request(*idle, request_look);
        return;
    }
    std::uint64_t none = 0;
    if (console::something_waits() && source.io_apic_page != 0 &&
        line_at.compare_exchange_strong(none, cpu::rdtsc() + ticks(line_load_ms)))
        set();
}

void drain_line(Cpu& cpu) {
    Cpu* none = nullptr;
    if (drainer.load(std::memory_order_acquire) != &cpu && !drainer.compare_exchange_strong(none, &cpu))
        return;
    do {
        draining.store(true, std::memory_order_release);
        while (console::something_to_do() && cpu.requests.load(std::memory_order_acquire) == 0) {
            console::serve();
            virt::take_pending_nmi();
        }
        draining.store(false, std::memory_order_seq_cst);
    } while (console::something_to_do() && cpu.requests.load(std::memory_order_acquire) == 0);
}

bool is_here() {
    return &this_cpu() == source.cpu;
}

void look() {
    if (!is_here())
        return;
    look_at_platform_nmis();
    const std::uint64_t now = cpu::rdtsc();
    if (source.listens)
        hear(now);
    else if (!armed)
        return;
    for (Timed* timed : source.all) {
        const std::uint64_t resume = timed->resume_at.load(std::memory_order_acquire);
        if (resume != 0 && resume <= now)
            wake(*timed);
        std::uint64_t stop = timed->stop_due.load(std::memory_order_acquire);
        if (stop != 0 && stop <= now && timed->stop_due.compare_exchange_strong(stop, 0)) {
            timed->overdue.store(true, std::memory_order_release);
            stop_life(*timed, timed->life.load(std::memory_order_acquire), now);
        }
        std::uint64_t leave = timed->leave_due.load(std::memory_order_acquire);
        if (leave != 0 && leave <= now && timed->leave_due.compare_exchange_strong(leave, 0))
            does_not_leave(*timed);
        const std::uint64_t beat = timed->beat_due.load(std::memory_order_acquire);
        if (beat != 0 && beat <= now)
            check_heartbeat(*timed, beat, now);
    }
    if (const std::uint64_t at = line_at.load(std::memory_order_acquire); at != 0 && at <= now)
        visit_line(now);
    if (const std::uint64_t feed = feed_at.load(std::memory_order_acquire); feed != 0 && feed <= now) {
        drivers::play(cpu::PortsAndMemory{}, source.watchdog.feed);
        feed_at.store(now + ticks(feed_ms), std::memory_order_release);
    }
    if (const std::uint64_t at = button_at.load(std::memory_order_acquire); at != 0 && at <= now) {
        button_at.store(now + ticks(feed_ms / 8), std::memory_order_release); // four times a second
        button_pressed = (ports.in16(source.button) >> 8 & 1) != 0; // and stays so: nothing clears it
        if (button_pressed)
            end_all("button");
    }
    set();
}

} // namespace hv::alarm
