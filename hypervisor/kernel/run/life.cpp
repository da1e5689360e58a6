// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/life.cpp - a partition's generations, one after the other (life.hpp).
#include "hypervisor/kernel/run/life.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/guest_state.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/dma/device.hpp"
#include "hypervisor/kernel/dma/dma.hpp"
#include "hypervisor/kernel/end/end.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/partition/load.hpp"
#include "hypervisor/kernel/run/run.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>

namespace hv {
namespace {

using vcpu::PartitionState;

constexpr std::uint32_t requests_of_a_life = request_stop | request_init | request_start_up | request_hung;

constinit std::atomic<std::uint32_t> ended_partitions{0}, ended_programs{0};

void kick_siblings(const Partition& partition) {
    for (std::size_t i = 1; i < partition.vcpus.size(); ++i)
        request(*partition.vcpus[i]->cpu, request_look);
}

// Its life is over for good; the last one's end is the machine's. Services are there for programs: they are asked to end after
// the last of those.
void is_over(const Partition& partition) {
    const auto& all = machine().partitions;
    const auto programs = std::ranges::count_if(
        all, [](const Partition* one) { return !one->behaviour.has(plan::flag_service); });
    const std::uint32_t program = partition.behaviour.has(plan::flag_service) ? 0 : 1;
    const bool last = ended_programs.fetch_add(program, std::memory_order_acq_rel) + 1 == programs;
    if (ended_partitions.fetch_add(1, std::memory_order_acq_rel) + 1 == all.size())
        end_in_order();
    if (program != 0 && last)
        alarm::end_all("programs");
}

// What cannot be stopped keeps its memory and its CPUs and gets nothing else; no device is anybody's. Any CPU, once; no exit
// record follows, for who sends that may have to wait.
void quarantine(Partition& partition, std::string_view why) {
    PartitionState now = partition.state.load(std::memory_order_acquire);
    do {
        if (!vcpu::may_follow(now, PartitionState::quarantined))
            return;
    } while (
        !partition.state.compare_exchange_weak(now, PartitionState::quarantined, std::memory_order_acq_rel));
    alarm::unwatch(partition.timed);
    dma::cut_devices(partition.index);
    console::audit_event("quarantined", [&](audit::Record& record) {
        record.add("partition", partition.name)
            .add("generation", partition.policy.generation)
            .add("status", std::uint64_t{status_stopped})
            .add("detail", why);
    });
    is_over(partition);
}

// The primary's only way to change the state: a step that core's order does not allow is our own bug. False: the partition
// has been quarantined meanwhile.
bool step(Partition& partition, PartitionState next) {
    PartitionState now = partition.state.load(std::memory_order_acquire);
    if (now == PartitionState::quarantined)
        return false;
    base::expects(vcpu::may_follow(now, next), "a partition's life: step out of order");
    partition.acknowledged.store(0, std::memory_order_relaxed);
    if (!partition.state.compare_exchange_strong(now, next, std::memory_order_acq_rel))
        return false;
    kick_siblings(partition);
    return true;
}

// Every sibling has done the present step. The kick is repeated each millisecond.
bool all_have_done(Partition& partition) {
    const std::size_t siblings = partition.vcpus.size() - 1;
    const Deadline deadline{vcpu::leave_ms};
    Deadline patience{1};
    while (partition.acknowledged.load(std::memory_order_acquire) != siblings &&
           partition.state.load(std::memory_order_acquire) != PartitionState::quarantined) {
        if (deadline.passed()) {
            quarantine(partition, "cpu_stuck");
            return false;
        }
        if (patience.passed()) {
            kick_siblings(partition);
            patience = Deadline{1};
        }
        virt::pause();
    }
    return true;
}
bool step_together(Partition& partition, PartitionState next) {
    return all_have_done(partition) && step(partition, next);
}

// Nothing interrupts this CPU any more, and nothing that already did is left over. False: that does not end.
bool silence_local_apic() {
    // An APIC holds at most 480 interrupts, each of which is gone in less than a microsecond: a round or two each. All of
    // them are tried whatever time it takes, since an emulator's CPU can be held up by its host between two rounds.
    constexpr std::uint32_t least_rounds = 2 * 480;
    const Deadline patience{100};
    // Vectors 0-15 are no interrupts; QEMU lets a guest set them, and keeps 0 for ever.
    constexpr std::uint32_t deliverable = ~0xFFFFu;
    const auto any = [](apic::Register first) {
        std::uint32_t bits = 0;
        for (std::uint32_t i = 0; i < 8; ++i)
            bits |= apic::read(static_cast<apic::Register>(static_cast<std::uint32_t>(first) + i)) &
                    (i == 0 ? deliverable : ~0u);
        return bits != 0;
    };
    for (std::uint32_t i = 0; i < least_rounds || !patience.passed(); ++i) {
        // Bochs ends no interrupt whose vector is the spurious one: not always the same.
        apic::reset(apic::spurious_vector - i % 2 * 16);
        if (any(apic::Register::in_service)) {
            apic::write(apic::Register::end_of_interrupt, 0);
        } else if (any(apic::Register::request) && !base::weak("keep_requests")) {
            take_guest_interrupts();
        } else {
            apic::reset();
            return true;
        }
    }
    return false;
}

// As at power-on. A ring that was still on its way when the APIC was emptied (link.hpp) is there by now; that this APIC can be
// emptied has been seen.
void reset_vcpu(Vcpu& vcpu) {
    if (!base::weak("keep_registers"))
        cpu::reset_guest_state();
    separate_lives(vcpu.partition->behaviour.has(plan::flag_no_store_bypass));
    vcpu.cached.forget();
    vcpu::Vcpu fresh;
    fresh.policy = vcpu.core.policy;
    fresh.index = vcpu.core.index;
    vcpu.core = fresh;
    vcpu.state = VcpuState::waiting;
    (void)silence_local_apic();
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
    console::audit_event("ended", [&](audit::Record& record) {
        fill(record);
        record.add("most_for_others", partition.most_for_others.exchange(0));
    });
    console::serve();
}

// Memory as it must be, vCPU 0 ready to enter.
void begin_generation(Partition& partition) {
    partition.output.generation = partition.policy.generation;
    partition.output.first_output_tsc.store(0, std::memory_order_relaxed);
    partition.ending = {};
    if (partition.policy.generation == 1) {
        if (!dma::take_devices(partition.index)) // from firmware
            quarantine(partition, "device_stuck");
        clear_memory(partition);
    } else
        clear_lanes(partition);
    load_payload(partition);
    partition.started_tsc = cpu::rdtsc();
    console::audit_event(partition.policy.generation == 1 ? "start" : "restart", [&](audit::Record& record) {
        record.add("partition", partition.name).add("generation", partition.policy.generation);
    });
    start_vcpu(partition.primary(), vcpu::pvh_entry(partition.entry, CAISSON_GPA_START_INFO));
}

// From the last exit of the last vCPU to "as if it had never run". True: it starts again.
bool end_generation(Partition& partition) {
    if (!all_have_done(partition))
        return false;
    if (!close_links(partition))
        quarantine(partition, "ring_stuck");
    if (!step(partition, PartitionState::quiet))
        return false;
    alarm::has_left(partition.timed);
    const plan::Behaviour& wish = partition.behaviour;
    const bool again =
        !alarm::ending() &&
        vcpu::should_restart(static_cast<vcpu::RestartRule>(wish.restart), wish.restart_max,
                             partition.restarts, partition.ending.reason, partition.ending.status);
    const std::uint64_t lived_ms = (cpu::rdtsc() - partition.started_tsc) / (machine().times.tsc_hz / 1000);
    const std::uint64_t delay = !again ? 0
                                : wish.has(plan::flag_same_delay)
                                    ? wish.restart_delay_ms
                                    : partition.back_off.next_delay_ms(wish.restart_delay_ms, lived_ms);
    if (!dma::take_devices(partition.index))
        quarantine(partition, "device_stuck");
    report_end(partition, !again);
    if (!silence_local_apic())
        quarantine(partition, "local_apic_stuck");
    if (!step_together(partition, PartitionState::detached) || !step(partition, PartitionState::drained))
        return false;
    if (!base::weak("keep_memory"))
        clear_memory(partition);
    (void)step(partition, PartitionState::scrubbed);
    reset_vcpu(partition.primary());
    if (!step_together(partition, PartitionState::reset))
        return false;
    if (again) {
        alarm::wait(partition.timed, delay);
        ++partition.policy.generation;
        if (!alarm::ending()) {
            (void)step(partition, PartitionState::defined);
            ++partition.restarts;
            return true;
        }
        // The life that it waited for is over before it began.
        partition.output.generation = partition.policy.generation;
        partition.ending = {.status = status_stopped, .detail = "stop_request"};
        partition.started_tsc = cpu::rdtsc();
        report_end(partition, true);
    }
    const bool good = partition.ending.reason == vcpu::EndReason::exit && partition.ending.status == 0;
    (void)step(partition, good ? PartitionState::stopped : PartitionState::failed);
    console::serve();
    is_over(partition);
    return false;
}

[[noreturn]] void live_as_primary(Vcpu& vcpu) {
    Partition& partition = *vcpu.partition;
    bool again = true;
    while (again) {
        begin_generation(partition);
        if (!dma::give_devices(partition.index, partition.policy.generation))
            quarantine(partition, "device_stuck");
        (void)step(partition, PartitionState::running);
        console::serve();
        open_links(partition);
        alarm::watch(partition.timed, partition.policy.generation);
        run_until_stopped(vcpu);
        forget_requests(*vcpu.cpu, requests_of_a_life);
        again = end_generation(partition);
    }
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
        if (!silence_local_apic())
            quarantine(partition, "local_apic_stuck");
        partition.acknowledged.fetch_add(1, std::memory_order_acq_rel);
        for (const auto state : {PartitionState::quiet, PartitionState::detached, PartitionState::drained})
            sleep_while(vcpu, state);
        if (partition.state.load(std::memory_order_acquire) == PartitionState::quarantined)
            park(*vcpu.cpu);
        reset_vcpu(vcpu);
        forget_requests(*vcpu.cpu, requests_of_a_life);
        partition.acknowledged.fetch_add(1, std::memory_order_acq_rel);
    }
}

} // namespace

void live(Vcpu& vcpu) {
    if (!silence_local_apic())
        refuse_to_start("the local APIC of a CPU does not become empty: APIC ID ", vcpu.cpu->apic_id);
    reset_vcpu(vcpu);
    if (vcpu.core.index == 0)
        live_as_primary(vcpu);
    live_as_sibling(vcpu);
}

// Its heart stands still and it was told, or a sibling has stopped it.
void alarm::does_not_leave(Timed& timed) {
    Partition& partition = *machine().partitions[timed.partition];
    PartitionState running = PartitionState::running;
    const std::uint64_t hung = timed.hung.load(std::memory_order_acquire);
    if (hung != 0 && hung == timed.life.load(std::memory_order_acquire))
        partition.state.compare_exchange_strong(running, PartitionState::stopping, std::memory_order_acq_rel);
    quarantine(partition, "first_cpu_stuck");
}

} // namespace hv
