// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/start.hpp - no device reaches memory: bus masters off (rule 7), and where the machine has remapping
// units, all of them refusing every request.
//
// Invariants: I1  deny_everything() returns before a payload is hashed or another CPU runs, or the machine is refused
//             I2  no host code ever makes a device's entry present
#pragma once

#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/kernel/memory/address_space.hpp"

namespace hv::dma {

// The very first act: no function may start DMA or forward it.
void bus_masters_off();
// Likewise the functions that only SR-IOV knows; the registers are checked (plan::check_devices) and early mapped.
void virtual_functions_off(const acpi::Ecam& ecam);

// Boot CPU, early tables. Every unit denies everything; one that cannot refuses the machine. The I/O APICs may send NMIs to
// the CPU named (its time source), if one of their pins is ever unmasked.
void deny_everything(memory::FramePool& pool, std::uint32_t nmi_apic_id);
[[nodiscard]] base::Status<paging::Error> map_registers(AddressSpace& space);

// acpi::nmi_redirection with what this machine's units can do. Early tables.
[[nodiscard]] std::optional<std::uint64_t> nmi_redirection(std::uint8_t io_apic, std::uint32_t apic_id);

} // namespace hv::dma
