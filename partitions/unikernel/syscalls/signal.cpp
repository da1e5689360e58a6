// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/signal.cpp - actions, masks, sending and waiting.
#include "partitions/unikernel/fs/proc/synthetic_table.hpp"
#include "partitions/unikernel/process/pidfd.hpp"
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

// May the current process send that to the other one?
bool may_send(const Process& target, int number) {
    const fs::Credentials& mine = current_process().context.credentials;
    const fs::Credentials& theirs = target.context.credentials;
    const auto same = [&theirs](std::uint32_t user) {
        return user == theirs.saved_user || user == theirs.real_user;
    };
    return &target == &current_process() || current_process().capabilities().can(capability::kill) ||
           same(mine.effective_user) || same(mine.real_user) ||
           (number == signal::cont && target.session == current_process().session);
}

Status check_sender(const Process& target, int number) {
    return may_send(target, number) ? Status{base::success} : Status{base::Failure{Errno::perm}};
}

// Signal 0 only asks.
Status send(Process& target, const signal::Information& information) {
    CAISSON_TRY(check_sender(target, information.number));
    return information.number == 0 ? Status{base::success} : signal::send_to_process(target, information);
}

bool is_signal_or_zero(int number) {
    return number >= 0 && number <= signal::count;
}

// A thread that has ended but is the first of a process that has not is still there.
SyscallResult send_to_thread(int process, int id, const signal::Information& information) {
    Thread* thread = find_thread(id);
    Process* owner = thread != nullptr ? thread->process : find_process(id);
    if (owner == nullptr || (process != -1 && process != owner->id))
        return base::Failure{Errno::srch};
    CAISSON_TRY(check_sender(*owner, information.number));
    if (information.number != 0 && thread != nullptr)
        CAISSON_TRY(signal::send_to_thread(*thread, information));
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

namespace {

// To everybody `is_meant` says: at least one must be there and may be sent to.
template <typename IsMeant> Status send_to_all(const signal::Information& information, IsMeant is_meant) {
    bool any = false, sent = false;
    for (Process* process = process_list(); process != nullptr; process = process->next)
        if (is_meant(*process)) {
            any = true;
            sent = send(*process, information).ok() || sent;
        }
    if (!any)
        return base::Failure{Errno::srch};
    return sent ? Status{base::success} : Status{base::Failure{Errno::perm}};
}

} // namespace

SyscallResult sys_kill(const Arguments& arguments) {
    const int target = arguments.integer(0), number = arguments.integer(1);
    if (!is_signal_or_zero(number))
        return base::Failure{Errno::inval};
    const Process& self = current_process();
    const signal::Information information = from_me(number, signal::code::user);
    if (target > 0) {
        // A thread's number does as well.
        const Thread* thread = find_thread(target);
        Process* process = thread != nullptr ? thread->process : find_process(target);
        if (process == nullptr)
            return base::Failure{Errno::srch};
        CAISSON_TRY(send(*process, information));
        return 0;
    }
    if (target == -1) {
        CAISSON_TRY(send_to_all(
            information, [&self](const Process& process) { return process.id != 1 && &process != &self; }));
        return 0;
    }
    const Pid* group = target == 0                 ? self.group.get()
                       : target == -0x7FFFFFFF - 1 ? nullptr
                                                   : pid_table().find(-target);
    if (group == nullptr)
        return base::Failure{Errno::srch};
    CAISSON_TRY(
        send_to_all(information, [group](const Process& process) { return process.group.get() == group; }));
    return 0;
}

SyscallResult sys_tkill(const Arguments& arguments) {
    const int number = arguments.integer(1);
    if (arguments.integer(0) <= 0 || !is_signal_or_zero(number))
        return base::Failure{Errno::inval};
    return send_to_thread(-1, arguments.integer(0), from_me(number, signal::code::tkill));
}

SyscallResult sys_tgkill(const Arguments& arguments) {
    const int number = arguments.integer(2);
    if (arguments.integer(0) <= 0 || arguments.integer(1) <= 0 || !is_signal_or_zero(number))
        return base::Failure{Errno::inval};
    return send_to_thread(arguments.integer(0), arguments.integer(1), from_me(number, signal::code::tkill));
}

namespace {

// A program may not forge the information of the kernel's own signals, except to itself.
Result<signal::Information> queued(mm::UserAddress from, int number, const Process* target) {
    const auto user = CAISSON_TRY(mm::read_user<signal::UserInformation>(from));
    if ((user.code >= 0 || user.code == signal::code::tkill) && target != &current_process())
        return base::Failure{Errno::perm};
    signal::Information information = from_me(number, user.code);
    information.error = user.error;
    information.process = user.sender.process;
    information.user = user.sender.user;
    information.value = user.sender.value;
    return information;
}

} // namespace

SyscallResult sys_rt_sigqueueinfo(const Arguments& arguments) {
    const int number = arguments.integer(1);
    Process* target = find_process(arguments.integer(0));
    const auto information = CAISSON_TRY(queued(arguments.pointer(2), number, target));
    if (target == nullptr)
        return base::Failure{Errno::srch};
    if (!is_signal_or_zero(number))
        return base::Failure{Errno::inval};
    CAISSON_TRY(send(*target, information));
    return 0;
}

SyscallResult sys_rt_tgsigqueueinfo(const Arguments& arguments) {
    const int process = arguments.integer(0), id = arguments.integer(1), number = arguments.integer(2);
    if (process <= 0 || id <= 0)
        return base::Failure{Errno::inval};
    const auto information = CAISSON_TRY(queued(arguments.pointer(3), number, find_process(process)));
    if (!is_signal_or_zero(number))
        return base::Failure{Errno::inval};
    return send_to_thread(process, id, information);
}

namespace {

// A pidfd's, or that of an open directory /proc/PID.
Result<Pid*> target_of(const fs::File& file) {
    const fs::SyntheticIdentity& shown = file.node->synthetic;
    if (shown.entry != fs::synthetic::process_directory || file.is(fs::path_file))
        return process::pid_of(file);
    Pid* pid = pid_table().find(shown.process);
    if (pid == nullptr)
        return base::Failure{Errno::srch};
    return pid;
}

} // namespace

SyscallResult sys_pidfd_send_signal(const Arguments& arguments) {
    const int number = arguments.integer(1);
    if (arguments.word(3) != 0)
        return base::Failure{Errno::inval};
    const auto file = CAISSON_TRY(current_process().files->get(arguments.integer(0)));
    const Pid& pid = *CAISSON_TRY(target_of(*file));
    signal::Information information = from_me(number, signal::code::user);
    if (arguments[2] != 0) {
        information = CAISSON_TRY(queued(arguments.pointer(2), number, pid.process));
        if (CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(2))) != number)
            return base::Failure{Errno::inval};
    }
    if (!is_signal_or_zero(number))
        return base::Failure{Errno::inval};
    if (pid.process == nullptr)
        return base::Failure{Errno::srch};
    CAISSON_TRY(send(*pid.process, information));
    return 0;
}

SyscallResult sys_restart_syscall(const Arguments&) {
    const signal::Restart restart = std::exchange(current().restart, {});
    if (restart.function == nullptr)
        return base::Failure{Errno::intr};
    return restart.function(restart);
}

} // namespace uk
