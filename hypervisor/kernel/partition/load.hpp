// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/partition/load.hpp - filling a partition's memory from the verified bundle.
//
// Runs on the CPU of its vCPU 0, through windows.
// Invariants: nothing but bytes that are verified, zeros and the live fields of the boot page are
//             written; everything that a former generation or firmware left is gone first.
#pragma once

#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

// All of a partition's RAM becomes zero, past the caches.
void clear_memory(const Partition& partition);

// What the plan says it finds at its start, and in the boot page what only the running hypervisor knows.
void load_payload(const Partition& partition);

// Copies bytes of a section, or of the plan's table. False where they or their place are not there.
[[nodiscard]] bool copy_to_guest(const Partition& partition, const plan::Load& load);

} // namespace hv
