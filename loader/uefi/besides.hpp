// SPDX-License-Identifier: Apache-2.0
// loader/uefi/besides.hpp - what an application does besides starting the hypervisor: nothing (nothing_besides.cpp), or, where it
// scans a board, keeping what the scan finds (keep_scan.cpp).
#pragma once

#include "loader/uefi/firmware.hpp"

#include <cstdint>

namespace loader::uefi {

// First of all, with Boot Services. False: there is nothing to start.
[[nodiscard]] bool before_start(const SystemTable& system, Handle self);

// Last of all, without them; `handover` is the physical address of the Handover.
void before_entry(std::uint64_t handover);

} // namespace loader::uefi
