// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/alarm.hpp - the hypervisor's one time source (rule 11) and those who wait for it: heartbeat
// watchdogs, delays before restarts, the hardware watchdog's feeding.
//
// The HPET, else the PIT, interrupts one CPU (plan::BoundPlan::time_cpu) by NMI, and only while somebody waits.
// Invariants: an interrupt that comes early, late or without cause changes nothing: due is what the TSC says.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace hv {

struct Cpu;

namespace alarm {

// What the time CPU does for one partition. Times are TSC; 0: nothing is waited for. Set by the partition's CPUs, taken
// back by the time CPU.
struct Timed {
    std::uint32_t partition = 0;   // its index
    std::uint32_t interval_ms = 0; // of its heartbeat; 0: not watched
    std::uint64_t stop_word = 0;   // its stop request: signal, milliseconds
    Cpu* cpu = nullptr;            // its primary's, which is woken or told
    std::atomic<std::uint64_t> beat_due = 0, stop_due = 0, resume_at = 0, last_beat = 0;
    std::atomic<std::uint64_t> life = 0;      // the generation that runs; 0: none
    std::atomic<std::uint64_t> hung = 0;      // the last one whose heart stood still, or
    std::atomic<bool> overdue = false;        // that did not end when it was asked to
    std::atomic<std::uint64_t> leave_due = 0; // by then the primary has left its guest, as it was told
};

// A life begins: from now on its heartbeat is watched, if the plan says so, and it can be asked to end. On the primary's CPU.
void watch(Timed& timed, std::uint64_t generation);
// It has ended, whoever noticed.
void unwatch(Timed& timed);
// The primary is told to leave its guest, by another CPU: it has vcpu::leave_ms, then does_not_leave() is called on the time
// CPU, if the machine has a time source.
void must_leave(Timed& timed);
// The primary: it has left.
void has_left(Timed& timed);
// A seam at link time, as in panic.hpp: run/life.cpp's.
void does_not_leave(Timed& timed);
// Sleeps so long, or until the machine is asked to end; on the primary's CPU, between two lives.
void wait(Timed& timed, std::uint64_t milliseconds);
// Every partition is asked to end, and none is restarted. `by`: whose wish it is, for the log. Of a plan that needs time alone.
void end_all(std::string_view by);
// By the power button: it is to be off afterwards, whatever the plan says.
extern std::atomic<bool> button_pressed;
// The machine was asked to end.
[[nodiscard]] bool ending();
// The machine ends in order.
void stop_watchdog();

// Bytes wait for the serial line, after an exit that sent what it could: wakes the idle CPU that drains it, else sees to it
// that time goes on with it.
void line_waits();
// An idle CPU, until it is asked for something: sends what waits for the line.
void drain_line(Cpu& cpu);

// This CPU was interrupted by an NMI (request_look): does what is due.
void look();
// Whether this is the time CPU, where an NMI without any other request is the alarm's.
[[nodiscard]] bool is_here();

} // namespace alarm
} // namespace hv
