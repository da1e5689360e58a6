// SPDX-License-Identifier: Apache-2.0
// loader/multiboot2/multiboot2.hpp - the boot information of Multiboot2, from GRUB on BIOS or UEFI.
//
// Spec: Multiboot2 specification 2.0 section 3.6; the EFI memory map: UEFI 2.10 section 7.2.3.
#pragma once

#include "loader/handover/boot_record.hpp"

namespace loader::multiboot2 {

[[nodiscard]] base::Status<BootError> read(const PhysicalMemory& memory, std::uint64_t information,
                                           BootRecord& record);

} // namespace loader::multiboot2
