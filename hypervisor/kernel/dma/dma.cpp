// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/dma/dma.hpp"

#include "arch/x86_64/iommu/amdvi_faults.hpp"
#include "arch/x86_64/iommu/vtd_faults.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/dma/device.hpp"
#include "hypervisor/kernel/dma/units.hpp"

#include <atomic>

namespace hv::dma {

CAISSON_CONSTANT_AFTER_BOOT constinit std::array<iommu::Frames, acpi::max_units> frames{};

namespace {

using VtdFaults = iommu::vtd::Faults<cpu::Registers>;
using AmdviFaults = iommu::amdvi::Faults<cpu::Registers>;

constinit std::atomic_flag reading = ATOMIC_FLAG_INIT;

void report(const iommu::Fault& fault) {
    const Device* owned = nullptr;
    for (const Device* device : machine().devices)
        if (device->listed.requester == fault.requester)
            owned = device;
    console::audit_event("dma_refused", [&](audit::Record& record) {
        record.add_hex("requester", fault.requester);
        if (owned != nullptr)
            record.add("partition", owned->owner)
                .add("generation", owned->generation.load(std::memory_order_relaxed));
        record.add_hex("address", fault.address)
            .add("access", fault.write ? "write" : "read")
            .add("reason", std::uint64_t{fault.reason})
            .add("lost", std::uint64_t{fault.lost});
    });
}

} // namespace

void report_faults() {
    constexpr unsigned most = 8;
    if (unit_count() == 0 || reading.test_and_set(std::memory_order_acquire))
        return;
    for (std::size_t unit = 0; unit < unit_count(); ++unit)
        for (unsigned i = 0; i < most; ++i)
            if (const auto fault = with_unit<VtdFaults, AmdviFaults>(
                    unit, [&](auto it) { return it.next_fault(frames[unit]); }))
                report(*fault);
            else
                break;
    reading.clear(std::memory_order_release);
}

} // namespace hv::dma
