// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/machine.hpp"

namespace hv {

CAISSON_CONSTANT_AFTER_BOOT constinit TheMachine the_machine{};

} // namespace hv
