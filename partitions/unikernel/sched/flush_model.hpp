// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/flush_model.hpp - a model of how CPUs enter and leave the kernel while another changes page tables and frees
// what they showed. Test code only; the protocol that several CPUs of one container will follow.
//
// Each CPU is a small program; a state is all CPUs' places and memory; every interleaving is visited. A store waits in its CPU's buffer until
// it drains, at any later moment, in order, or at a fence (x86-64's TSO); a load sees the own buffer first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace uk::sched::model {

// What can be left out, to see that it is missed.
enum class Mutation {
    none,
    no_fence_on_the_way_out,      // between mode = user and the look at the generation
    no_look_on_the_way_out,       // at the generation
    no_flush_on_the_way_in,       // once the lock is held
    no_fence_after_the_change,    // between generation + 1 and the look at the modes
    generation_before_the_change, // the tables change after the generation
    no_wait,                      // frames are freed before the other CPUs have looked
    mode_after_the_lock, // mode = kernel only once the lock is held: who flushes waits for a CPU that waits for it
    no_interrupt,        // nobody tells a CPU that is in user mode
    lock_dropped_last, // mode = user while the lock is still held: harmless
};

struct Outcome {
    bool stale_access = false; // a program reached a frame that was freed
    bool stuck = false;        // no CPU can go on, and not all have ended
    std::size_t states = 0;
    std::string how; // the steps to the first fault
};

// `cpus` CPUs in `spaces` spaces: CPU 0 unmaps and frees in space 0, the others run programs that call the kernel; CPU 1 changes over to
// space 1 and back where there are two.
[[nodiscard]] Outcome explore(unsigned cpus, unsigned spaces, Mutation mutation);

} // namespace uk::sched::model
