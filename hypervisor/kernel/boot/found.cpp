// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/boot/stages.hpp"

namespace hv {

Found& found() {
    static constinit Found instance{};
    return instance;
}

Machine& machine_in_making() {
    return the_machine.machine_;
}

} // namespace hv
