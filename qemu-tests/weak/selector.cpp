// SPDX-License-Identifier: Apache-2.0
// qemu-tests/weak/selector.cpp - what caisson_weak.elf asks, as compiled: no weakness. The harness writes the name of
// one into a copy of the ELF. In a file of its own so that no reader of it can be compiled against its value.
#include "hypervisor/base/weakness.hpp"

namespace base {

[[gnu::used]] const WeaknessSelector weakness_selector{{"CAISSON-WEAK-V2"}, {}};

} // namespace base
