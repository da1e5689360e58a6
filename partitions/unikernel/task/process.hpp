// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/process.hpp - the container's process and its threads.
//
// One CPU; the kernel is not pre-empted, so between two waits a handler sees a state that only it changes.
// Invariants: I1  a thread belongs to one process for life; the process outlives its threads
//             I2  `current()` is the thread whose kernel stack is in use; its process's page tables are
//                 loaded
#pragma once

#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/base/wait_queue.hpp"
#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/files/file_table.hpp"
#include "partitions/unikernel/machine/trap_frame.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/task/signal_task.hpp"

#include <array>
#include <cstdint>

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

struct Process;
namespace signal {
class IntervalTimer;
}

enum class ThreadState : std::uint8_t { runnable, sleeping, dead };

struct Thread : signal::TaskState {
    Process* process = nullptr;
    int id = 0; // gettid; the first thread's is the process's
    ThreadState state = ThreadState::runnable;

    std::uint64_t kernel_stack_pointer = 0; // while switched out
    std::uint64_t kernel_stack_top = 0;     // where the frame ends
    std::uint64_t stack_end = 0;            // of the stack's pages
    std::uint64_t fs_base = 0, gs_base = 0;
    std::byte* vector_state = nullptr; // XSAVE area while switched out

    Thread* next_ready = nullptr;      // run queue
    Thread* next_in_process = nullptr; // list of the process
    bool timed_out = false;
    bool woken = false;       // by a wait queue
    std::uint64_t cpu_ns = 0; // user and system time
    std::uint64_t switched_in = 0;

    bool ending = false; // to end at its next way to user mode

    std::int8_t nice = 0;
    std::uint16_t io_priority = 0; // class << 13 | level; 0: none was set

    std::uint64_t clear_child_tid = 0; // user address, or 0
    std::uint64_t robust_list = 0;
    std::array<char, 16> name{};

    [[nodiscard]] TrapFrame& frame() const {
        return *reinterpret_cast<TrapFrame*>(kernel_stack_top - sizeof(TrapFrame));
    }
};

struct Process : signal::GroupState {
    int id = 0;
    int parent = 0;
    int group = 0, session = 0;
    Ref<mm::AddressSpace> space; // exec puts another in its place
    fs::FileTable files;
    fs::Context context; // root, working directory, umask, credentials
    Ref<fs::Node> executable;
    std::array<ResourceLimit, resource_count> limits{};
    std::array<signal::IntervalTimer*, 3> interval_timers{}; // of setitimer, made at their first use
    signal::IntervalTimer* posix_timers = nullptr;
    int next_timer_id = 0;
    Thread* threads = nullptr;
    unsigned thread_count = 0;
    int next_thread_id = 0;
    WaitQueue on_thread_end;
    bool dumpable = true;
    bool no_new_privileges = false;
    bool keep_capabilities = false; // prctl; until exec
    std::uint32_t personality = 0;
    std::uint64_t dead_threads_ns = 0; // cpu time of threads that have ended
};

// What the resource limits leave its memory; a privileged process may lock what it likes.
[[nodiscard]] inline mm::SpaceLimits memory_limits(const Process& process) {
    const auto soft = [&process](Resource resource) {
        return process.limits[static_cast<unsigned>(resource)].soft;
    };
    return {soft(Resource::address_space), soft(Resource::data), soft(Resource::stack),
            process.context.credentials.privileged() ? ~std::uint64_t{0} : soft(Resource::locked)};
}

[[nodiscard]] Thread& current();
[[nodiscard]] inline Process& current_process() {
    return *current().process;
}

// The one process of the container (PID 1).
[[nodiscard]] Process& main_process();

namespace signal {

// Signals pending for the thread or its process, blocked or not.
[[nodiscard]] inline Set pending_for(const Thread& thread) {
    return thread.pending.set() | thread.process->pending.set();
}

// Something that ends a sleep: a signal to act on, or the end of the process.
[[nodiscard]] inline bool must_look(const Thread& thread) {
    return thread.ending || (pending_for(thread) & thread.accepted()) != 0;
}

} // namespace signal

} // namespace uk
