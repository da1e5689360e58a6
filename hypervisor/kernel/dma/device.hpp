// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/device.hpp - the devices that partitions own, from one generation to the next.
//
// Invariants: I1  a device reaches memory only between give_devices() and take_devices() of its owner, and only its owner's RAM
//             I2  after take_devices() has returned true no request of the device is on its way, nothing of its owner is cached in
//                 a remapping unit, and the device has been reset
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/pci/function.hpp"
#include "partitions/abi/boot_page.h"

#include <atomic>
#include <string_view>

namespace hv::dma {

// What boot made of a device of the plan.
struct Device {
    std::uint32_t partition = 0;
    std::string_view owner;      // its name
    std::uint64_t registers = 0; // its configuration space, mapped there
    drivers::KeptFunction kept;
    volatile std::uint64_t* context = nullptr; // its entries in the units' tables
    volatile std::uint64_t* interrupts = nullptr;
    std::uint64_t context_low = 0, context_high = 0;
    std::uint64_t interrupt_low = 0, interrupt_high = 0; // of the first; the others' vectors follow
    caisson_device listed{};                             // for its owner's boot page
    std::atomic<std::uint64_t> generation = 0;           // of its owner that it was given to last
};

// The primary CPU of the partition, before it runs or after it has run. False: a device or a unit does not answer in time.
[[nodiscard]] bool give_devices(std::uint32_t partition, std::uint64_t generation);
[[nodiscard]] bool take_devices(std::uint32_t partition);
// Any CPU, of a partition that is given up: they reach nothing any more, whatever becomes of them.
void cut_devices(std::uint32_t partition);

} // namespace hv::dma
