// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/time/find_watchdog.hpp"

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/watchdog/i6300esb.hpp"
#include "drivers/watchdog/itco.hpp"
#include "drivers/watchdog/wdat.hpp"
#include "hypervisor/base/address.hpp"
#include "hypervisor/kernel/making.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/time/source.hpp"

namespace hv::alarm {
namespace {

constexpr std::uint32_t watchdog_stage_ms = 5000;

// Firmware's description of the same timer is not looked at where one of these is there.
struct Candidates {
    std::optional<drivers::I6300esb> i6300esb;
    std::optional<drivers::Itco> itco;
};

Candidates candidates() {
    drivers::PciConfiguration pci{ports};
    Candidates out{drivers::I6300esb::find(pci), {}};
    if (!out.i6300esb)
        out.itco = drivers::Itco::find(pci);
    return out;
}

struct GeneralControl {
    base::VirtAddr at;
    [[nodiscard]] std::uint32_t read() const { return cpu::mmio_read<std::uint32_t>(at); }
    void write(std::uint32_t value) const { cpu::mmio_write(at, value); }
};

} // namespace

drivers::WatchdogKind watchdog_kind() {
    using drivers::WatchdogKind;
    const Candidates found = candidates();
    return found.i6300esb  ? WatchdogKind::i6300esb
           : found.itco    ? WatchdogKind::itco
           : tables().wdat ? WatchdogKind::wdat
                           : WatchdogKind::none;
}

std::uint64_t watchdog_page() {
    const Candidates found = candidates();
    std::uint64_t at = 0;
    if (found.i6300esb)
        at = found.i6300esb->registers;
    else if (found.itco)
        at = found.itco->general_control;
    else if (tables().wdat)
        at = drivers::WdatTimer{*tables().wdat}.page().value_or(0);
    return base::round_down(at, base::page_size);
}

std::optional<drivers::FoundWatchdog> prepare_watchdog() {
    if (const std::uint64_t page = watchdog_page(); page != 0 && !early_mapped(page, base::page_size))
        return std::nullopt;
    const Candidates found = candidates();
    drivers::PciConfiguration pci{ports};
    if (found.i6300esb)
        return found.i6300esb->prepare(pci, watchdog_stage_ms);
    if (found.itco)
        if (auto prepared = found.itco->prepare(
                ports, GeneralControl{base::VirtAddr{found.itco->general_control}}, watchdog_stage_ms))
            return prepared;
    if (!found.itco && tables().wdat && drivers::WdatTimer{*tables().wdat}.page())
        return drivers::WdatTimer{*tables().wdat}.prepare(cpu::PortsAndMemory{}, watchdog_stage_ms);
    return std::nullopt;
}

} // namespace hv::alarm
