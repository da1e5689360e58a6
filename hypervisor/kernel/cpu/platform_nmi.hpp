// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/platform_nmi.hpp - NMIs that are neither a kick nor time's: the chipset's (SERR#, IOCHK#) or a button.
//
// LINT1, where they arrive, is open on CPUs that run no guest. A CPU counts the NMIs that it took, and who sends it one counts
// that before: NMIs merge, so more taken than sent means that somebody else sent one.
#pragma once

namespace hv {

// On a CPU without a guest and on the time CPU, after an NMI: records what the chipset says and what nobody of us sent.
void look_at_platform_nmis();

} // namespace hv
