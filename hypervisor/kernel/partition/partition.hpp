// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/partition/partition.hpp - a partition and its virtual CPUs.
//
// Ownership: a Vcpu's `core` and `guest` are touched only by the CPU it is bound to. A Partition's `ending` is written by
// whoever wins the change to `stopping`, everything else by the CPU of its vCPU 0 (the primary).
#pragma once

#include "arch/x86_64/virt/virt.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/audit/ring.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "hypervisor/core/vcpu/decide.hpp"
#include "hypervisor/core/vcpu/lifecycle.hpp"
#include "hypervisor/kernel/console/ticket_lock.hpp"

namespace hv {

struct Cpu;
struct Partition;

enum class VcpuState : std::uint8_t {
    waiting, // for a start-up IPI
    running,
};

struct Vcpu {
    vcpu::Vcpu core;
    virt::Guest guest;
    Cpu* cpu = nullptr;
    Partition* partition = nullptr;
    VcpuState state = VcpuState::waiting;
    vcpu::RateLimiter audit_rate;
    paging::CachedTable cached; // of the partition's second stage, by its CPU
};

inline constexpr std::size_t console_ring_bytes = 8192;

// How a generation ended.
struct Ending {
    vcpu::EndReason reason = vcpu::EndReason::stopped;
    std::uint8_t status = 0;
    vcpu::Refusal refusal = vcpu::Refusal::none;
    std::string_view detail = "none";
};

struct Partition {
    std::uint32_t index = 0;
    std::string_view name;
    plan::Partition plan{};
    vcpu::Policy policy;
    paging::LiveTable second_stage; // root of its NPT or EPT
    base::FixedVector<Vcpu*, vcpu::max_vcpus> vcpus;

    std::atomic<vcpu::PartitionState> state = vcpu::PartitionState::defined;
    std::atomic<std::uint32_t> acknowledged = 0; // siblings that finished the current step of stopping
    Ending ending;
    std::uint64_t restarts = 0;
    vcpu::BackOff back_off;
    // TSC, 0: nothing waited for. Set by the primary, taken back by the time CPU (kernel/time).
    std::atomic<std::uint64_t> beat_due = 0, resume_at = 0;
    std::atomic<std::uint64_t> last_beat = 0;
    std::atomic<std::uint64_t> hung_generation = 0; // the last one whose heart stood still
    std::uint64_t started_tsc = 0;
    std::atomic<std::uint64_t> first_output_tsc = 0;

    TicketLock producing; // one vCPU at a time fills the ring; the others wait for a bounded copy
    audit::ConsoleRing<console_ring_bytes> ring;

    [[nodiscard]] Vcpu& primary() { return *vcpus[0]; }
    [[nodiscard]] bool has_console() const { return (plan.flags & plan::flag_console_serial) != 0; }
    // Over all its vCPUs.
    [[nodiscard]] std::uint64_t total(std::uint64_t vcpu::Counters::*counter) const;
};

// Starting, stopping and restarting (life.cpp), in the order of rule 23. The CPU of vCPU 0 (the primary) does the steps; the
// others take part in those that concern their own CPU and report each by Partition::acknowledged. core/vcpu says which
// step may follow which.

// Any vCPU: ends the generation. The first ending counts; the caller's CPU leaves the guest and does not come back.
void stop_partition(Vcpu& vcpu, const Ending& ending);

// The primary, asked by the time CPU: ends the generation if it is the one whose heart stands still.
void stop_hung(Vcpu& vcpu);

// Runs a partition's vCPU for ever, generation after generation. Called with GIF = 0 on the vCPU's CPU.
[[noreturn]] void live(Vcpu& vcpu);

} // namespace hv
