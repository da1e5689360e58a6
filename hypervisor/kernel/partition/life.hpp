// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/partition/life.hpp - starting, stopping and restarting a partition, in the order of rule 23.
//
// The CPU of vCPU 0 (the primary) does the steps; the others take part in those that concern their own CPU and report
// each by Partition::acknowledged. core/vcpu/lifecycle says which step may follow which.
#pragma once

#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

// Any vCPU: ends the generation. The first ending counts; the caller's CPU leaves the guest and does not come back.
void stop_partition(Vcpu& vcpu, const Ending& ending);

// The primary, asked by the time CPU: ends the generation if it is the one whose heart stands still.
void stop_hung(Vcpu& vcpu);

// Runs a partition's vCPU for ever, generation after generation. Called with GIF = 0 on the vCPU's CPU.
[[noreturn]] void live(Vcpu& vcpu);

} // namespace hv
