// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/partition/partition.hpp - a partition and its virtual CPUs.
//
// Ownership: a Vcpu's `core` and `guest` are touched only by the CPU it is bound to. A Partition's `ending` is written by
// whoever wins the change to `stopping`, everything else by the CPU of its vCPU 0 (the primary).
#pragma once

#include "arch/x86_64/virt/virt.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/audit/ring.hpp"
#include "hypervisor/core/plan/limits.hpp"
#include "hypervisor/core/vcpu/decide.hpp"
#include "hypervisor/core/vcpu/lifecycle.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/partition/link.hpp"
#include "hypervisor/kernel/time/alarm.hpp"

namespace hv {

struct Cpu;
struct Partition;

inline constexpr std::uint8_t status_stopped = 137; // by the hypervisor

enum class VcpuState : std::uint8_t {
    waiting, // for a start-up IPI
    running,
};

struct Vcpu {
    vcpu::Vcpu core;
    virt::Guest guest;
    Cpu* cpu = nullptr;
    Partition* partition = nullptr;
    std::atomic<VcpuState> state = VcpuState::waiting; // written by its CPU, read by siblings
    vcpu::RateLimiter audit_rate;
    paging::CachedTable cached; // of the partition's second stage, by its CPU
};

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
    plan::Behaviour behaviour;
    std::uint32_t entry = 0; // 32-bit PVH entry point
    base::FixedVector<plan::Load, plan::max_loads> loads;
    vcpu::Policy policy;
    paging::LiveTable second_stage; // root of its NPT or EPT
    base::FixedVector<Vcpu*, vcpu::max_vcpus> vcpus;

    std::atomic<vcpu::PartitionState> state = vcpu::PartitionState::defined;
    std::atomic<std::uint32_t> acknowledged = 0; // siblings that finished the current step of stopping
    Ending ending;
    std::uint64_t restarts = 0;
    vcpu::BackOff back_off;
    std::uint64_t started_tsc = 0;
    // TSC ticks of the exit that sent others' bytes the longest.
    std::atomic<std::uint64_t> most_for_others = 0;
    alarm::Timed timed;
    console::Outlet output;
    vcpu::RateLimiter output_bytes, note_bytes;      // under output.producing
    std::array<Link, plan::max_wires_of_one> links;  // policy.link_count of them
    std::atomic<std::uint32_t> rings_on_the_way = 0; // to this partition
    std::atomic<std::uint64_t> life = 0; // the generation whose lanes may be believed; 0: it does not run

    [[nodiscard]] Vcpu& primary() { return *vcpus[0]; }
    [[nodiscard]] std::span<Link> own_links() { return std::span{links}.first(policy.link_count); }
    [[nodiscard]] std::span<const Link> own_links() const {
        return std::span{links}.first(policy.link_count);
    }
    [[nodiscard]] bool has_console() const { return behaviour.has(plan::flag_console_serial); }
    // Over all its vCPUs.
    [[nodiscard]] std::uint64_t total(std::uint64_t vcpu::Counters::*counter) const;
};

// Any vCPU: ends the generation. The first ending counts; the caller's CPU leaves the guest and does not come back.
void stop_partition(Vcpu& vcpu, const Ending& ending);

// The primary, asked by the time CPU: ends the generation if it is the one whose heart stands still, or that did not end
// when it was asked to.
void stop_hung(Vcpu& vcpu);

} // namespace hv
