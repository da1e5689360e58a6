// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/host_seam.hpp - one CPU of the host, for tests: the clock is the test's, a switch of stacks is a
// baton that threads of the host hand on.
//
// The test's own body is a thread of the kernel too (Machine::body). When it sleeps, others run, and then the idle thread, which lets
// time pass to the next interrupt; where none is to come, the test fails instead of hanging.
#pragma once

#include "partitions/unikernel/sched/scheduler.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace uk::sched::host {

class Machine {
public:
    Machine();
    ~Machine(); // threads that have not ended are unwound
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Cpu cpu{};
    Process process;
    Thread body;

    // A thread that is ready and runs `work`, then ends. nullptr: refused.
    Thread* start(std::function<void()> work);
    // As a program that computes: interrupts come, and its turn may end.
    void compute(std::uint64_t ns);
    void leave() { preempt_if_due(); } // to user mode

    std::uint64_t now = 1'000'000;
    std::uint64_t fires = never;    // when the one-shot timer comes
    std::uint64_t timer_writes = 0; // how often it was set
    unsigned interrupts_sent = 0;   // to other CPUs, which are blocks that nobody runs on
    std::uint64_t idled = 0;        // ns
    std::uint64_t switches = 0, table_loads = 0;
    std::uint64_t live_stacks = 0, stacks_left = ~std::uint64_t{0};
    std::uint64_t interrupts_in_kernel = 0; // taken at preemption points
    const std::byte* vectors = nullptr;     // loaded last
    std::uint64_t fs_base = 0, gs_base = 0;

    struct Baton;
    struct Contexts;
    std::unique_ptr<Contexts> contexts;
};

[[nodiscard]] Machine& machine();

} // namespace uk::sched::host
