// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/cpu/guest_state.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/virt/virt.hpp"
#include "hypervisor/base/constant.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/paging/format.hpp"
#include "hypervisor/core/vcpu/breath.hpp"
#include "hypervisor/kernel/memory/own_tables.hpp"

// The linker script's marks (link.ld): all in the 2 MiB that image_table maps.
extern "C" const char image_start[], boot_start[], boot_end[], image_constant_start[], image_data_start[];

namespace hv {

CAISSON_CONSTANT_AFTER_BOOT constinit base::PhysAddr image_table{}, image_place{};

namespace {

std::uint64_t number(const char* mark) {
    return cpu::address_of(*mark).value();
}

template <typename Entry> void each_page(const char* from, const char* to, Entry entry) {
    for (std::uint64_t at = number(from); at < number(to); at += base::page_size)
        entries_of(image_table)[at / base::page_size % 512] =
            entry(base::PhysAddr{image_place.value() + (at - number(image_start))});
    flush_own();
}

} // namespace

void forget_boot() {
    if (base::weak("keep_boot"))
        return;
    // Code, constants and the page below the boot stack were not writable.
    each_page(boot_start, boot_end,
              [](base::PhysAddr page) { return paging::host.leaf_entry(page, 0, paging::read_write); });
    vcpu::in_breaths(cpu::bytes_at(base::VirtAddr{number(boot_start)}, number(boot_end) - number(boot_start)),
                     vcpu::scrub_piece, cpu::scrub, virt::breathe);
    each_page(boot_start, boot_end, [](base::PhysAddr) { return std::uint64_t{0}; });
    each_page(image_constant_start, image_data_start,
              [](base::PhysAddr page) { return paging::host.leaf_entry(page, 0, paging::read_only); });
}

void flush_own() {
    cpu::write_cr<3>(cpu::read_cr<3>());
}

} // namespace hv
