// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/partition/link.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/guest_state.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/breath.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

constinit NoEnd no_end{};

namespace {

std::uint64_t command_to(const Vcpu& vcpu, std::uint8_t vector) {
    return std::uint64_t{vcpu.cpu->apic_id} << 32 | apic::fixed | vector;
}

} // namespace

void ring(const Link& link) {
    link.on_the_way->fetch_add(1, std::memory_order_seq_cst);
    const std::uint64_t to = link.other->listener.load(std::memory_order_seq_cst);
    apic::send(static_cast<std::uint32_t>(to >> 32), static_cast<std::uint32_t>(to));
    link.on_the_way->fetch_sub(1, std::memory_order_release);
}

bool listen(Partition& partition, Link& link, std::uint8_t vector, std::uint64_t index) {
    const Vcpu& vcpu = *partition.vcpus[index];
    if (vector == 0) {
        link.listener.store(nobody_listens, std::memory_order_seq_cst);
        return true;
    }
    if (vcpu.state.load(std::memory_order_acquire) != VcpuState::running)
        return false;
    link.listener.store(command_to(vcpu, vector), std::memory_order_seq_cst);
    return true;
}

void stop_listening(const Vcpu& vcpu) {
    for (Link& link : vcpu.partition->own_links())
        if (link.listener.load(std::memory_order_relaxed) >> 32 == vcpu.cpu->apic_id)
            link.listener.store(nobody_listens, std::memory_order_seq_cst);
}

void clear_lanes(const Partition& partition) {
    for (const Link& link : partition.own_links())
        for (std::uint64_t done = 0; done < link.writes.bytes && !base::weak("keep_lanes");) {
            // The header by itself: a reader that finds zeros behind it finds it changed.
            const std::uint64_t piece =
                done == 0 ? base::page_size : std::min(link.writes.bytes - done, window_bytes);
            const auto window = Window::frames(WindowSide::target, {link.writes.base + done, piece});
            vcpu::in_breaths(window.bytes(), vcpu::scrub_piece, cpu::scrub, virt::breathe);
            done += piece;
        }
}

void open_links(Partition& partition) {
    partition.life.store(partition.policy.generation, std::memory_order_seq_cst);
    for (const Link& link : partition.own_links())
        if (link.writes.bytes != 0)
            ring(link);
}

bool close_links(Partition& partition) {
    partition.life.store(0, std::memory_order_seq_cst);
    for (Link& link : partition.own_links())
        link.listener.store(nobody_listens, std::memory_order_seq_cst);
    // A ring is a few instructions long; what holds its CPU up is firmware's SMM or an emulator's host.
    const Deadline patience{vcpu::leave_ms};
    while (partition.rings_on_the_way.load(std::memory_order_seq_cst) != 0) {
        if (patience.passed())
            return false;
        virt::breathe();
        virt::pause();
    }
    return true;
}

} // namespace hv
