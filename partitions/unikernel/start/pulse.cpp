// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/pulse.cpp - see pulse.hpp.
#include "partitions/unikernel/start/pulse.hpp"
#include "partitions/unikernel/policy/recorder.hpp"

#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/signal/signals.hpp"

namespace uk::start {

namespace {

struct Pulse : sched::Timer {
    explicit Pulse(Fire what) : Timer(what) {}
    void again() { sched::arm(*this, deadline_after(interval_ns)); }
    volatile caisson_boot_page* page = nullptr;
    std::uint64_t interval_ns = 0;
};

void beat(sched::Timer& timer) {
    auto& pulse = static_cast<Pulse&>(timer);
    pulse.page->heartbeat = pulse.page->heartbeat + 1;
    pulse.again();
}

// As a signal from outside to PID 1 of a namespace: the sender has no number there, and only SIGKILL cannot be ignored.
void look_for_stop(sched::Timer& timer) {
    auto& pulse = static_cast<Pulse&>(timer);
    const std::uint64_t request = pulse.page->stop_request;
    if (request == 0)
        return pulse.again();
    signal::Information information;
    information.number = static_cast<int>(CAISSON_STOP_SIGNAL(request));
    information.code = signal::code::user;
    if (information.number == signal::kill) {
        policy::end_record();
        machine::end_partition(128 + signal::kill, CAISSON_EXIT_SIGNAL);
    }
    if (Process* init = process_list(); init != nullptr)
        (void)signal::send_to_process(*init, information); // without a value it always has room
}

Pulse heart{&beat}, stop_watch{&look_for_stop};

} // namespace

void start_pulse(volatile caisson_boot_page& page) {
    constexpr std::uint64_t millisecond = 1'000'000, quarter_second = 250 * millisecond;
    heart.page = stop_watch.page = &page;
    heart.interval_ns = page.watchdog_ms * millisecond / 4;
    stop_watch.interval_ns = quarter_second;
    if (page.watchdog_ms != 0)
        beat(heart);
    if ((page.flags & CAISSON_BOOT_DIRECT) == 0) // QEMU alone asks for nothing
        look_for_stop(stop_watch);
}

} // namespace uk::start
