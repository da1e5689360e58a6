// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/machine.hpp"

namespace hv {
namespace {

constinit Machine instance{};

} // namespace

Machine& machine() {
    return instance;
}

} // namespace hv
