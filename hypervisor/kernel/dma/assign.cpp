// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/dma/assign.hpp"

#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "arch/x86_64/iommu/vtd.hpp"
#include "drivers/pci/keep.hpp"
#include "drivers/pci/scan.hpp"
#include "drivers/pci/virtio.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/board/machine.hpp"
#include "hypervisor/core/plan/needs.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/kernel/dma/device.hpp"
#include "hypervisor/kernel/dma/units.hpp"
#include "hypervisor/kernel/making.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

#include <algorithm>

namespace hv::dma {
namespace {

using VtdUnit = iommu::vtd::Unit<cpu::Registers>;

static_assert(plan::needs::a_device >= frames_for<Device>() + 3);
constexpr std::uint64_t function_bytes = base::page_size;

constinit base::FixedVector<pci::Function, plan::max_functions> functions;
constinit plan::PciMachine described;

VtdUnit unit_at(std::size_t unit) {
    return VtdUnit{cpu::Registers{base::VirtAddr{machine().units[unit]}}};
}

plan::Remapping remapping() {
    return board::remapping_of(tables().remapping, [](std::size_t unit) {
        return early_mapped(machine().units[unit], VtdUnit::register_bytes) &&
               unit_at(unit).keeps_devices_apart();
    });
}

unsigned common_levels() {
    unsigned levels = 4;
    for (std::size_t unit = 0; unit < unit_count(); ++unit)
        levels = std::min(levels, unit_at(unit).levels());
    return levels;
}

const drivers::PciScan<cpu::Registers>& scan() {
    static const cpu::Registers ecam{base::VirtAddr{tables().ecam.base}};
    static const drivers::PciScan<cpu::Registers> the_scan{ecam};
    return the_scan;
}

// The partition's RAM as its devices see it. Returns what a context entry points to.
base::Result<base::PhysAddr, paging::Error> domain(memory::FramePool& pool, const plan::Plan& plan,
                                                   std::uint32_t partition, unsigned levels) {
    TablePool memory{pool};
    auto tables = CAISSON_TRY(paging::TableBuilder<TablePool>::create(paging::dma, memory, 1));
    for (const plan::Piece& piece : bound_plan().pieces_of(partition))
        if (piece.kind == plan::RegionKind::ram)
            CAISSON_TRY(
                tables.map(piece.gpa, base::PhysAddr{piece.host.base}, piece.host.bytes, paging::read_write));
    for (std::uint32_t i = 0; i < (base::weak("devices_reach_lanes") ? plan.wire_count() : 0); ++i)
        if (const plan::Wire wire = plan.wire(i); wire.end_of(partition) < 2)
            CAISSON_TRY(tables.map(wire.gpa[wire.end_of(partition)],
                                   base::PhysAddr{bound_plan().wires[i].base}, wire.lanes() * wire.lane_bytes,
                                   paging::read_write));
    if (base::weak("extra_page"))
        CAISSON_TRY(tables.map(plan.partition(partition).regions[0].bytes,
                               base::PhysAddr{image_extent().base}, base::page_size, paging::read_write));
    if (levels == 4)
        return tables.root();
    return base::PhysAddr{memory.read(tables.root(), 0) & paging::address_mask};
}

std::uint32_t first_apic_id(std::uint32_t partition) {
    for (const plan::BoundCpu& cpu : bound_plan().cpus)
        if (cpu.partition == partition && cpu.vcpu == 0)
            return cpu.apic_id;
    return 0;
}

// A bus's context table, made where it is missing.
volatile std::uint64_t* context_entry(memory::FramePool& pool, pci::Requester requester) {
    volatile std::uint64_t& root = frames[0].table[std::size_t{2} * pci::bus_of(requester)];
    if ((root & iommu::vtd::present) == 0)
        root = take_frames(pool, 1).value() | iommu::vtd::present;
    auto* const table =
        cpu::pointer_to<volatile std::uint64_t>(pool_address(base::PhysAddr{root & paging::address_mask}));
    return table + std::size_t{2} * (requester & 0xff);
}

// As its owner finds it: abi/boot_page.h.
caisson_device listed(const plan::BoundDevice& device, std::uint32_t first_entry) {
    constexpr std::uint32_t first_vector = 0x40; // of a partition's devices
    const pci::Function& function = device.function;
    caisson_device out{};
    out.vendor = function.vendor;
    out.device = function.device;
    out.class_code = function.class_code;
    out.requester = function.requester;
    out.vectors = static_cast<std::uint16_t>(device.vectors());
    out.first_vector = first_vector + device.of_partition * plan::vectors_a_device;
    out.message_address = iommu::vtd::message_address(first_entry);
    out.msix_table = function.msix_table;
    if (function.reset == pci::Reset::virtio) {
        out.virtio_common = function.virtio_common;
        out.virtio_notify = function.virtio_notify;
        out.virtio_device = function.virtio_device;
        out.virtio_multiplier = function.virtio_multiplier;
    }
    for (std::size_t i = 0; i < device.bars.size(); ++i) {
        const pci::Bar& bar = function.bars[i];
        out.bars[i].gpa = bar.bytes != 0 ? device.bars[i].gpa + bar.base % base::page_size : 0;
        out.bars[i].bytes = bar.bytes;
    }
    return out;
}

// Its own register resets it, which this then maps.
bool resets_by_bar(const pci::Function& function) {
    return function.reset == pci::Reset::e1000 || function.reset == pci::Reset::virtio;
}

void log(const Device& device) {
    LogLine line;
    line << "PCI function " << base::hex(device.listed.requester) << " (" << base::hex(device.listed.vendor)
         << ':' << base::hex(device.listed.device) << ") belongs to '" << device.owner
         << "'; it reaches nothing else";
    console::log(line.view());
}

} // namespace

const plan::PciMachine& pci_machine(std::uint32_t devices) {
    if (devices == 0)
        return described;
    const acpi::Ecam ecam = tables().ecam;
    if (ecam.base == 0 || !early_mapped(ecam.base, board::registers_of(ecam).bytes))
        refuse_to_start(plan::no_ecam);
    functions.clear();
    if (!scan().run(ecam.last_bus, functions))
        refuse_to_start(plan::too_many_functions, plan::max_functions);
    for (pci::Function& function : functions)
        drivers::settle_virtio(function, early_registers);
    described = {functions.view(), remapping(), tables().remapping.firmware_memory.view()};
    return described;
}

base::Status<paging::Error> assign_devices(memory::FramePool& pool, AddressSpace& space,
                                           const plan::Plan& plan) {
    const auto& bound = bound_plan().devices;
    if (bound.empty())
        return base::success;
    const unsigned levels = common_levels();
    for (const pci::Function& port : functions)
        for (const plan::BoundDevice& device : bound)
            if (leads_to(port, pci::bus_of(device.function.requester))) {
                if (port.access_control != 0)
                    scan().send_upwards(port.requester, port.access_control);
                scan().forward(port.requester);
            }
    std::array<base::PhysAddr, plan::max_partitions> domains{};
    for (const plan::BoundDevice& one : bound) {
        Device& device = make_in<Device>(pool);
        base::PhysAddr& root = domains[one.partition];
        if (root.value() == 0)
            root = CAISSON_TRY(domain(pool, plan, one.partition, levels));
        const auto entry =
            iommu::vtd::context_entry(root.value(), levels, static_cast<std::uint16_t>(one.partition + 1));
        device.partition = one.partition;
        device.owner = plan.partition_name(one.partition);
        device.registers = tables().ecam.base + one.function.requester * function_bytes;
        CAISSON_TRY(space.add_device(base::PhysAddr{device.registers}, function_bytes));
        device.context = context_entry(pool, one.function.requester);
        device.context_low = entry.low;
        device.context_high = entry.high;
        const auto first_entry = static_cast<std::uint32_t>(
            iommu::vtd::interrupt_entries - (machine().devices.size() + 1) * plan::vectors_a_device);
        device.interrupts = &frames[0].table[iommu::words_a_frame + std::size_t{2} * first_entry];
        device.listed = listed(one, first_entry);
        device.interrupt_low =
            iommu::vtd::interrupt_low(static_cast<std::uint8_t>(device.listed.first_vector),
                                      first_apic_id(one.partition), frames[0].wide);
        device.interrupt_high =
            base::weak("any_requester") ? 0 : iommu::vtd::interrupt_high(one.function.requester);
        device.kept =
            drivers::keep(cpu::Registers{base::VirtAddr{device.registers}}, device.registers, one.function);
        if (resets_by_bar(one.function))
            CAISSON_TRY(space.add_device(
                base::PhysAddr{base::round_down(device.kept.reset.at, base::page_size)}, base::page_size));
        (void)machine_in_making().devices.push_back(&device);
        log(device);
    }
    cpu::wbinvd(); // not every unit snoops
    return base::success;
}

} // namespace hv::dma
