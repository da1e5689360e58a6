// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/remapping.hpp - where a machine's DMA remapping units are: the tables DMAR (VT-d) and IVRS (AMD-Vi).
//
// Pure. Trust: as tables.hpp. A table that is there but does not parse is an error, never "no such unit": what follows
// from that answer is that devices may reach memory.
// Spec: Intel VT-d 4.1 chapter 8 "BIOS Considerations"; AMD I/O Virtualization Technology 3.08 chapter 5 "I/O
// Virtualization ACPI Table".
#pragma once

#include "hypervisor/base/fixed_vector.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace acpi {

enum class RemappingKind : std::uint8_t { none, vtd, amdvi };

// The requester ID (bus, device, function) under which an I/O APIC sends its interrupts.
struct IoApicSource {
    std::uint8_t io_apic = 0; // its ID as in the MADT
    std::uint16_t requester = 0;
};

struct Remapping {
    RemappingKind kind = RemappingKind::none;
    base::FixedVector<std::uint64_t, 16> units; // register bases, page aligned, each once
    base::FixedVector<IoApicSource, 16> io_apics;
};

// `table` is a whole table with a good checksum. False: damaged, more units than fit, or a second kind.
[[nodiscard]] bool read_dmar(std::span<const std::byte> table, Remapping& out);
[[nodiscard]] bool read_ivrs(std::span<const std::byte> table, Remapping& out);

} // namespace acpi
