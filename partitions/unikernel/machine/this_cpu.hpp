// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/this_cpu.hpp - what a CPU has of its own, and how the kernel finds it.
//
// GS holds the block's address exactly while the kernel runs (stubs.S, I2). Higher rooms put what is theirs behind it
// (sched::Cpu).
#pragma once

#include "partitions/unikernel/machine/trap_frame.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace uk {
struct Thread;
namespace mm {
class AddressSpace;
}
} // namespace uk

namespace uk::machine {

// What the CPU may have in use, for whoever changes page tables on another: `user` looks at the tables at any
// moment; `kernel` holds the kernel lock or waits for it; `idle` has no program's tables.
enum class Mode : std::uint32_t { kernel, user, idle };

// Why a CPU was interrupted, for whoever counts (/proc/interrupts): its timer; another CPU that has a thread for one that idles,
// wants one that runs to look around, or changed page tables.
enum class Interrupt : std::uint8_t { timer, wake_up, kick, flush };
inline constexpr unsigned interrupt_kinds = 4;

struct [[gnu::packed]] TaskState { // AMD APM vol. 2 "64-Bit Task State Segment"
    std::uint32_t reserved0;
    std::uint64_t rsp[3];
    std::uint64_t reserved1;
    std::uint64_t ist[7];
    std::uint64_t reserved2;
    std::uint16_t reserved3;
    std::uint16_t io_map;
};
static_assert(sizeof(TaskState) == 104);

// All zero before it is set up.
struct Cpu {
    // stubs.S and this_cpu() know the places of these.
    std::uint64_t kernel_stack; // the current thread's: where its frame ends
    std::uint64_t scratch;
    Cpu* self;
    Thread* thread; // whose kernel stack is in use; nullptr before the first

    mm::AddressSpace* space; // whose tables are loaded; nullptr: the kernel's own
    std::uint64_t seen;      // of that space's changes: what the CPU remembers is no older (mm/flush.hpp)
    Mode mode;
    std::uint32_t number;      // and its APIC's
    std::uint64_t kernel_seen; // of the changes of the kernel's own tables (mm/kernel_tables.hpp)
    bool timer_fired;          // an interrupt that nobody has acted on yet
    bool kicked;               // an interrupt is on its way that makes it look around
    std::array<std::uint32_t, interrupt_kinds>
        interrupts; // its timer's that came, others' that were sent under the lock

    void count(Interrupt kind) { ++interrupts[static_cast<unsigned>(kind)]; }

    TaskState task;
    std::array<std::uint64_t, 10> segments;
    // Traps that may come at any instruction of the kernel have stacks of their own.
    alignas(16) std::array<std::byte, 4096> fatal_stack; // double fault, machine check: they do not return
    alignas(16) std::array<std::byte, 1024> nmi_stack;
    alignas(16) std::array<std::byte, 1024> debug_stack;
};
static_assert(offsetof(Cpu, kernel_stack) == 0 && offsetof(Cpu, scratch) == 8 && offsetof(Cpu, self) == 16 &&
              offsetof(Cpu, thread) == 24);

// Those that run. One more under the kernel lock, and before the first thread; never one less.
inline constexpr unsigned most_cpus = 64;
inline std::array<Cpu*, most_cpus> cpus{};
inline unsigned cpu_count = 0;

#ifdef CAISSON_FREESTANDING

// SAFETY: GS holds the block's address (I2), and the offsets are those asserted above.
[[nodiscard]] inline Cpu& this_cpu() {
    Cpu* cpu = nullptr;
    asm volatile("movq %%gs:16, %0" : "=r"(cpu)); // volatile: behind a switch it may be another
    return *cpu;
}
// Constant for whoever asks, on whichever CPU it goes on.
[[nodiscard]] inline Thread* current_thread() {
    Thread* thread = nullptr;
    asm("movq %%gs:24, %0" : "=r"(thread));
    return thread;
}

#else

// Tests say which CPU they are.
inline Cpu first_host_cpu{};
inline Cpu* host_cpu = &first_host_cpu;
[[nodiscard]] inline Cpu& this_cpu() {
    return *host_cpu;
}
[[nodiscard]] inline Thread* current_thread() {
    return host_cpu->thread;
}

#endif

} // namespace uk::machine
