// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/run.hpp - a virtual CPU on its processor: entering, leaving, doing what core decided.
#pragma once

#include "hypervisor/kernel/partition/partition.hpp"

namespace hv {

// Makes the vCPU ready to be entered in that state.
void start_vcpu(Vcpu& vcpu, const vcpu::InitialState& state);

// Runs it, or waits for its start-up IPI, until its partition stops. GIF = 0 on entry and on return.
void run_until_stopped(Vcpu& vcpu);

} // namespace hv
