// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/panic/panic.hpp - how any floor ends the machine: a refusal to start, or a bug in the hypervisor.
//
// Declared here, below all who may need it, done above (kernel/end), which knows the other CPUs, the time source and
// the machine's power: a seam at link time like base::fail.
#pragma once

#include "hypervisor/kernel/console/console.hpp"

namespace hv {

// The bundle, the plan or the machine is not one to run: one line, an 'e' record, and the machine stops.
[[noreturn]] void refuse_with(std::string_view line);
template <typename... Parts> [[noreturn]] void refuse_to_start(const Parts&... parts) {
    LogLine line;
    refuse_with((line << ... << parts).view());
}

// A panic in two steps: the first CPU that begins has the line to itself and the others stopped; a second one only halts.
void begin_panic();
[[noreturn]] void end_in_panic(std::string_view line);

} // namespace hv
