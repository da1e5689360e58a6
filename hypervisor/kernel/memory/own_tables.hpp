// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/own_tables.hpp - entries of the hypervisor's own tables that change once they are in use.
#pragma once

#include "arch/x86_64/cpu/raw.hpp"
#include "hypervisor/base/address.hpp"

namespace hv {

// Pool frames are mapped one to one, by the early tables and by the hypervisor's own.
inline base::VirtAddr pool_address(base::PhysAddr frame) {
    return base::VirtAddr{frame.value()};
}

// The entries of one of our last-level tables, each stored at once.
inline volatile std::uint64_t* entries_of(base::PhysAddr table) {
    return cpu::pointer_to<volatile std::uint64_t>(pool_address(table));
}

// One of them, but for the address: data, as core/paging/format.hpp writes it (address_space.cpp holds the two together).
inline constexpr std::uint64_t read_only_page = 1 | std::uint64_t{1} << 63,
                               read_write_page = read_only_page | 2;

// The last-level table of the image and where the image lies, set by AddressSpace::create().
extern base::PhysAddr image_table, image_place;

// Boot CPU, when no CPU runs boot code any more: overwrites that part of the image and takes it out of the tables; what is
// constant from now on becomes read-only. Every CPU calls flush_own() afterwards.
void forget_boot();
void flush_own();

} // namespace hv
