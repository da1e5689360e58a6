// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/process.hpp - processes and their threads.
//
// The kernel lock is held and the kernel is not pre-empted, so between two waits a handler sees a state that only it
// changes.
// Invariants: I1  a thread belongs to one process for life; the process outlives its threads
//             I2  `current()` is the thread whose kernel stack is in use; its process's page tables are
//                 loaded
//             I3  a process without threads is a zombie: it has no memory, files or actions, and is its parent's to wait for
#pragma once

#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/base/wait_queue.hpp"
#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/executable.hpp"
#include "partitions/unikernel/fs/files/file_table.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/policy/chain.hpp"
#include "partitions/unikernel/task/pid.hpp"
#include "partitions/unikernel/task/signal_task.hpp"

#include <array>
#include <cstdint>
#include <utility>

namespace uk {

struct ResourceLimit { // struct rlimit64
    std::uint64_t soft = ~std::uint64_t{0};
    std::uint64_t hard = ~std::uint64_t{0};
};
enum class Resource : unsigned {
    cpu,
    file_size,
    data,
    stack,
    core,
    resident,
    processes,
    open_files,
    locked,
    address_space,
    locks,
    pending_signals,
    message_queues,
    nice,
    realtime_priority,
    realtime_time,
};
inline constexpr unsigned resource_count = 16;

struct InputOutput { // /proc/PID/io: what read(2) and write(2) and their like moved
    std::uint64_t bytes_read = 0, bytes_written = 0, reads = 0, writes = 0;
};

struct Process;
namespace signal {
class IntervalTimer;
}

enum class ThreadState : std::uint8_t { runnable, sleeping, dead };

// A parent that clone(2) with CLONE_VFORK holds until the child has a program of its own or has ended. On the parent's stack.
struct VforkWait {
    WaitQueue queue;
    bool done = false;
};

struct Thread : signal::TaskState {
    Process* process = nullptr;
    Ref<Pid> pid;
    Ref<policy::Chain> filters; // of its system calls; empty: all are allowed
    int id = 0;                 // gettid; the first thread's is the process's
    ThreadState state = ThreadState::runnable;

    std::uint64_t kernel_stack_pointer = 0; // while switched out
    std::uint64_t kernel_stack_top = 0;     // where the frame ends
    std::uint64_t stack_end = 0;            // of the stack's pages
    std::uint64_t fs_base = 0, gs_base = 0;
    std::byte* vector_state = nullptr; // XSAVE area while switched out

    Thread* next_ready = nullptr;               // run queue
    Thread* next_in_process = nullptr;          // list of the process
    bool on_cpu = false;                        // a CPU is on its kernel stack
    std::uint32_t cpu = 0;                      // that CPU, or the last
    std::uint64_t affinity = ~std::uint64_t{0}; // the CPUs that it may run on
    bool timed_out = false;
    bool woken = false;       // by a wait queue
    std::uint64_t cpu_ns = 0; // user and system time
    std::uint64_t switched_in = 0;

    bool ending = false;             // to end at its next way to user mode
    bool parked = false;             // it waits while its process is stopped
    bool deaf = false;               // it waits for something that only its end may interrupt (vfork)
    VforkWait* vfork_wait = nullptr; // of whoever waits for this one

    std::int8_t nice = 0;
    std::uint16_t io_priority = 0;   // class << 13 | level; 0: none was set
    std::uint16_t memory_policy = 0; // as set_mempolicy(2) was asked for it

    std::uint64_t clear_child_tid = 0; // user address, or 0
    std::uint64_t robust_list = 0;
    std::uint64_t restartable = 0;                                // rseq(2): user address, or 0
    std::uint32_t restartable_signature = 0, restartable_cpu = 0; // the CPU that was written there
    std::array<char, 16> name{};

    [[nodiscard]] TrapFrame& frame() const {
        return *reinterpret_cast<TrapFrame*>(kernel_stack_top - sizeof(TrapFrame));
    }
};

struct Process : signal::GroupState {
    int id = 0;
    Ref<Pid> pid, group, session;
    Process* parent = nullptr;                       // PID 1 has none
    int parent_number = 0;                           // its id, a word that is read without the lock
    Process *children = nullptr, *sibling = nullptr; // the oldest first
    Process *next = nullptr, *previous = nullptr;    // of all there are (process_list)

    Ref<mm::AddressSpace> space; // exec puts another in its place
    Ref<fs::FileTable> files;
    fs::Context context; // root, working directory, umask, credentials
    Process* place_sharer =
        nullptr; // the next in a ring of those with one working directory and umask (CLONE_FS); nullptr: alone
    fs::Executable executable;
    std::array<ResourceLimit, resource_count> limits{};
    std::array<signal::IntervalTimer*, 3> interval_timers{}; // of setitimer, made at their first use
    signal::IntervalTimer* posix_timers = nullptr;
    int next_timer_id = 0;
    Thread* threads = nullptr;
    unsigned thread_count = 0;
    WaitQueue on_thread_end;
    bool dumpable = true;
    bool no_new_privileges = false;
    bool child_subreaper = false;
    bool executed = false; // since fork: its parent may not move it to another group any more
    std::uint32_t personality = 0;
    std::int16_t out_of_memory_adjustment = 0; // oom_score_adj: -1000 to 1000
    InputOutput input_output;

    // The end.
    bool exiting = false;            // every thread is to end
    int exit_status = 0;             // as wait4(2) gives it
    int exit_signal = signal::child; // to the parent; 0: none
    int death_signal = 0;            // to this one when the thread that made it ends (PR_SET_PDEATHSIG)
    int creator = 0;                 // that thread
    WaitQueue on_child;              // a child ended, stopped or went on

    // Stopped (job control). `parked` threads wait; with all of them it is told to the parent.
    int stop_signal = 0; // 0: it runs
    unsigned parked = 0;
    bool stop_to_report = false, continue_to_report = false; // for wait4(2)

    std::uint64_t dead_threads_ns = 0; // cpu time of threads that have ended
    std::uint64_t children_ns = 0;     // of children waited for, and theirs
    std::uint64_t start_ns = 0;        // monotonic
    std::uint64_t resident_max = 0; // pages, when its memory went; with the children's that were waited for
    std::uint64_t children_resident_max = 0;
    std::array<char, 16> last_name{}; // of a zombie

    [[nodiscard]] Capabilities& capabilities() { return context.credentials.capabilities; }
    [[nodiscard]] const Capabilities& capabilities() const { return context.credentials.capabilities; }
    [[nodiscard]] bool is_zombie() const { return thread_count == 0; }
    [[nodiscard]] int parent_id() const { return __atomic_load_n(&parent_number, __ATOMIC_RELAXED); }
};

// What the resource limits leave its memory; a privileged process may lock what it likes.
[[nodiscard]] inline mm::SpaceLimits memory_limits(const Process& process) {
    const auto soft = [&process](Resource resource) {
        return process.limits[static_cast<unsigned>(resource)].soft;
    };
    return {soft(Resource::address_space), soft(Resource::data), soft(Resource::stack),
            process.capabilities().can(capability::lock_memory) ? ~std::uint64_t{0} : soft(Resource::locked)};
}

[[nodiscard]] inline Thread& current() {
    return *machine::current_thread();
}
[[nodiscard]] inline Process& current_process() {
    return *current().process;
}

// All processes, zombies too, in the order in which they began; PID 1 is the first.
[[nodiscard]] Process* process_list();
[[nodiscard]] PidTable& pid_table();
[[nodiscard]] Process* find_process(int id); // or nullptr
[[nodiscard]] Thread* find_thread(int id);   // of any process, or nullptr
// A process that has no number yet enters the list, or one that nobody waits for any more leaves it.
void enter_process(Process& process);
void leave_process(Process& process);
// The child becomes the youngest of the parent's, or none of them any more.
void add_child(Process& parent, Process& child);
void remove_child(Process& child);
// The working directory or the umask of the process changed: those that share them have them too.
void share_place(const Process& process);
void join_place(Process& process, Process& with);
void leave_place(Process& process);
// Processes and threads, zombies too: what the `pids` limit counts.
[[nodiscard]] unsigned task_count();

// Whoever waits in vfork(2) for this thread goes on.
inline void release_vfork(Thread& thread) {
    if (VforkWait* wait = std::exchange(thread.vfork_wait, nullptr)) {
        wait->done = true;
        wait->queue.wake_all();
    }
}

namespace signal {

// Signals pending for the thread or its process, blocked or not.
[[nodiscard]] inline Set pending_for(const Thread& thread) {
    return thread.pending.set() | thread.process->pending.set();
}

// Something that ends a sleep: a signal to act on, a stop, or the end of the process.
[[nodiscard]] inline bool must_look(const Thread& thread) {
    if (thread.deaf)
        return thread.ending;
    if (thread.parked)
        return thread.ending || thread.process->stop_signal == 0;
    return thread.ending || thread.process->stop_signal != 0 ||
           (pending_for(thread) & thread.accepted()) != 0;
}

} // namespace signal

} // namespace uk
