// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/signal.cpp - actions, masks, sending and waiting.
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/signal/alternate_stack.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"
#include "partitions/unikernel/signal/rules.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <utility>

namespace uk {

namespace {

bool is_signal(int number) {
    return number >= 1 && number <= signal::count;
}

Status check_set_size(std::uint64_t bytes) {
    if (bytes != sizeof(signal::Set))
        return base::Failure{Errno::inval};
    return base::success;
}

signal::Information from_me(int number, int code) {
    signal::Information information;
    information.number = number;
    information.code = code;
    information.process = current_process().id;
    information.user = current_process().context.credentials.real_user;
    return information;
}

Thread* find_thread(int id) {
    for (Thread* thread = current_process().threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id == id)
            return thread;
    return nullptr;
}

SyscallResult send_to_thread(int process, int id, int number) {
    if (id <= 0 || (process != -1 && process <= 0) || number < 0 || number > signal::count)
        return base::Failure{Errno::inval};
    Thread* thread = find_thread(id);
    if (thread == nullptr || (process != -1 && process != current_process().id))
        return base::Failure{Errno::srch};
    if (number != 0)
        CAISSON_TRY(signal::send_to_thread(*thread, from_me(number, signal::code::tkill)));
    return 0;
}

// Sleeps until a handler ran.
SyscallResult wait_for_signal() {
    for (;;)
        if (const Status slept = sched::sleep(never); !slept.ok())
            return base::Failure{Errno::restart_without_handler};
}

} // namespace

SyscallResult sys_rt_sigaction(const Arguments& arguments) {
    const int number = arguments.integer(0);
    CAISSON_TRY(check_set_size(arguments[3]));
    if (!is_signal(number) || (arguments[1] != 0 && (signal::bit(number) & signal::unblockable) != 0))
        return base::Failure{Errno::inval};
    Process& process = current_process();
    const signal::Action old = process.action(number);
    if (arguments[1] != 0) {
        auto action = CAISSON_TRY(mm::read_user<signal::Action>(arguments.pointer(1)));
        action.mask &= ~signal::unblockable;
        signal::set_action(process, number, action);
    }
    if (arguments[2] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(2), old));
    return 0;
}

SyscallResult sys_rt_sigprocmask(const Arguments& arguments) {
    constexpr int block = 0, unblock = 1, set = 2;
    CAISSON_TRY(check_set_size(arguments[3]));
    Thread& thread = current();
    const signal::Set old = thread.blocked;
    if (arguments[1] != 0) {
        const auto wanted = CAISSON_TRY(mm::read_user<signal::Set>(arguments.pointer(1)));
        switch (arguments.integer(0)) {
        case block:
            signal::set_blocked(thread, old | wanted);
            break;
        case unblock:
            signal::set_blocked(thread, old & ~wanted);
            break;
        case set:
            signal::set_blocked(thread, wanted);
            break;
        default:
            return base::Failure{Errno::inval};
        }
    }
    if (arguments[2] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(2), old));
    return 0;
}

SyscallResult sys_rt_sigreturn(const Arguments&) {
    TrapFrame& frame = current().frame();
    if (!signal::restore_from_frame(frame)) {
        signal::Information fault;
        fault.number = signal::segv;
        fault.code = signal::code::kernel;
        signal::force_fault(fault);
    }
    return frame.rax;
}

SyscallResult sys_rt_sigpending(const Arguments& arguments) {
    if (arguments[1] > sizeof(signal::Set))
        return base::Failure{Errno::inval};
    const signal::Set set = signal::pending_for(current()) & current().blocked;
    CAISSON_TRY(mm::copy_out(arguments.pointer(0), &set, arguments[1]));
    return 0;
}

SyscallResult sys_rt_sigsuspend(const Arguments& arguments) {
    CAISSON_TRY(check_set_size(arguments[1]));
    Thread& thread = current();
    const auto mask = CAISSON_TRY(mm::read_user<signal::Set>(arguments.pointer(0)));
    thread.saved_blocked = thread.blocked;
    thread.restore_blocked = true;
    signal::set_blocked(thread, mask);
    return wait_for_signal();
}

SyscallResult sys_pause(const Arguments&) {
    return wait_for_signal();
}

SyscallResult sys_rt_sigtimedwait(const Arguments& arguments) {
    CAISSON_TRY(check_set_size(arguments[3]));
    Thread& thread = current();
    const signal::Set wanted =
        CAISSON_TRY(mm::read_user<signal::Set>(arguments.pointer(0))) & ~signal::unblockable;
    Deadline deadline = never;
    if (arguments[2] != 0)
        deadline = deadline_after(CAISSON_TRY(read_timespec(arguments.pointer(2))));
    for (;;) {
        const signal::Information taken = signal::take(thread, current_process(), wanted);
        if (taken.number != 0) {
            if (arguments[1] != 0)
                CAISSON_TRY(mm::write_user(arguments.pointer(1), signal::to_user(taken)));
            return static_cast<std::uint64_t>(taken.number);
        }
        thread.awaited = wanted;
        const Status slept = sched::sleep(deadline);
        thread.awaited = 0;
        if (!slept.ok() && slept.error() == Errno::timedout)
            return base::Failure{Errno::again};
        if (!slept.ok() && (signal::pending_for(thread) & wanted) == 0)
            return base::Failure{Errno::intr};
    }
}

SyscallResult sys_sigaltstack(const Arguments& arguments) {
    Thread& thread = current();
    const std::uint64_t rsp = thread.frame().rsp;
    const signal::UserStack old = signal::describe(thread.alternate_stack, rsp);
    if (arguments[0] != 0) {
        const auto wanted = CAISSON_TRY(mm::read_user<signal::UserStack>(arguments.pointer(0)));
        CAISSON_TRY(signal::change_alternate(thread.alternate_stack, wanted, rsp));
    }
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), old));
    return 0;
}

SyscallResult sys_kill(const Arguments& arguments) {
    const int target = arguments.integer(0), number = arguments.integer(1);
    Process& process = current_process();
    if (number < 0 || number > signal::count)
        return base::Failure{Errno::inval};
    // Everyone there is: this process, its group, all.
    if (target != process.id && target != 0 && target != -process.group && target != -1)
        return base::Failure{Errno::srch};
    if (target == -1)
        return base::Failure{Errno::srch}; // "all" leaves out the caller, and init
    if (number != 0)
        CAISSON_TRY(signal::send_to_process(process, from_me(number, signal::code::user)));
    return 0;
}

SyscallResult sys_tkill(const Arguments& arguments) {
    return send_to_thread(-1, arguments.integer(0), arguments.integer(1));
}

SyscallResult sys_tgkill(const Arguments& arguments) {
    if (arguments.integer(0) <= 0)
        return base::Failure{Errno::inval};
    return send_to_thread(arguments.integer(0), arguments.integer(1), arguments.integer(2));
}

namespace {

// A program may not forge the information of the kernel's own signals, except to itself.
Result<signal::Information> queued(mm::UserAddress from, int number) {
    const auto user = CAISSON_TRY(mm::read_user<signal::UserInformation>(from));
    signal::Information information = from_me(number, user.code);
    information.error = user.error;
    information.process = user.sender.process;
    information.user = user.sender.user;
    information.value = user.sender.value;
    return information;
}

} // namespace

SyscallResult sys_rt_sigqueueinfo(const Arguments& arguments) {
    if (arguments.integer(0) != current_process().id)
        return base::Failure{Errno::srch};
    const int number = arguments.integer(1);
    if (number < 0 || number > signal::count)
        return base::Failure{Errno::inval};
    const auto information = CAISSON_TRY(queued(arguments.pointer(2), number));
    if (number != 0)
        CAISSON_TRY(signal::send_to_process(current_process(), information));
    return 0;
}

SyscallResult sys_rt_tgsigqueueinfo(const Arguments& arguments) {
    Thread* thread = find_thread(arguments.integer(1));
    if (arguments.integer(0) != current_process().id || thread == nullptr)
        return base::Failure{Errno::srch};
    const int number = arguments.integer(2);
    if (number < 0 || number > signal::count)
        return base::Failure{Errno::inval};
    const auto information = CAISSON_TRY(queued(arguments.pointer(3), number));
    if (number != 0)
        CAISSON_TRY(signal::send_to_thread(*thread, information));
    return 0;
}

SyscallResult sys_restart_syscall(const Arguments&) {
    const signal::Restart restart = std::exchange(current().restart, {});
    if (restart.function == nullptr)
        return base::Failure{Errno::intr};
    return restart.function(restart);
}

} // namespace uk
