// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/life.cpp - a partition's generations, one after the other (life.hpp).
#include "hypervisor/kernel/run/life.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/guest_state.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/dma/dma.hpp"
#include "hypervisor/kernel/end/end.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/partition/load.hpp"
#include "hypervisor/kernel/run/run.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#include "partitions/abi/boot_page.h"

namespace hv {
namespace {

using vcpu::PartitionState;

constexpr std::uint32_t requests_of_a_life = request_stop | request_init | request_start_up | request_hung;

constinit std::atomic<std::uint32_t> ended_partitions{0};

// The primary's only way to change the state: a step that core's order does not allow is our own bug.
void step(Partition& partition, PartitionState next) {
    base::expects(vcpu::may_follow(partition.state.load(std::memory_order_relaxed), next),
                  "a partition's life: step out of order");
    partition.acknowledged.store(0, std::memory_order_relaxed);
    partition.state.store(next, std::memory_order_release);
    for (std::size_t i = 1; i < partition.vcpus.size(); ++i)
        request(*partition.vcpus[i]->cpu, request_look);
}

// Until every sibling has done the current step. The kick is repeated; a sibling that never answers is a bug of ours,
// for guests cannot hold an NMI back.
void wait_for_siblings(Partition& partition) {
    constexpr unsigned kicks = 1000, polls_a_kick = 100'000;
    const std::size_t siblings = partition.vcpus.size() - 1;
    for (unsigned kick = 0; kick < kicks; ++kick) {
        for (unsigned poll = 0; poll < polls_a_kick; ++poll) {
            if (partition.acknowledged.load(std::memory_order_acquire) == siblings)
                return;
            cpu::pause();
        }
        for (std::size_t i = 1; i < partition.vcpus.size(); ++i)
            request(*partition.vcpus[i]->cpu, request_look);
    }
    base::fail("a CPU does not answer its kicks", __FILE_NAME__, __LINE__);
}

// Nothing interrupts this CPU any more, and nothing that already did is left over.
void silence_local_apic() {
    constexpr unsigned patience = 1000;
    // Vectors 0-15 are no interrupts; QEMU lets a guest set them, and keeps 0 for ever.
    constexpr std::uint32_t deliverable = ~0xFFFFu;
    const auto any = [](apic::Register first) {
        std::uint32_t bits = 0;
        for (std::uint32_t i = 0; i < 8; ++i)
            bits |= apic::read(static_cast<apic::Register>(static_cast<std::uint32_t>(first) + i)) &
                    (i == 0 ? deliverable : ~0u);
        return bits != 0;
    };
    for (unsigned i = 0; i < patience; ++i) {
        // Bochs ends no interrupt whose vector is the spurious one: not always the same.
        apic::reset(apic::spurious_vector - i % 2 * 16);
        if (any(apic::Register::in_service))
            apic::write(apic::Register::end_of_interrupt, 0);
        else if (any(apic::Register::request) && !base::weak(base::Weakness::keep_requests))
            take_guest_interrupts();
        else
            return apic::reset();
    }
    base::fail("a local APIC does not become empty", __FILE_NAME__, __LINE__);
}

void reset_vcpu(Vcpu& vcpu) {
    if (!base::weak(base::Weakness::keep_registers))
        cpu::reset_guest_state();
    separate_lives((vcpu.partition->plan.flags & plan::flag_no_store_bypass) != 0);
    vcpu.cached.forget();
    vcpu::Vcpu fresh;
    fresh.policy = vcpu.core.policy;
    fresh.index = vcpu.core.index;
    vcpu.core = fresh;
    vcpu.state = VcpuState::waiting;
}

void report_end(Partition& partition, bool last) {
    console::finish_output(partition.output);
    const std::uint64_t now = cpu::rdtsc();
    const auto fill = [&](audit::Record& record) {
        record.add("partition", partition.name)
            .add("generation", partition.policy.generation)
            .add("status", partition.ending.status)
            .add("reason", vcpu::name_of(partition.ending.reason))
            .add("detail", partition.ending.detail)
            .add("exits", partition.total(&vcpu::Counters::exits))
            .add("refusals", partition.total(&vcpu::Counters::refusals))
            .add("dropped", partition.output.ring.dropped())
            .add("started", partition.started_tsc)
            .add("first_output", partition.output.first_output_tsc.load(std::memory_order_relaxed))
            .add("ended", now)
            .add("last", std::uint64_t{last});
    };
    dma::report_faults();
    for (Cpu* cpu : machine().cpus) // nobody else looks at their banks
        if (cpu->vcpu == nullptr)
            request(*cpu, request_machine_check);
    audit::Record text;
    fill(text);
    console::exit_record(partition.output, text.view());
    console::audit_event("ended", fill);
    console::serve();
}

// Memory as it must be, vCPU 0 ready to enter.
void begin_generation(Partition& partition) {
    partition.output.generation = partition.policy.generation;
    partition.output.first_output_tsc.store(0, std::memory_order_relaxed);
    partition.ending = {};
    if (partition.policy.generation == 1)
        clear_memory(partition);
    load_payload(partition);
    partition.started_tsc = cpu::rdtsc();
    console::audit_event(partition.policy.generation == 1 ? "start" : "restart", [&](audit::Record& record) {
        record.add("partition", partition.name).add("generation", partition.policy.generation);
    });
    console::serve();
    start_vcpu(partition.primary(), vcpu::pvh_entry(partition.plan.entry, CAISSON_GPA_START_INFO));
}

// From the last exit of the last vCPU to "as if it had never run". True: it starts again.
bool end_generation(Partition& partition) {
    wait_for_siblings(partition);
    step(partition, PartitionState::quiet);
    const bool again = vcpu::should_restart(static_cast<vcpu::RestartRule>(partition.plan.restart),
                                            partition.plan.restart_max, partition.restarts,
                                            partition.ending.reason, partition.ending.status);
    const std::uint64_t tsc_khz = machine().times.tsc_hz / 1000;
    const std::uint64_t lived_ms = tsc_khz != 0 ? (cpu::rdtsc() - partition.started_tsc) / tsc_khz : 0;
    const std::uint64_t delay =
        again ? partition.back_off.next_delay_ms(partition.plan.restart_delay_ms, lived_ms) : 0;
    report_end(partition, !again);
    silence_local_apic();
    wait_for_siblings(partition);
    step(partition, PartitionState::detached);
    step(partition, PartitionState::drained);
    if (!base::weak(base::Weakness::keep_memory))
        clear_memory(partition);
    step(partition, PartitionState::scrubbed);
    reset_vcpu(partition.primary());
    wait_for_siblings(partition);
    step(partition, PartitionState::reset);
    if (!again) {
        const bool good = partition.ending.reason == vcpu::EndReason::exit && partition.ending.status == 0;
        step(partition, good ? PartitionState::stopped : PartitionState::failed);
        return false;
    }
    alarm::wait(partition.timed, delay);
    step(partition, PartitionState::defined);
    ++partition.restarts;
    ++partition.policy.generation;
    return true;
}

[[noreturn]] void live_as_primary(Vcpu& vcpu) {
    Partition& partition = *vcpu.partition;
    bool again = true;
    while (again) {
        begin_generation(partition);
        step(partition, PartitionState::running);
        alarm::watch(partition.timed, partition.policy.generation);
        run_until_stopped(vcpu);
        forget_requests(*vcpu.cpu, requests_of_a_life);
        again = end_generation(partition);
    }
    if (ended_partitions.fetch_add(1, std::memory_order_acq_rel) + 1 == machine().partitions.size())
        end_in_order();
    park(*vcpu.cpu);
}

// Sleeps until the primary has left `state`.
void sleep_while(Vcpu& vcpu, PartitionState state) {
    sleep_until(*vcpu.cpu, [&] { return vcpu.partition->state.load(std::memory_order_acquire) != state; });
}

[[noreturn]] void live_as_sibling(Vcpu& vcpu) {
    Partition& partition = *vcpu.partition;
    for (;;) {
        run_until_stopped(vcpu);
        partition.acknowledged.fetch_add(1, std::memory_order_acq_rel);
        sleep_while(vcpu, PartitionState::stopping);
        silence_local_apic();
        partition.acknowledged.fetch_add(1, std::memory_order_acq_rel);
        sleep_while(vcpu, PartitionState::quiet);
        sleep_while(vcpu, PartitionState::detached);
        sleep_while(vcpu, PartitionState::drained);
        reset_vcpu(vcpu);
        forget_requests(*vcpu.cpu, requests_of_a_life);
        partition.acknowledged.fetch_add(1, std::memory_order_acq_rel);
    }
}

} // namespace

void live(Vcpu& vcpu) {
    silence_local_apic();
    reset_vcpu(vcpu);
    if (vcpu.core.index == 0)
        live_as_primary(vcpu);
    live_as_sibling(vcpu);
}

} // namespace hv
