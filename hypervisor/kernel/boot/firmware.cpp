// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/boot/stages.hpp"

#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/boot/application_processor.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/clock/cmos.hpp"
#include "drivers/clock/counters.hpp"
#include "drivers/clock/measure.hpp"
#include "drivers/clock/pm_timer.hpp"
#include "drivers/power/fw_cfg.hpp"
#include "drivers/tpm/interface.hpp"
#include "drivers/uart/start.hpp"
#include "hypervisor/base/text.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/kernel/dma/start.hpp"
#include "hypervisor/kernel/memory/address_space.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/time/find_watchdog.hpp"

extern "C" const std::uint64_t boot_entry_tsc;

namespace hv {
namespace {

constexpr std::uint32_t protocol_pvh = 1, protocol_multiboot2 = 2, protocol_uefi = 3; // entry.S
constexpr std::uint64_t usual_place = 0x200000;                                       // link.ld
constexpr cpu::Ports ports{};

constexpr auto early_bytes = [](std::uint64_t address, std::size_t count) -> std::span<const std::byte> {
    if (address == 0 || !early_mapped(address, count))
        return {};
    return cpu::bytes_at(base::VirtAddr{address}, count);
};

// Where the hypervisor speaks: the UART that firmware's SPCR names, else COM1, else a PCI serial card. The first that answers.
void find_console() {
    constexpr std::uint16_t fastest = 1, as_it_is = 0; // 115200 baud
    constexpr std::uint64_t most_bytes = 8 * 4;
    const auto speaks_at = [](const drivers::UartPlace& place, std::uint16_t divisor) {
        const bool one_page =
            place.base % base::page_size + most_bytes <= base::page_size; // which is mapped later
        if (place.in_memory && !(one_page && may_be_device(place.base, 1)))
            return false;
        if (!drivers::start(console::the_wire(), cpu::PortsAndMemory{}, place, divisor))
            return false;
        found().console = place;
        return true;
    };
    if (const auto named = acpi::find_serial_port(early_memory(), rsdp())) {
        const drivers::UartPlace place{named->address, named->in_memory, named->wide, named->stride};
        // Firmware that has bytes in its table for registers of 32 bits has been seen (AMD's FCH).
        if (speaks_at(place, named->divisor) ||
            (place.in_memory && speaks_at({place.base, true, true, 4}, as_it_is)))
            return;
    }
    if (speaks_at({drivers::com1}, fastest))
        return;
    drivers::PciConfiguration pci{ports};
    if (const auto card = drivers::find_serial_card(pci))
        (void)speaks_at(*card, fastest);
}

base::Status<loader::BootError> read_boot_record(std::uint32_t protocol, std::uint64_t information) {
    loader::BootRecord& record = found().boot;
    if (protocol == protocol_pvh)
        return loader::read_pvh(early_memory(), information, record);
    if (protocol == protocol_multiboot2)
        return loader::read_multiboot2(early_memory(), information, record);
    if (protocol == protocol_uefi)
        return loader::read_uefi(early_memory(), information, record);
    return base::Failure{loader::BootError::unknown_protocol};
}

// A bundle that firmware put below 1 MiB or off a page boundary is moved once, before a byte of it is looked at: nothing
// below 1 MiB is ever used, and roots are mapped in place.
void settle_module() {
    constexpr std::uint64_t low_memory = 1u << 20;
    loader::Range& module = found().boot.module;
    if (module.base >= low_memory && module.base % base::page_size == 0)
        return;
    memory::Runs& free = bound_plan().free; // bind() starts afresh
    free = found().map;
    const ImageExtent image = image_extent();
    const std::uint64_t bytes = bytes::units(module.bytes, base::page_size) * base::page_size;
    const bool noted = free.remove(image.base, image.bytes) && free.remove(module.base, module.bytes);
    const auto run = noted ? free.find(bytes, base::page_size, low_memory) : std::nullopt;
    if (!run || !early_mapped(run->base, bytes))
        refuse_to_start("memory map: no room to move the bundle to");
    std::memcpy(cpu::pointer_to<char>(base::VirtAddr{run->base}),
                cpu::pointer_to<char>(base::VirtAddr{module.base}), module.bytes);
    module.base = run->base;
}

// Both 8259s and every pin of every I/O APIC. Device interrupts belong to nobody yet.
void mask_interrupt_controllers() {
    constexpr std::uint16_t first_data = 0x21, second_data = 0xa1;
    constexpr std::uint32_t select = 0, window = 0x10, version = 1, masked = 1u << 16;
    ports.out8(first_data, 0xff);
    ports.out8(second_data, 0xff);
    for (const acpi::IoApic& controller : tables().io_apics) {
        if (!early_mapped(controller.address, base::page_size))
            continue;
        const cpu::Registers registers{base::VirtAddr{controller.address}};
        registers.write32(select, version);
        const std::uint32_t last_pin = registers.read32(window) >> 16 & 0xff;
        for (std::uint32_t pin = 0; pin <= last_pin; ++pin)
            drivers::route(registers, pin, masked);
    }
}

// Everything whose registers are used sooner or later.
void list_devices() {
    board::OwnRegisters own{apic::register_page().value(),
                            found().console.in_memory ? found().console.base : 0};
    if (machine().behaviour.on_panic == plan::OnPanic::reboot)
        own.watchdog = alarm::watchdog_page();
    board::list_devices(tables(), own, found().devices);
}

// Boards have been seen whose ECAM is said to reach over the local APIC: such a one is not used.
void switch_virtual_functions_off() {
    auto& devices = found().devices;
    const acpi::Ecam ecam = tables().ecam;
    const memory::Run registers = board::registers_of(ecam);
    if (ecam.base == 0 || !early_mapped(registers.base, registers.bytes) || !devices.push_back(registers))
        return;
    if (plan::check_devices(described_hardware()).ok()) {
        dma::virtual_functions_off(ecam);
        return;
    }
    devices.erase(devices.size() - 1);
    console::log("firmware says that PCI's configuration lies over other devices: virtual functions are not "
                 "looked for");
}

struct Measured {
    std::optional<drivers::Rates> rates;
    std::string_view by;
};

// By the first clock that runs.
Measured by_a_clock() {
    const auto by = [](const auto& counter) {
        return drivers::measure(counter, cpu::rdtsc, apic::start_timer, apic::timer_counts);
    };
    if (tables().hpet != 0 && early_mapped(tables().hpet, base::page_size)) {
        const drivers::HpetCounter hpet{cpu::Registers{base::VirtAddr{tables().hpet}}};
        hpet.run();
        if (const auto rates = by(hpet))
            return {rates, "the HPET"};
    }
    if (tables().fadt && tables().fadt->timer)
        if (const auto rates =
                by(drivers::PmTimer{ports, *tables().fadt->timer, tables().fadt->timer_has_32_bits}))
            return {rates, "the PM timer"};
    drivers::PitCounter pit{ports};
    pit.run();
    return {by(pit), "the PIT"};
}

// What CPUID says is exact where it is true; a clock, where one runs, tells whether it is.
Measured measured_rates() {
    const auto stated = drivers::stated_rates(cpu::cpuid);
    Measured measured = by_a_clock();
    for (unsigned again = 4; !measured.rates && again != 0;
         --again) // a host that held us up in the middle does not always
        measured = by_a_clock();
    if (!stated || (measured.rates && !drivers::agree(*stated, *measured.rates))) {
        if (stated) {
            base::Text<128> line;
            line << "CPUID says that the TSC counts " << stated->tsc_hz << " Hz, which " << measured.by
                 << " does not confirm: measured instead";
            console::log(line.view());
        }
        return measured;
    }
    return {stated, "CPUID"};
}

} // namespace

bool may_be_device(std::uint64_t address, std::uint64_t bytes) {
    const std::uint64_t first = base::round_down(address, base::page_size);
    if (found().map.view().empty() || !early_mapped(address, bytes))
        return false;
    const memory::Run pages{first, bytes::units(address + bytes - first, base::page_size) * base::page_size};
    plan::Machine alone = described_hardware();
    alone.devices = {&pages, 1};
    return plan::check_devices(alone).ok();
}

std::optional<acpi::Tpm> find_tpm() {
    const auto tpm = acpi::find_tpm(early_memory(), rsdp());
    const std::uint64_t registers =
        tpm && tpm->control_area != 0 ? tpm->control_area : drivers::tpm::locality_0;
    if (tpm && !tpm->needs_firmware && !may_be_device(registers, 1)) {
        console::log("firmware says that its TPM lies where memory is: it is left alone");
        return std::nullopt;
    }
    return tpm;
}

bytes::Source early_memory() {
    return {early_bytes, UINT64_MAX};
}

std::uint64_t rsdp() {
    const loader::BootRecord& boot = found().boot;
    if (boot.rsdp_copied)
        return physical(boot.rsdp_copy).value();
    return boot.rsdp != 0 ? boot.rsdp : acpi::find_rsdp(early_memory()).value_or(0);
}

base::PhysAddr trampoline_page() {
    constexpr std::uint64_t lowest = 0x1000, limit = 0xa0000;
    const auto page = found().map.find(boot::trampoline_bytes, base::page_size, lowest);
    if (!page || page->end() > limit)
        refuse_to_start("no two usable pages below 1 MiB to start the other CPUs from");
    return base::PhysAddr{page->base};
}

void take_over(std::uint32_t protocol, std::uint64_t information, Bundle bundle) {
    dma::bus_masters_off();
    Machine& m = machine_in_making();
    m.times.entry_tsc = boot_entry_tsc;
    m.is_qemu = drivers::is_qemu(ports);
    const auto read = read_boot_record(protocol, information);
    const auto made =
        memory::normalize(found().boot.memory.view(), found().map); // empty, if nothing was read
    find_console();
    open_screen();
    const bool bare =
        bundle == Bundle::not_needed && !read.ok() && read.error() == loader::BootError::no_module;
    if (!read.ok() && !bare)
        refuse_to_start("boot: ", loader::describe(read.error()));
    if (!made.ok())
        refuse_to_start(plan::of_memory_map, memory::describe(made.error()));
    if (bundle == Bundle::needed)
        settle_module();
    if (image_extent().base != usual_place)
        console::log((base::Text<64>{} << "the image lies at " << base::hex(image_extent().base)).view());
}

base::Status<acpi::Error> look_at_tables() {
    Machine& m = machine_in_making();
    CAISSON_TRY(acpi::parse(early_memory(), rsdp(), tables()));
    m.fadt = tables().fadt.value_or(acpi::Fadt{});
    m.soft_off = tables().soft_off;
    m.remapping = tables().remapping.kind;
    m.units = tables().remapping.units;
    return base::success;
}

void read_tables() {
    if (const auto parsed = look_at_tables(); !parsed.ok())
        refuse_to_start(plan::of_firmware, acpi::describe(parsed.error()));
    apic::adopt();
    if (tables().remapping.x2apic_opt_out) {
        apic::leave_x2apic_alone();
        console::log("firmware asks that x2APIC be left alone (DMAR): each access of a guest to its local "
                     "APIC is an exit");
    }
    list_devices();
    if (const auto good = plan::check_devices(described_hardware()); !good.ok())
        refuse(good.error());
    mask_interrupt_controllers();
    switch_virtual_functions_off();
    keep_screen_apart();
}

bool find_clock() {
    Times& times = machine_in_making().times;
    const auto [rates, by] = measured_rates();
    if (!rates || rates->tsc_hz < 1'000'000 || rates->timer_hz == 0)
        return false;
    times.tsc_hz = rates->tsc_hz;
    times.apic_timer_hz = rates->timer_hz;
    LogLine line;
    line << "TSC: " << times.tsc_hz << " Hz by " << by;
    if (rates->error_ppm != 0)
        line << ", at most " << rates->error_ppm << " ppm off";
    console::log(line.view());
    return true;
}

void measure_clocks() {
    Times& times = machine_in_making().times;
    if (!find_clock())
        refuse_to_start(
            "this machine has no clock that runs: CPUID names no frequency, and neither HPET, PM timer "
            "nor PIT counts");
    LogLine line;
    if (const loader::BootRecord& boot = found().boot; boot.loader_started != 0) {
        line << "UEFI: " << (boot_entry_tsc - boot.loader_started) / (times.tsc_hz / 1000)
             << " ms in Boot Services; ";
        if (boot.screen.base != 0)
            line << "frame buffer of " << boot.screen.width << " x " << boot.screen.height << " at "
                 << base::hex(boot.screen.base);
        else
            line << "no frame buffer";
        console::log(line.view());
    }
    if (const auto seconds = drivers::cmos_time(ports)) {
        times.wall_tsc = cpu::rdtsc();
        times.wall_ns = *seconds * 1'000'000'000;
    }
}

} // namespace hv
