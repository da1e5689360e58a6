// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/start.hpp"

#include "drivers/watchdog/find.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/dma/start.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/time/source.hpp"

#include <algorithm>

namespace hv::alarm {
namespace {

constexpr std::string_view time_needed =
    "the plan needs time interrupts (a watchdog or a delay before restarts), and this machine";

// The page that these registers lie in (plan::check_devices: nothing else does).
base::Status<paging::Error> add_page(AddressSpace& space, std::uint64_t registers) {
    return space.add_device(base::PhysAddr{base::round_down(registers, base::page_size)}, base::page_size);
}

} // namespace

base::Status<paging::Error> start(AddressSpace& space, bool needed) {
    const Machine& m = machine();
    Pit{ports}.cancel();
    source.pin = Pit::pin;
    drivers::PciConfiguration pci{ports};
    // Only the serial line wants it: then it waits for an idle CPU or the next exit, no reason to refuse the machine.
    const auto without = [needed](auto why) -> base::Status<paging::Error> {
        if (needed)
            refuse_to_start(time_needed, why);
        return base::success;
    };
    const auto* const io_apic = std::ranges::find(m.acpi.io_apics, 0u, &acpi::IoApic::gsi_base);
    if (io_apic == m.acpi.io_apics.end() || !early_mapped(io_apic->address, base::page_size))
        return without(" has no I/O APIC");
    Cpu* const cpu = m.cpus[m.bound.time_cpu()];
    const auto route = dma::nmi_redirection(io_apic->id, cpu->apic_id);
    if (!route)
        return without("'s IOMMU would block them: its firmware's DMAR or IVRS does not list their I/O APIC");
    source.redirection = *route;
    source.hpet_page = m.acpi.hpet;
    const bool mapped = source.hpet_page != 0 && early_mapped(source.hpet_page, base::page_size);
    if (const auto reachable = mapped ? hpet().pin() : std::nullopt) {
        source.pin = *reachable;
        hpet().start(source.pin);
        CAISSON_TRY(add_page(space, source.hpet_page));
    } else {
        source.hpet_page = 0;
        if (!Pit{ports}.counts())
            return without(" has neither an HPET that reaches an I/O APIC nor a PIT that counts");
    }
    source.cpu = cpu;
    source.io_apic_page = io_apic->address;
    CAISSON_TRY(add_page(space, source.io_apic_page));
    if (m.plan.on_panic == plan::OnPanic::reboot)
        source.watchdog = drivers::find_i6300esb(pci);
    if (source.watchdog && early_mapped(source.watchdog->registers, base::page_size))
        CAISSON_TRY(add_page(space, source.watchdog->registers));
    return base::success;
}

} // namespace hv::alarm
