// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/board/machine.hpp - from what firmware's tables and registers say to what bind() is told: the same steps in the
// hypervisor's boot and in the tool, for a described board.
//
// Pure.
#pragma once

#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/topology.hpp"

#include <algorithm>

namespace board {

// Registers that the hypervisor uses sooner or later, besides the tables': 0: none.
struct OwnRegisters {
    std::uint64_t local_apic = 0xfee00000, uart = 0, watchdog = 0;
};
// The most that list_devices() lists, and one more each for PCI's configuration space and the screen.
inline constexpr std::size_t most_devices = acpi::max_io_apics + acpi::max_units + 6;
using Devices = base::FixedVector<memory::Run, most_devices>;

// Whole pages of what is mapped later, 64 bytes of an I/O APIC that is only masked (those of two bridges have been seen in one
// page).
inline void list_devices(const acpi::Tables& tables, const OwnRegisters& own, Devices& out) {
    constexpr std::uint64_t io_apic_bytes = 64;
    const auto add = [&out](std::uint64_t base, std::uint64_t bytes) {
        base::expects(out.push_back({base, bytes}), "devices: room for every table's");
    };
    const auto add_page = [&add](std::uint64_t base) {
        if (base != 0)
            add(base::round_down(base, base::page_size), base::page_size);
    };
    out.clear();
    add_page(own.local_apic);
    add_page(own.uart);
    add_page(tables.hpet);
    for (const acpi::IoApic& controller : tables.io_apics)
        if (controller.gsi_base == 0)
            add(base::round_down(controller.address, base::page_size), base::page_size);
        else
            add(controller.address, io_apic_bytes);
    for (const std::uint64_t unit : tables.remapping.units)
        add(unit, acpi::unit_bytes(tables.remapping.kind));
    add_page(own.watchdog);
}

constexpr memory::Run registers_of(const acpi::Ecam& ecam) {
    constexpr std::uint64_t bus_bytes = 1u << 20;
    return {ecam.base, ecam.base == 0 ? 0 : (ecam.last_bus + 1u) * bus_bytes};
}

// The CPUs that may be started, placed by what the boot CPU says of its APIC ID's fields.
template <std::size_t Most>
void list_cpus(const acpi::Tables& tables, const plan::Topology& topology, std::uint32_t boot,
               base::FixedVector<plan::Cpu, Most>& out) {
    out.clear();
    for (const acpi::Cpu& cpu : tables.cpus) {
        const auto [package, core, thread] = topology.place(cpu.apic_id);
        if (cpu.enabled)
            (void)out.push_back({cpu.apic_id, package, core, thread, cpu.apic_id == boot});
    }
}

// One root table and one interrupt table serve all units and go by requester IDs alone: one segment. `able(unit)`: the unit of
// that place can keep devices apart (pci::VtdUnit) and its registers are in reach.
template <typename Able> plan::Remapping remapping_of(const acpi::Remapping& found, Able able) {
    bool all = found.kind == acpi::RemappingKind::vtd && !found.has_other_segments &&
               !found.unclear_firmware_memory && !found.units.empty();
    for (std::size_t unit = 0; unit < found.units.size() && all; ++unit)
        all = able(unit);
    return all ? plan::Remapping::complete : plan::Remapping::none;
}

} // namespace board
