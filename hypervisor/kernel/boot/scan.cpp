// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/scan.cpp - the image of `caisson board scan` in place of main.cpp: takes the machine over as a boot does,
// looks at everything that a boot looks at, says it as JSON in frames of its own (core/board/write.hpp) and switches the machine
// off. No bundle, no partition, no other CPU is started.
//
// Trust:      firmware and devices, as far as boot trusts them: the same code reads them.
// Invariants: nothing is written to but what boot writes to: bus masters off, BARs measured and put back.
#include "drivers/pci/scan.hpp"
#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "arch/x86_64/iommu/vtd.hpp"
#include "arch/x86_64/virt/choose.hpp"
#include "build_id.hpp"
#include "drivers/clock/counters.hpp"
#include "drivers/pci/port_registers.hpp"
#include "hypervisor/core/board/write.hpp"
#include "hypervisor/kernel/boot/stages.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/end/end.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/time/find_watchdog.hpp"
#include "partitions/abi/console.h"

#include <memory>

namespace hv {
namespace {

using board::Facts;
using board::Known;

static_assert(static_cast<unsigned>(drivers::WatchdogKind::wdat) + 1 ==
              static_cast<unsigned>(board::Watchdog::wdat));

constexpr Known known(bool yes) {
    return yes ? Known::yes : Known::no;
}

// One frame at a time; a reader puts the pieces together (image-tools/board/from_line.cpp).
class Frames {
public:
    void operator()(std::string_view text) {
        for (const char c : text) {
            piece_[filled_++] = c;
            if (filled_ == piece_.size())
                flush();
        }
    }
    void flush() {
        if (filled_ != 0)
            console::record(static_cast<audit::FrameType>(board::frame_type), {piece_.data(), filled_});
        filled_ = 0;
    }

private:
    std::array<char, CAISSON_FRAME_MAX> piece_{};
    std::size_t filled_ = 0;
};

void note_leaf(board::Processor& cpu, std::uint32_t number, std::uint32_t sub) {
    const cpu::CpuidResult r = cpu::cpuid(number, sub);
    if ((r.eax | r.ebx | r.ecx | r.edx) != 0)
        (void)cpu.leaves.push_back({number, sub, r.eax, r.ebx, r.ecx, r.edx});
}

void look_at_processor(Facts& facts) {
    constexpr std::uint32_t extended = 0x80000000, hypervisor = 0x40000000, of_range = 0xf0000000;
    constexpr unsigned has_architecture = 29, has_hypervisor = 31;
    board::Processor& cpu = facts.processor;
    for (const board::Wanted& wanted : board::wanted_leaves) {
        const std::uint32_t range = wanted.number & of_range;
        const bool there = range != hypervisor || (cpu::cpuid(1).ecx >> has_hypervisor & 1) != 0;
        if (there && wanted.number <= cpu::cpuid(range).eax)
            for (std::uint32_t sub = 0; sub < wanted.subs; ++sub)
                note_leaf(cpu, wanted.number, sub);
    }
    static_assert((extended & of_range) == extended);
    cpu.checked = Known::yes;
    const std::string_view missing = virt::choose();
    cpu.missing << missing;
    cpu.huge_pages = missing.empty() && virt::features.huge_pages;
    constexpr std::uint32_t intel = 0x756e6547; // "Genu"
    if (cpu::cpuid(0).ebx == intel && cpu::cpuid(0).eax >= 7 &&
        (cpu::cpuid(7).edx >> has_architecture & 1) != 0) {
        cpu.has_capabilities = true;
        cpu.capabilities = cpu::rdmsr_or_0(cpu::msr::arch_capabilities);
    }
}

void look_at_firmware(Facts& facts) {
    for (const memory::Range& range : found().boot.memory)
        (void)facts.memory.push_back(range);
    facts.smbios = found().boot.smbios;
    const loader::Screen& screen = found().boot.screen;
    facts.screen = {screen.base,   screen.bytes,         screen.width,
                    screen.height, screen.pixels_a_line, screen.format};
    const auto parsed = look_at_tables();
    if (!parsed.ok()) {
        facts.refused << acpi::describe(parsed.error());
        return;
    }
    facts.tables = tables();
    facts.spcr = acpi::find_serial_port(early_memory(), rsdp());
    facts.tpm = acpi::find_tpm(early_memory(), rsdp());
    facts.watchdog = static_cast<board::Watchdog>(1 + static_cast<unsigned>(alarm::watchdog_kind()));
    facts.has_wdrt = acpi::has_table(early_memory(), rsdp(), "WDRT");
}

void look_at_units(Facts& facts) {
    using Unit = iommu::vtd::Unit<cpu::Registers>;
    const acpi::Remapping& remapping = facts.tables.remapping;
    if (remapping.kind != acpi::RemappingKind::vtd)
        return;
    for (const std::uint64_t unit : remapping.units) {
        if (!early_mapped(unit, Unit::register_bytes)) {
            facts.units.clear();
            return;
        }
        (void)facts.units.push_back(Unit{cpu::Registers{base::VirtAddr{unit}}}.can());
    }
}

template <typename Registers>
void look_at_functions(const Registers& registers, std::uint32_t last_bus, Facts& facts) {
    drivers::PciScan{registers}.each(
        last_bus, [&facts](const pci::Function& function, const pci::Capabilities& capabilities) {
            facts.too_many_functions =
                facts.too_many_functions || !facts.functions.push_back({function, capabilities});
        });
    facts.pci_known = true;
}

// Where the memory-mapped registers are not to be had, by ports: no extended capability is seen then.
void look_at_pci(Facts& facts) {
    constexpr std::uint32_t every_bus = 0xff;
    const acpi::Ecam ecam = facts.tables.ecam;
    const memory::Run run = board::registers_of(ecam);
    if (ecam.base != 0 && early_mapped(run.base, run.bytes))
        look_at_functions(cpu::Registers{base::VirtAddr{ecam.base}}, ecam.last_bus, facts);
    else
        look_at_functions(drivers::PortRegisters{drivers::PciConfiguration{cpu::Ports{}}}, every_bus, facts);
}

void look_at_clocks(Facts& facts) {
    const std::uint64_t hpet = facts.tables.hpet;
    facts.hpet_pin = known(hpet != 0 && early_mapped(hpet, base::page_size) &&
                           drivers::HpetCounter{cpu::Registers{base::VirtAddr{hpet}}}.pin().has_value());
    facts.pit = known(drivers::PitCounter{cpu::Ports{}}.counts());
    constexpr std::uint64_t guess = 1'000'000'000; // for the end's patience alone
    Times& times = machine_in_making().times;
    if (find_clock())
        facts.tsc_hz = times.tsc_hz;
    else
        times.tsc_hz = guess;
}

} // namespace
} // namespace hv

extern "C" void caisson_boot(std::uint32_t protocol, std::uint64_t information) {
    using namespace hv;
    alignas(Facts) static constinit std::array<std::byte, sizeof(Facts)> place{};
    static constinit Frames frames;
    catch_early_exceptions();
    take_over(protocol, information, Bundle::not_needed);
    Facts& facts = *std::construct_at(cpu::pointer_to<Facts>(cpu::address_of(place.front())));
    console::log("board scan " CAISSON_BUILD_ID);
    facts.origin << "scan";
    facts.name << "a scanned board";
    facts.uart_known = known(found().console.base != 0);
    if (found().console.base != 0)
        facts.uart = {found().console.base, found().console.in_memory, found().console.wide,
                      found().console.stride};
    apic::adopt();
    facts.processor.apic_id = apic::id();
    look_at_processor(facts);
    look_at_firmware(facts);
    look_at_units(facts);
    look_at_pci(facts);
    look_at_clocks(facts);
    board::write(facts, frames);
    frames.flush();
    end_in_order();
}
