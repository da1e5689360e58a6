// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/fork.cpp - see fork.hpp.
#include "partitions/unikernel/process/fork.hpp"

#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/process/pidfd.hpp"
#include "partitions/unikernel/sched/held_space.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <memory>

namespace uk::process {

namespace {

unsigned most_tasks = 512;

Status check_flags(std::uint64_t flags) {
    using namespace clone_flag;
    const auto both = [flags](std::uint64_t one, std::uint64_t other) {
        return (flags & one) != 0 && (flags & other) != 0;
    };
    const auto only_with = [flags](std::uint64_t flag, std::uint64_t needed) {
        return (flags & flag) == 0 || (flags & needed) != 0;
    };
    if (both(new_mounts, fs) || both(new_users, fs) || !only_with(thread, sighand) ||
        !only_with(sighand, vm) || both(thread, new_users | new_pids) || both(clear_sighand, sighand) ||
        both(pidfd, detached | thread) || ((flags & clone_flag::parent) != 0 && current_process().id == 1))
        return base::Failure{Errno::inval};
    if ((flags & namespaces) != 0)
        return base::Failure{Errno::perm}; // needs CAP_SYS_ADMIN, which a container has not
    return base::success;
}

// RLIMIT_NPROC counts those of the same real user; root's are not counted against it.
bool user_may_have_more(const Process& process) {
    const std::uint64_t limit = process.limits[static_cast<unsigned>(Resource::processes)].soft;
    const std::uint32_t user = process.context.credentials.real_user;
    if (limit == ~std::uint64_t{0} || user == 0 || process.capabilities().can(capability::resources))
        return true;
    std::uint64_t count = 0;
    for (const Process* other = process_list(); other != nullptr; other = other->next)
        if (other->context.credentials.real_user == user)
            count += other->is_zombie() ? 1 : other->thread_count;
    return count < limit;
}

// What the new thread has of the one that makes it.
void inherit(Thread& thread, const Thread& maker, const CloneRequest& request) {
    thread.frame() = maker.frame();
    thread.frame().rax = 0;
    if (request.stack != 0)
        thread.frame().rsp = request.stack;
    thread.fs_base = (request.flags & clone_flag::settls) != 0 ? request.tls : maker.fs_base;
    thread.gs_base = maker.gs_base;
    machine::save_vectors(thread.vector_state); // the maker's: its registers are live now
    thread.blocked = maker.blocked;
    thread.filters = maker.filters;
    thread.name = maker.name;
    thread.nice = maker.nice;
    thread.io_priority = maker.io_priority;
    thread.memory_policy = maker.memory_policy;
    thread.cpu = maker.cpu;
    thread.affinity = maker.affinity;
    if ((request.flags & clone_flag::vm) == 0 &&
        maker.restartable != 0) { // a copy of the maker's, with the memory
        thread.restartable = maker.restartable;
        thread.restartable_signature = maker.restartable_signature;
        thread.restartable_cpu = maker.restartable_cpu;
    }
    if ((request.flags & clone_flag::child_cleartid) != 0)
        thread.clear_child_tid = request.child_tid;
    // A new stack in the same memory leaves the alternate one to whoever has it; a whole copy, or vfork, uses its own.
    if ((request.flags & clone_flag::vm) == 0 || (request.flags & clone_flag::vfork) != 0)
        thread.alternate_stack = maker.alternate_stack;
}

struct Discard {
    void operator()(Thread* thread) const { sched::discard_thread(*thread); }
};
using NewThread = std::unique_ptr<Thread, Discard>;

// Memory, descriptors and actions: shared as the flags say, or copies.
Status inherit_resources(Process& child, const Process& maker, std::uint64_t flags) {
    if ((flags & clone_flag::vm) != 0) {
        child.space = maker.space;
    } else {
        child.space = Ref<mm::AddressSpace>{mm::AddressSpace::make()};
        if (!child.space)
            return base::Failure{Errno::nomem};
        const sched::HeldSpace held{*maker.space};
        CAISSON_TRY(child.space->copy_from(*held, &sched::preemption_point));
        child.space->barriers = held->barriers;
    }
    if ((flags & clone_flag::files) != 0) {
        child.files = maker.files;
    } else {
        child.files = Ref<fs::FileTable>{mm::make<fs::FileTable>()};
        if (!child.files)
            return base::Failure{Errno::nomem};
        CAISSON_TRY(child.files->copy_from(*maker.files));
    }
    if ((flags & clone_flag::sighand) != 0) {
        child.actions = maker.actions;
    } else {
        child.actions = Ref<signal::ActionTable>{mm::make<signal::ActionTable>()};
        if (!child.actions)
            return base::Failure{Errno::nomem};
        child.actions->actions = maker.actions->actions;
        if ((flags & clone_flag::clear_sighand) != 0)
            for (signal::Action& action : child.actions->actions)
                action = signal::Action{action.handler == signal::handler_ignore ? signal::handler_ignore
                                                                                 : signal::handler_default,
                                        0, 0, 0};
    }
    return base::success;
}

void inherit_settings(Process& child, const Process& maker, const CloneRequest& request) {
    child.context = maker.context;
    child.executable = maker.executable;
    child.limits = maker.limits;
    child.dumpable = maker.dumpable;
    child.no_new_privileges = maker.no_new_privileges;
    child.personality = maker.personality;
    child.out_of_memory_adjustment = maker.out_of_memory_adjustment;
    child.exit_signal = (request.flags & clone_flag::parent) != 0 ? maker.exit_signal : request.exit_signal;
    child.start_ns = monotonic_ns();
    child.creator = current().id;
}

Status write_child_id(Process& child, const CloneRequest& request) {
    const auto id = static_cast<std::int32_t>(child.id);
    if ((request.flags & clone_flag::parent_settid) != 0)
        (void)mm::write_user(mm::UserAddress{request.parent_tid},
                             id); // as on Linux, a bad address is not an error
    if ((request.flags & clone_flag::child_settid) == 0)
        return base::success;
    if (request.child_tid >= mm::user_end - sizeof(id))
        return base::success;
    // In the child's memory, which may be a copy.
    if (child.space == current_process().space)
        (void)mm::write_user(mm::UserAddress{request.child_tid}, id);
    else
        (void)child.space->write_memory(request.child_tid, &id, sizeof(id));
    return base::success;
}

// Killed itself it leaves; anything else waits until the child has let its memory go.
void wait_for_vfork(Thread& child) {
    Thread& self = current();
    VforkWait wait;
    child.vfork_wait = &wait;
    self.deaf = true;
    while (!wait.done && !self.ending) {
        sched::ThreadWaiter waiter;
        wait.queue.add(waiter);
        (void)sched::sleep(never);
    }
    self.deaf = false;
    if (!wait.done)
        child.vfork_wait = nullptr;
}

Result<int> clone_process(const CloneRequest& request) {
    Thread& self = current();
    Process& maker = *self.process;
    mm::Owned<Process> child{mm::make<Process>()};
    if (child == nullptr)
        return base::Failure{Errno::nomem};
    CAISSON_TRY(inherit_resources(*child, maker, request.flags));
    inherit_settings(*child, maker, request);
    NewThread thread{sched::make_thread(*child)};
    if (thread == nullptr)
        return base::Failure{Errno::again};
    child->pid = CAISSON_TRY(pid_table().make());
    child->id = thread->id = child->pid->id;
    if ((request.flags & clone_flag::pidfd) != 0)
        CAISSON_TRY(give_pidfd(*child->pid, mm::UserAddress{request.pidfd}));
    CAISSON_TRY(write_child_id(*child, request));
    if (task_count() >= most_tasks) // others made some while memory was copied
        return base::Failure{Errno::again};
    inherit(*thread, self, request);

    // From here on nothing can fail.
    child->group = maker.group;
    child->session = maker.session;
    child->pid->process = child.get();
    child->pid->thread = thread.get();
    thread->pid = child->pid;
    child->threads = thread.get();
    child->thread_count = 1;
    enter_process(*child);
    if ((request.flags & clone_flag::fs) != 0)
        join_place(*child, maker);
    add_child((request.flags & clone_flag::parent) != 0 ? *maker.parent : maker, *child);
    const int id = child->id;
    (void)child.release();
    Thread& started = *thread.release();
    sched::make_runnable(started);
    if ((request.flags & clone_flag::vfork) != 0)
        wait_for_vfork(started);
    return id;
}

Result<int> clone_thread(const CloneRequest& request) {
    Thread& self = current();
    Process& process = *self.process;
    if ((request.flags & (clone_flag::files | clone_flag::fs)) != (clone_flag::files | clone_flag::fs))
        return base::Failure{Errno::inval}; // threads with files or directories of their own are not there
    NewThread thread{sched::make_thread(process)};
    if (thread == nullptr)
        return base::Failure{Errno::again};
    thread->pid = CAISSON_TRY(pid_table().make());
    thread->id = thread->pid->id;
    const auto id = static_cast<std::int32_t>(thread->id);
    if ((request.flags & clone_flag::parent_settid) != 0)
        (void)mm::write_user(mm::UserAddress{request.parent_tid}, id);
    if ((request.flags & clone_flag::child_settid) != 0)
        (void)mm::write_user(mm::UserAddress{request.child_tid}, id);
    inherit(*thread, self, request);
    thread->pid->thread = thread.get();
    thread->next_in_process = self.next_in_process;
    self.next_in_process = thread.get();
    ++process.thread_count;
    sched::make_runnable(*thread.release());
    return id;
}

} // namespace

void set_task_limit(unsigned most) {
    most_tasks = most;
}

unsigned task_limit() {
    return most_tasks;
}

Result<int> clone(const CloneRequest& request) {
    CAISSON_TRY(check_flags(request.flags));
    if ((request.flags & clone_flag::settls) != 0 && request.tls >= mm::user_end)
        return base::Failure{Errno::perm};
    if (task_count() >= most_tasks || !user_may_have_more(current_process()))
        return base::Failure{Errno::again};
    return (request.flags & clone_flag::thread) != 0 ? clone_thread(request) : clone_process(request);
}

} // namespace uk::process
