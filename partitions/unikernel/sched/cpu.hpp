// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/cpu.hpp - a CPU's block with what the scheduler keeps in it.
#pragma once

#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/sched/run_queue.hpp"
#include "partitions/unikernel/sched/timer_heap.hpp"

namespace uk::sched {

struct Cpu : machine::Cpu { // all zero before it is set up
    std::uint64_t bit;      // in a set of CPUs, which is a word of 64 bits
    RunQueue ready;
    Thread* idle;       // runs when nothing is ready; in no queue
    Thread* left;       // ran before; its stack was in use until the switch
    Deadline slice_end; // of the running thread; `never` while no other is ready
    bool slice_over;
    bool lanes_rang; // an interrupt that nobody has acted on yet
    // Something for the way out to look at: another thread became ready, the first timer changed, a switch.
    bool attention;
    TimerHeap timers;
    Deadline programmed; // what the one-shot timer was set to
};

[[nodiscard]] inline Cpu& this_cpu() {
    return static_cast<Cpu&>(machine::this_cpu());
}
[[nodiscard]] inline Cpu& cpu_of(std::uint32_t number) {
    return static_cast<Cpu&>(*machine::cpus[number]);
}
[[nodiscard]] inline std::uint64_t all_cpus() {
    return ~std::uint64_t{0} >> (machine::most_cpus - machine::cpu_count);
}

} // namespace uk::sched
