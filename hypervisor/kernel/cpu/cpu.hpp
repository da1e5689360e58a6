// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/cpu.hpp - one physical CPU: its tables, stacks, windows, requests and the vCPU it runs.
//
// Written by its own CPU only, except `requests` (anyone may set a bit, then send an NMI) and `start_up_vector`.
// A request cannot be lost: they are looked at with GIF = 0 before each VMRUN and before each sleep, and an NMI that
// comes in between waits for GIF = 1 (rule 10).
#pragma once

#include "arch/x86_64/cpu/descriptors.hpp"
#include "arch/x86_64/virt/virt.hpp"

#include <atomic>

namespace hv {

struct Vcpu;

// Bits of Cpu::requests. Bit 0 comes with every other: a CPU about to sleep looks at it last (virt::idle_until_kick).
//   look           something that this CPU waits for may have changed
//   stop           its partition is stopping
//   init, start_up INIT, a start-up IPI from a sibling vCPU
//   halt           for ever: the machine is ending
//   machine_check  its own #MC handler: look at the banks
//   hung           no heartbeat in time (Partition::hung_generation)
inline constexpr std::uint32_t request_look = 1u << 0, request_stop = 1u << 1, request_init = 1u << 2,
                               request_start_up = 1u << 3, request_halt = 1u << 4,
                               request_machine_check = 1u << 5, request_hung = 1u << 6;

inline constexpr unsigned window_count = 2;
inline constexpr std::uint64_t window_bytes = base::large_page_size; // one last-level table each

struct WindowSlot {
    base::PhysAddr table; // the last-level table of its 2 MiB
    base::VirtAddr at;
    std::uint64_t pages = 0; // open ones
};

struct Cpu {
    Cpu* self = nullptr;     // first: GS:0
    std::uint32_t index = 0; // rank in the bound plan
    std::uint32_t apic_id = 0;
    std::atomic<std::uint32_t> requests = 0;
    std::atomic<std::uint32_t> nmis = 0; // that its handler took
    // NMIs that were sent to it, alarms among them; counted before they are
    std::atomic<std::uint32_t> kicks = 0;
    std::uint32_t foreign_nmis = 0; // of `nmis`, reported
    std::atomic<std::uint8_t> start_up_vector = 0;
    std::atomic<bool> online = false;
    Vcpu* vcpu = nullptr; // or parked
    std::uint64_t corrected_errors = 0;
    std::array<WindowSlot, window_count> windows{};
    base::PhysAddr host_save_area, host_vmcb;
    cpu::Gdt gdt;
    cpu::TaskState task;
};

static_assert(offsetof(Cpu, requests) == 16 && offsetof(Cpu, nmis) == 20 && request_look == 1); // nmi_entry

// The CPU this runs on. Valid from set_up() on.
[[nodiscard]] inline Cpu& this_cpu() {
    Cpu* self = nullptr;
    // SAFETY: GS points to this CPU's Cpu, whose first field points to itself; VMLOAD restores it after each exit.
    asm volatile("movq %%gs:0, %0" : "=r"(self));
    return *self;
}

// Boot CPU, first of all: exceptions report themselves instead of resetting the machine.
void catch_early_exceptions();

// On the CPU itself: descriptor tables, control registers, local APIC, AMD-V. GIF is 0 afterwards.
void set_up(Cpu& cpu);

// Sets `bits` and makes sure that the CPU looks at them.
void request(Cpu& cpu, std::uint32_t bits);
// Takes the bits set so far (own CPU).
[[nodiscard]] inline std::uint32_t take_requests(Cpu& cpu) {
    return cpu.requests.exchange(0, std::memory_order_acq_rel);
}

inline void forget_requests(Cpu& cpu, std::uint32_t bits) {
    cpu.requests.fetch_and(~bits, std::memory_order_acq_rel);
}

// Lets what the guest left pending in the local APIC arrive and ends it: a guest may use vectors from 16 up, so of these only
// 18 may still mean an exception, a machine check. Callers hold no lock.
void take_guest_interrupts();

// No way on (the machine is ending or this CPU failed).
[[noreturn]] void halt_for_ever();

} // namespace hv
