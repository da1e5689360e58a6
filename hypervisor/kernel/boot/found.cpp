// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/boot/stages.hpp"

namespace hv {

Found& found() {
    static constinit Found instance{};
    return instance;
}

acpi::Tables& tables() {
    static constinit acpi::Tables instance{};
    return instance;
}

plan::BoundPlan& bound_plan() {
    static constinit plan::BoundPlan instance{};
    return instance;
}

Machine& machine_in_making() {
    return the_machine.machine_;
}

} // namespace hv
