// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/cpu/guest_state.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/virt/virt.hpp"
#include "hypervisor/base/constant.hpp"
#include "hypervisor/base/weakness.hpp"
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

void remap(const char* from, const char* to, std::uint64_t entry) {
    for (std::uint64_t at = number(from); at < number(to); at += base::page_size)
        entries_of(image_table)[at / base::page_size % 512] =
            entry == 0 ? 0 : (image_place.value() + (at - number(image_start))) | entry;
    flush_own();
}

} // namespace

void forget_boot() {
    if (base::weak("keep_boot"))
        return;
    // Code, constants and the page below the boot stack were not writable.
    remap(boot_start, boot_end, read_write_page);
    vcpu::in_breaths(cpu::bytes_at(base::VirtAddr{number(boot_start)}, number(boot_end) - number(boot_start)),
                     vcpu::scrub_piece, cpu::scrub, virt::breathe);
    remap(boot_start, boot_end, 0);
    remap(image_constant_start, image_data_start, read_only_page);
}

void flush_own() {
    cpu::write_cr<3>(cpu::read_cr<3>());
}

} // namespace hv
