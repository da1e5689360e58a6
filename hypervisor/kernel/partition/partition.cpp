// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/partition/partition.hpp"

#include "hypervisor/kernel/cpu/cpu.hpp"

namespace hv {

std::uint64_t Partition::total(std::uint64_t vcpu::Counters::*counter) const {
    std::uint64_t sum = 0;
    for (const Vcpu* vcpu : vcpus)
        sum += vcpu->core.counters.*counter;
    return sum;
}

void stop_partition(Vcpu& vcpu, const Ending& ending) {
    Partition& partition = *vcpu.partition;
    vcpu::PartitionState running = vcpu::PartitionState::running;
    if (partition.state.compare_exchange_strong(running, vcpu::PartitionState::stopping,
                                                std::memory_order_acq_rel)) {
        partition.ending = ending;
        alarm::unwatch(partition.timed);
        for (Vcpu* sibling : partition.vcpus)
            if (sibling != &vcpu)
                request(*sibling->cpu, request_stop);
        if (vcpu.core.index != 0)
            alarm::must_leave(partition.timed);
    }
    vcpu.cpu->requests.fetch_or(request_stop, std::memory_order_acq_rel);
}

void stop_hung(Vcpu& vcpu) {
    Partition& partition = *vcpu.partition;
    if (partition.timed.hung.load(std::memory_order_acquire) != partition.policy.generation)
        return;
    const std::string_view detail =
        partition.timed.overdue.load(std::memory_order_acquire) ? "stop_timeout" : "watchdog";
    console::audit_event("stopped", [&](audit::Record& record) {
        record.add("partition", partition.name)
            .add("generation", partition.policy.generation)
            .add("detail", detail);
    });
    stop_partition(vcpu, {vcpu::EndReason::stopped, status_stopped, vcpu::Refusal::none, detail});
}

} // namespace hv
