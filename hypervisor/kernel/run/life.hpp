// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/life.hpp - starting, stopping and restarting a partition, in the order of rule 23.
//
// The CPU of vCPU 0 (the primary) does the steps; the others take part in those that concern their own CPU and report each by
// Partition::acknowledged. core/vcpu says which step may follow which.
#pragma once

#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

// Runs a partition's vCPU for ever, generation after generation. Called with GIF = 0 on the vCPU's CPU.
[[noreturn]] void live(Vcpu& vcpu);

} // namespace hv
