// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/dma.hpp - what the remapping units have refused (start.hpp switched them on).
#pragma once

namespace hv::dma {

// Refused accesses so far go to the audit log, a few a call; for moments when nobody waits. Any CPU.
void report_faults();

} // namespace hv::dma
