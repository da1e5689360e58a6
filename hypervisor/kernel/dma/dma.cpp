// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/dma.cpp - see dma.hpp.
#include "hypervisor/kernel/dma/dma.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "arch/x86_64/iommu/amdvi.hpp"
#include "arch/x86_64/iommu/vtd.hpp"
#include "drivers/pci/pci.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/boot/firmware.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/pool.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

#include <atomic>

namespace hv::dma {
namespace {

using acpi::RemappingKind;
using Words = std::span<volatile std::uint64_t, 512>;

constexpr std::uint64_t amdvi_table_frames = iommu::amdvi::device_table_bytes / base::page_size;
constexpr std::uint64_t mapping_frames = 3; // tables above one unit's registers, at most

constinit unsigned masters_found = 0;
constinit base::PhysAddr table{}, interrupts{}; // root or device table; interrupt table
// Frame pairs by unit: queue or commands, events.
constinit std::array<std::array<base::PhysAddr, 2>, decltype(acpi::Remapping::units)::capacity()> queues{};
constinit std::atomic_flag reading = ATOMIC_FLAG_INIT;

const acpi::Remapping& remapping() {
    return machine().acpi.remapping;
}
Words words(base::PhysAddr frame) {
    return Words{cpu::pointer_to<volatile std::uint64_t>(pool_address(frame)), 512};
}
cpu::Registers registers(std::size_t unit) {
    return cpu::Registers{base::VirtAddr{remapping().units[unit]}};
}
std::uint64_t register_bytes() {
    return remapping().kind == RemappingKind::vtd ? base::page_size : iommu::amdvi::register_bytes;
}
bool reachable(std::size_t unit) {
    return early_mapped(remapping().units[unit], register_bytes());
}
iommu::amdvi::Frames amdvi_frames(std::size_t unit) {
    return {table, words(queues[unit][0]), words(queues[unit][1])};
}

// One interrupt table serves all units, so each must be able to.
bool wide_destinations() {
    bool wide = apic::x2apic_offered();
    for (std::size_t unit = 0; wide && unit < remapping().units.size(); ++unit)
        wide = reachable(unit) && iommu::vtd::Unit{registers(unit)}.can_be_wide();
    return wide;
}

const char* deny(std::size_t unit) {
    if (!reachable(unit))
        return "its registers are out of reach";
    if (remapping().kind == RemappingKind::amdvi)
        return iommu::amdvi::Unit{registers(unit)}.deny_everything(amdvi_frames(unit));
    return iommu::vtd::Unit{registers(unit)}.deny_everything({table, interrupts, words(queues[unit][0])},
                                                             wide_destinations());
}

void fill_tables(memory::FramePool& pool, std::uint32_t nmi_apic_id) {
    const bool amdvi = remapping().kind == RemappingKind::amdvi;
    table = take_frames(pool, amdvi ? amdvi_table_frames : 1);
    const std::span<volatile std::uint64_t> devices{
        cpu::pointer_to<volatile std::uint64_t>(pool_address(table)), iommu::amdvi::device_table_bytes / 8};
    if (amdvi)
        iommu::amdvi::fill(devices);
    else
        interrupts = take_frames(pool, 1);
    for (std::size_t i = 0; i < remapping().io_apics.size(); ++i) {
        const std::uint16_t requester = remapping().io_apics[i].requester;
        if (amdvi) {
            devices[requester * iommu::amdvi::words_per_device + 2] =
                iommu::amdvi::deny_interrupts | iommu::amdvi::pass_nmi;
            continue;
        }
        const auto entry = iommu::vtd::nmi_entry(requester, nmi_apic_id, wide_destinations());
        words(interrupts)[2 * i] = entry.low;
        words(interrupts)[2 * i + 1] = entry.high;
    }
}

template <typename Next> void report(Next next) {
    constexpr unsigned most = 8;
    for (unsigned i = 0; i < most; ++i) {
        const std::optional<iommu::Fault> fault = next();
        if (!fault)
            return;
        console::audit_event("dma_refused", [&](audit::Record& record) {
            record.add_hex("requester", fault->requester)
                .add_hex("address", fault->address)
                .add("access", fault->write ? "write" : "read")
                .add("reason", std::uint64_t{fault->reason})
                .add("lost", std::uint64_t{fault->lost});
        });
    }
}

} // namespace

void bus_masters_off() {
    if (base::weak(base::Weakness::bus_masters_on) || base::weak(base::Weakness::dma_open))
        return;
    masters_found = drivers::PciConfiguration{cpu::Ports{}}.bus_masters_off();
}

std::uint64_t frames_needed() {
    const std::uint64_t units = remapping().units.size();
    if (units == 0)
        return 0;
    return remapping().kind == RemappingKind::vtd ? 2 + (1 + mapping_frames) * units
                                                  : amdvi_table_frames + (2 + mapping_frames) * units;
}

void deny_everything(memory::FramePool& pool, std::uint32_t nmi_apic_id) {
    LogLine line;
    line << "DMA: " << masters_found << " bus masters switched off; ";
    if (remapping().units.empty()) {
        console::log(
            (line << "no IOMMU on this machine: a device that ignores that switch is not stopped").view());
        return;
    }
    if (base::weak(base::Weakness::dma_open))
        return;
    fill_tables(pool, nmi_apic_id);
    for (std::size_t unit = 0; unit < remapping().units.size(); ++unit) {
        queues[unit][0] = take_frames(pool, 1);
        if (remapping().kind == RemappingKind::amdvi)
            queues[unit][1] = take_frames(pool, 1);
    }
    cpu::wbinvd(); // not every unit snoops
    for (std::size_t unit = 0; unit < remapping().units.size(); ++unit) {
        if (const char* problem = deny(unit)) {
            LogLine refusal;
            refusal << "the IOMMU at " << base::hex(remapping().units[unit])
                    << " cannot be used: " << problem;
            refuse_to_start(refusal.view());
        }
    }
    line << remapping().units.size() << (remapping().kind == RemappingKind::vtd ? " VT-d" : " AMD-Vi")
         << " units deny every device";
    console::log(line.view());
}

base::Status<paging::Error> map_registers(AddressSpace& space) {
    for (const std::uint64_t unit : remapping().units)
        CAISSON_TRY(space.add_device(base::PhysAddr{unit}, register_bytes()));
    return base::success;
}

std::uint64_t nmi_redirection(std::uint8_t io_apic, std::uint32_t apic_id) {
    constexpr std::uint64_t deliver_nmi = 4u << 8, remapped = std::uint64_t{1} << 48;
    if (remapping().kind == RemappingKind::vtd)
        for (std::uint64_t i = 0; i < remapping().io_apics.size(); ++i)
            if (remapping().io_apics[i].io_apic == io_apic)
                return i << 49 | remapped;
    return deliver_nmi | std::uint64_t{apic_id} << 56;
}

void report_faults() {
    if (remapping().units.empty() || reading.test_and_set(std::memory_order_acquire))
        return;
    for (std::size_t unit = 0; unit < remapping().units.size(); ++unit)
        report([unit] {
            return remapping().kind == RemappingKind::vtd
                       ? iommu::vtd::Unit{registers(unit)}.next_fault()
                       : iommu::amdvi::Unit{registers(unit)}.next_fault(amdvi_frames(unit));
        });
    reading.clear(std::memory_order_release);
}

} // namespace hv::dma
