// SPDX-License-Identifier: Apache-2.0
// loader/pvh/pvh.hpp - the start record of the PVH boot protocol.
//
// Spec: Xen public/arch-x86/hvm/start_info.h, versions 0 and 1 (a memory map needs 1).
#pragma once

#include "loader/handover/boot_record.hpp"

namespace loader::pvh {

[[nodiscard]] base::Status<BootError> read(const PhysicalMemory& memory, std::uint64_t start_info,
                                           BootRecord& record);

} // namespace loader::pvh
