// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/partition/load.hpp"

#include "arch/x86_64/cpu/guest_state.hpp"
#include "hypervisor/core/vcpu/breath.hpp"
#include "hypervisor/kernel/dma/device.hpp"
#include "hypervisor/kernel/entropy.hpp"
#include "partitions/abi/boot_page.h"

#include <cstring>

namespace hv {
namespace {

// What of the boot page only the running hypervisor knows.
void fill_boot_page(const Partition& partition) {
    const auto window = Window::guest(WindowSide::target, partition.index,
                                      base::GuestPhysAddr{CAISSON_GPA_BOOT_PAGE}, base::page_size, true);
    base::expects(window.has_value(), "boot page: not the partition's RAM");
    const auto put = [&window](std::size_t offset, const auto& value) {
        std::memcpy(window->bytes().subspan(offset, sizeof(value)).data(), &value, sizeof(value));
    };
    const Times& times = machine().times;
    std::array<std::uint8_t, sizeof(caisson_boot_page::entropy_seed)> seed{};
    fill_random(seed);
    put(offsetof(caisson_boot_page, flags),
        (virt::features.vmx ? CAISSON_BOOT_VMCALL : CAISSON_BOOT_VMMCALL) |
            (partition.has_console() ? 0 : CAISSON_BOOT_NO_CONSOLE));
    put(offsetof(caisson_boot_page, generation), partition.policy.generation);
    put(offsetof(caisson_boot_page, tsc_hz), times.tsc_hz);
    put(offsetof(caisson_boot_page, apic_timer_hz), times.apic_timer_hz);
    put(offsetof(caisson_boot_page, wall_ns), times.wall_ns);
    put(offsetof(caisson_boot_page, wall_tsc), times.wall_tsc);
    put(offsetof(caisson_boot_page, entropy_seed), seed);
    std::uint32_t devices = 0;
    for (const dma::Device* device : machine().devices)
        if (device->partition == partition.index)
            put(offsetof(caisson_boot_page, devices) + devices++ * sizeof(caisson_device), device->listed);
    put(offsetof(caisson_boot_page, device_count), devices);
}

} // namespace

bool copy_to_guest(const Partition& partition, const plan::Load& load) {
    base::GuestPhysAddr next{load.gpa};
    bool all = true;
    const auto put = [&](std::span<const std::byte> from) {
        const base::GuestPhysAddr at = next;
        next = base::GuestPhysAddr{at.value() + from.size()};
        all &= each_guest_piece(WindowSide::target, partition.index, at, from.size(), true,
                                [&from](std::span<std::byte> to) {
                                    const auto copy = [&from](std::span<std::byte> piece) {
                                        std::memcpy(piece.data(), from.data(), piece.size());
                                        from = from.subspan(piece.size());
                                    };
                                    vcpu::in_breaths(to, vcpu::scrub_piece, copy, virt::breathe);
                                });
    };
    const Machine& m = machine();
    if (load.section == plan::no_section)
        put(std::span{m.table}.first(m.table_bytes).subspan(load.offset, load.bytes));
    else if (!each_bundle_piece(WindowSide::source, m.sections[load.section].offset + load.offset, load.bytes,
                                put))
        return false;
    return all;
}

void clear_memory(const Partition& partition) {
    for (const vcpu::RamRegion& region : partition.policy.ram_view()) {
        const bool all =
            each_guest_piece(WindowSide::target, partition.index, base::GuestPhysAddr{region.gpa},
                             region.bytes, true, [](std::span<std::byte> piece) {
                                 vcpu::in_breaths(piece, vcpu::scrub_piece, cpu::scrub, virt::breathe);
                             });
        base::expects(all, "clear_memory: a region of the plan is not bound");
    }
}

void load_payload(const Partition& partition) {
    for (const plan::Load& load : partition.loads)
        base::expects(copy_to_guest(partition, load), "load_payload: bind() let a bad load pass");
    fill_boot_page(partition);
}

} // namespace hv
