// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/panic/panic.hpp - the two ways the machine ends: in order, or because of a bug of ours.
#pragma once

#include "hypervisor/kernel/console/console.hpp"

namespace hv {

// All partitions are done: the plan's onAllStopped.
[[noreturn]] void end_in_order();

// The bundle, the plan or the machine is not one to run: one line, an 'e' record, and the machine stops.
[[noreturn]] void refuse_with(std::string_view line);
template <typename... Parts> [[noreturn]] void refuse_to_start(const Parts&... parts) {
    LogLine line;
    refuse_with((line << ... << parts).view());
}

// A panic in two steps: the first CPU that begins has the line to itself and the others stopped; a second one only halts.
void begin_panic();
[[noreturn]] void end_in_panic(std::string_view line);

// The processor's own errors (machine_check.cpp, rule 20): a corrected one is logged and cleared and nobody is stopped for
// it; anything worse ends the machine with a record that names CPU, bank, status and address.

// On the CPU itself: reports what firmware left in its banks and switches reporting on.
void start_machine_checks();

// On the CPU itself: after an intercepted #MC, at a partition's end and when its handler asked for it.
void look_at_machine_checks();

} // namespace hv
