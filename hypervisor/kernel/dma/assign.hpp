// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/assign.hpp - the machine's PCI functions for bind(), then the plan's devices, bound, into the remapping
// units' tables (device.hpp hands them to their partitions).
#pragma once

#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/kernel/memory/address_space.hpp"

namespace hv::dma {

// What bind() needs. Early tables; nothing is looked for where the plan has no devices. Refuses a machine with too many functions,
// or whose configuration space is out of reach, if it has.
[[nodiscard]] const plan::PciMachine& pci_machine(std::uint32_t devices);

// Boot CPU, plan bound, after deny_everything(). Each device gets its entries, absent yet, and its owner's RAM in tables of its
// own; the ports above it forward. Errors are core/paging's.
[[nodiscard]] base::Status<paging::Error> assign_devices(memory::FramePool& pool, AddressSpace& space,
                                                         const plan::Plan& plan);

} // namespace hv::dma
