// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/wait.cpp - see wait.hpp.
// Spec: POSIX.1-2017 wait(), waitid(); wait4(2) for Linux's own options.
#include "partitions/unikernel/process/wait.hpp"

#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <algorithm>
#include <utility>

namespace uk::process {

namespace {

constexpr int continued_status = 0xFFFF, stopped_mark = 0x7F;

bool is_meant(const Process& child, const WaitRequest& request) {
    switch (request.whom) {
    case WaitRequest::Whom::one:
        if (child.id != request.id)
            return false;
        break;
    case WaitRequest::Whom::group:
        if (child.group->id != request.id)
            return false;
        break;
    case WaitRequest::Whom::any:
        break;
    }
    // A "clone" child is one whose end sends another signal than SIGCHLD.
    const bool is_clone = child.exit_signal != signal::child;
    return (request.options & wait_option::all) != 0 ||
           is_clone == ((request.options & wait_option::clone) != 0);
}

WaitResult about(const Process& child, int code, int status) {
    WaitResult result;
    result.id = child.id;
    result.code = code;
    result.status = status;
    result.user = child.context.credentials.real_user;
    result.cpu_ns = sched::process_cpu_ns(child) + child.children_ns;
    result.resident_max = std::max(child.resident_max, child.children_resident_max);
    return result;
}

WaitResult take_zombie(Process& parent, Process& child, bool leave) {
    const int status = child.exit_status;
    const WaitResult result =
        about(child, (status & 0x7F) == 0 ? signal::code::child_exited : signal::code::child_killed, status);
    if (leave)
        return result;
    parent.children_ns += result.cpu_ns;
    parent.children_resident_max = std::max(parent.children_resident_max, result.resident_max);
    reap(child);
    return result;
}

} // namespace

Result<WaitResult> look(Process& parent, const WaitRequest& request) {
    const bool leave = (request.options & wait_option::no_wait) != 0;
    bool any = false;
    for (Process* child = parent.children; child != nullptr; child = child->sibling) {
        if (!is_meant(*child, request))
            continue;
        if (child->is_zombie()) {
            // Who asks only for stopped children does not wait for one that will never be.
            if ((request.options & wait_option::exited) == 0)
                continue;
            return take_zombie(parent, *child, leave);
        }
        any = true;
        if ((request.options & wait_option::stopped) != 0 && child->stop_to_report) {
            child->stop_to_report = child->stop_to_report && leave;
            return about(*child, signal::code::child_stopped, child->stop_signal << 8 | stopped_mark);
        }
        if ((request.options & wait_option::continued) != 0 && child->continue_to_report) {
            child->continue_to_report = leave;
            return about(*child, signal::code::child_continued, continued_status);
        }
    }
    if (!any)
        return base::Failure{Errno::child};
    return WaitResult{};
}

Result<WaitResult> wait(const WaitRequest& request) {
    Process& parent = current_process();
    for (;;) {
        const WaitResult result = CAISSON_TRY(look(parent, request));
        if (result.id != 0 || (request.options & wait_option::no_hang) != 0)
            return result;
        if (request.non_blocking_descriptor)
            return base::Failure{Errno::again};
        CAISSON_TRY(sched::wait(parent.on_child, never));
    }
}

} // namespace uk::process
