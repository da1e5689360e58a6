// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/vdso.hpp - the shared object that the kernel gives every program: clocks without
// a call.
#pragma once

#include "partitions/unikernel/mm/address_space.hpp"

#include <cstdint>

namespace uk::exec {

// Maps data page and code at a random place; gives the address of the ELF header, 0 when there is no memory.
[[nodiscard]] std::uint64_t map_vdso(mm::AddressSpace& space);

} // namespace uk::exec
