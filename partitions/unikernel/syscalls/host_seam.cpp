// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/host_seam.cpp - see host_seam.hpp.
#include "partitions/unikernel/syscalls/host_seam.hpp"

#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/process/pidfd.hpp"
#include "partitions/unikernel/syscalls/seccomp.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

host::Handed& host::handed() {
    static Handed what;
    return what;
}

const TimeScale& time_scale() {
    static const TimeScale scale{};
    return scale;
}

bool audit(std::string_view text) {
    if (!host::handed().audit_is_full)
        host::handed().audited += std::string(text) + " ";
    return !host::handed().audit_is_full;
}

// The test's process is the only one.
Process* find_process(int id) {
    return current_process().id == id ? &current_process() : nullptr;
}
Process* process_list() {
    return &current_process();
}
PidTable& pid_table() {
    static PidTable table;
    return table;
}

namespace process {
Result<int> clone(const CloneRequest& request) {
    host::handed().clone = request;
    return static_cast<int>(++host::handed().clones);
}
Result<Pid*> pid_of(const fs::File&) {
    return base::Failure{Errno::badf};
}
} // namespace process

namespace seccomp {
SyscallResult set_strict() {
    host::handed().seccomp += "strict ";
    return 0;
}
SyscallResult set_filter(std::uint32_t flags, mm::UserAddress) {
    host::handed().seccomp += "filter " + std::to_string(flags) + " ";
    return 0;
}
SyscallResult mode() {
    return 0;
}
} // namespace seccomp

namespace signal {

void set_blocked(Thread& thread, Set blocked) {
    thread.blocked = blocked & ~unblockable;
}
void set_action(Process&, int number, const Action& action) {
    host::handed().action_number = number;
    host::handed().action = action;
}
Status send_to_process(Process&, const Information& information) {
    host::handed().information = information;
    ++host::handed().signals;
    return base::success;
}
Status send_to_thread(Thread& thread, const Information& information) {
    host::handed().thread = thread.id;
    return send_to_process(*thread.process, information);
}
void force_fault(const Information&) {
    ++host::handed().faults;
}
bool restore_from_frame(TrapFrame&) {
    return false;
}

IntervalTimer::IntervalTimer(Process& process, TimerClock clock, const Information& information, int thread)
    : Timer(&fired), process_(process), clock_(clock), thread_(thread) {
    host::handed().clock = clock;
    host::handed().information = information;
    host::handed().thread = thread;
}
IntervalTimer::~IntervalTimer() = default;
void IntervalTimer::fired(sched::Timer&) {}
void IntervalTimer::set(std::uint64_t expiry, std::uint64_t interval) {
    host::handed().expiry = expiry;
    host::handed().interval = interval;
}
std::uint64_t IntervalTimer::now() const {
    return monotonic_ns();
}
std::uint64_t IntervalTimer::left() const {
    return 0;
}
IntervalTimer* interval_timer(Process&, unsigned) {
    return nullptr;
}

} // namespace signal
} // namespace uk
