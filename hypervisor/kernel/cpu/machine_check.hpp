// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/machine_check.hpp - the processor's own errors (rule 20): a corrected one is logged and cleared and
// nobody is stopped for it; anything worse ends the machine with a record that names CPU, bank, status and address.
#pragma once

namespace hv {

// On the CPU itself, once it is online: reports what firmware or an earlier run left in its banks and switches reporting on.
void start_machine_checks();

// On the CPU itself: after an intercepted #MC, at a partition's end and when its handler asked for it.
void look_at_machine_checks();

} // namespace hv
