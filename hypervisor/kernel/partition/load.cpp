// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/partition/load.hpp"

#include "arch/x86_64/cpu/guest_state.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/kernel/entropy.hpp"
#include "partitions/abi/boot_page.h"

#include <cstring>

namespace hv {
namespace {

// Copies bytes of a section, or of the plan's table, to guest memory.
bool copy_to_guest(const Partition& partition, const plan::Load& load) {
    std::uint64_t gpa = load.gpa;
    const auto copy = [&](const bytes::Source& from) {
        return from.each(load.offset, load.bytes, [&](std::span<const std::byte> piece) {
            const std::uint64_t at = gpa;
            gpa += piece.size();
            return each_guest_piece(WindowSide::target, partition.index, base::GuestPhysAddr{at},
                                    piece.size(), true, [&piece](std::span<std::byte> to) {
                                        std::memcpy(to.data(), piece.data(), to.size());
                                        piece = piece.subspan(to.size());
                                    });
        });
    };
    if (load.section == plan::no_section)
        return copy(bytes::Source{std::span{machine().table}.first(machine().table_bytes)});
    const SectionView view{load.section};
    return copy(view.source());
}

// What of the boot page only the running hypervisor knows.
void fill_boot_page(const Partition& partition) {
    const auto window = Window::guest(WindowSide::target, partition.index,
                                      base::GuestPhysAddr{CAISSON_GPA_BOOT_PAGE}, base::page_size, true);
    base::expects(window.has_value(), "boot page: not the partition's RAM");
    const auto put = [&window](std::size_t offset, const auto& value) {
        base::expects(bytes::store(window->bytes(), offset, value), "boot page: past its end");
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
}

} // namespace

SectionView::SectionView(std::uint32_t section, const Partition* placed, std::uint64_t gpa)
    : placed_(placed), start_(placed != nullptr ? gpa : machine().sections[section].offset),
      size_(machine().sections[section].bytes) {}

std::span<const std::byte> SectionView::operator()(std::uint64_t offset, std::size_t length) const {
    window_.reset();
    auto window = placed_ != nullptr ? Window::guest(WindowSide::source, placed_->index,
                                                     base::GuestPhysAddr{start_ + offset}, length, false)
                                     : Window::bundle(WindowSide::source, start_ + offset, length);
    if (!window)
        return {};
    window_.emplace(std::move(*window));
    return window_->bytes();
}

void clear_memory(const Partition& partition) {
    for (std::uint32_t i = 0; i < partition.plan.region_count; ++i) {
        const plan::Region& region = partition.plan.regions[i];
        if (region.kind != plan::RegionKind::ram)
            continue;
        const bool all = each_guest_piece(WindowSide::target, partition.index,
                                          base::GuestPhysAddr{region.gpa}, region.bytes, true, cpu::scrub);
        base::expects(all, "clear_memory: a region of the plan is not bound");
    }
}

void load_payload(const Partition& partition) {
    for (const plan::Load& load : partition.loads)
        base::expects(copy_to_guest(partition, load), "load_payload: bind() let a bad load pass");
    fill_boot_page(partition);
}

void copy_root(const Partition& partition, std::uint64_t gpa) {
    const std::uint32_t section = partition.plan.root_section;
    base::expects(copy_to_guest(partition, {gpa, machine().sections[section].bytes, 0, section, 0}),
                  "copy_root: the region of the plan is not bound");
}

} // namespace hv
