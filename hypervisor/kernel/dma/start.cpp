// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/dma/start.hpp"

#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "arch/x86_64/iommu/amdvi.hpp"
#include "arch/x86_64/iommu/vtd.hpp"
#include "drivers/pci/bus_masters.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/plan/needs.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/kernel/dma/units.hpp"
#include "hypervisor/kernel/making.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

namespace hv::dma {
namespace {

using VtdUnit = iommu::vtd::Unit<cpu::Registers>;
using AmdviUnit = iommu::amdvi::Unit<cpu::Registers>;

static_assert(plan::needs::vtd_tables == VtdUnit::table_frames &&
              plan::needs::amdvi_tables == AmdviUnit::table_frames);

constinit unsigned masters_found = 0;

std::uint64_t register_bytes() {
    return with_unit<VtdUnit, AmdviUnit>(0, [](auto unit) { return unit.register_bytes; });
}
std::uint64_t table_frames() {
    return with_unit<VtdUnit, AmdviUnit>(0, [](auto unit) { return unit.table_frames; });
}
bool reachable(std::size_t unit) {
    return early_mapped(machine().units[unit], register_bytes());
}

// How many VT-d units can do that.
std::size_t able(bool (VtdUnit::*what)() const) {
    std::size_t count = 0;
    for (std::size_t unit = 0; machine().remapping == RemappingKind::vtd && unit < unit_count(); ++unit)
        if (reachable(unit) && (VtdUnit{cpu::Registers{base::VirtAddr{machine().units[unit]}}}.*what)())
            ++count;
    return count;
}

iommu::Words take_words(memory::FramePool& pool, std::uint64_t count) {
    return {cpu::pointer_to<volatile std::uint64_t>(pool_address(take_frames(pool, count))),
            count * iommu::words_a_frame};
}

const char* deny(std::size_t unit) {
    return reachable(unit) ? with_unit<VtdUnit, AmdviUnit>(
                                 unit, [&](auto it) { return it.deny_everything(frames[unit]); })
                           : plan::unit_out_of_reach.data();
}

} // namespace

void bus_masters_off() {
    if (base::weak("bus_masters_on") || base::weak("dma_open"))
        return;
    drivers::PciConfiguration pci{cpu::Ports{}};
    masters_found = drivers::bus_masters_off(pci);
}

void virtual_functions_off(const acpi::Ecam& ecam) {
    masters_found += drivers::virtual_functions_off(cpu::Registers{base::VirtAddr{ecam.base}}, ecam.last_bus);
}

void deny_everything(memory::FramePool& pool, std::uint32_t nmi_apic_id) {
    LogLine line;
    line << "DMA: " << masters_found << " bus masters switched off; ";
    if (unit_count() == 0) {
        line << (tables().remapping.switched_off ? "VT-d is switched off in the firmware's setup"
                                                 : "no IOMMU on this machine")
             << ": a device that ignores that switch is not stopped";
        console::log(line.view());
        return;
    }
    if (base::weak("dma_open"))
        return;
    const iommu::Words table = take_words(pool, table_frames());
    const bool wide = apic::x2apic_offered() && able(&VtdUnit::can_be_wide) == unit_count();
    for (std::size_t unit = 0; unit < unit_count(); ++unit)
        frames[unit] = {table, take_words(pool, 1), take_words(pool, 1), wide};
    with_unit<VtdUnit, AmdviUnit>(
        0, [&](auto it) { it.fill(frames[0], tables().remapping.io_apics.view(), nmi_apic_id); });
    cpu::wbinvd(); // not every unit snoops
    for (std::size_t unit = 0; unit < unit_count(); ++unit)
        if (const char* problem = deny(unit))
            refuse_to_start("the IOMMU at ", base::hex(machine().units[unit]), plan::unit_unusable, problem);
    line << unit_count() << (machine().remapping == RemappingKind::vtd ? " VT-d" : " AMD-Vi")
         << " units deny every device";
    console::log(line.view());
}

base::Status<paging::Error> map_registers(AddressSpace& space) {
    for (const std::uint64_t unit : machine().units)
        CAISSON_TRY(space.add_device(base::PhysAddr{unit}, register_bytes()));
    return base::success;
}

std::optional<std::uint64_t> nmi_redirection(std::uint8_t io_apic, std::uint32_t apic_id) {
    return acpi::nmi_redirection(tables().remapping, able(&VtdUnit::remaps_interrupts), io_apic, apic_id);
}

} // namespace hv::dma
