// SPDX-License-Identifier: Apache-2.0
#include "loader/uefi/besides.hpp"

namespace loader::uefi {

bool before_start(const SystemTable& /*system*/, Handle /*self*/) {
    return true;
}

void before_entry(std::uint64_t /*handover*/) {}

} // namespace loader::uefi
