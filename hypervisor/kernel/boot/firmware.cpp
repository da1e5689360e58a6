// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/boot/stages.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/clock/clock.hpp"
#include "drivers/power/power.hpp"
#include "hypervisor/kernel/dma/start.hpp"
#include "hypervisor/kernel/memory/address_space.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

extern "C" const std::uint64_t boot_entry_tsc;

namespace hv {
namespace {

constexpr std::uint32_t protocol_pvh = 1, protocol_multiboot2 = 2; // entry.S
constexpr cpu::Ports ports{};

// What firmware's structures are read through.
constexpr auto early_bytes = [](std::uint64_t address, std::size_t count) -> std::span<const std::byte> {
    if (address == 0 || !early_mapped(address, count))
        return {};
    return cpu::bytes_at(base::VirtAddr{address}, count);
};
bytes::Source early_memory() {
    return {early_bytes, UINT64_MAX};
}

base::Status<loader::BootError> read_boot_record(std::uint32_t protocol, std::uint32_t information) {
    loader::BootRecord& record = found().boot;
    if (protocol == protocol_pvh)
        return loader::read_pvh(early_memory(), information, record);
    if (protocol == protocol_multiboot2)
        return loader::read_multiboot2(early_memory(), information, record);
    return base::Failure{loader::BootError::unknown_protocol};
}

// A bundle that firmware put below 1 MiB or off a page boundary is moved once, before a byte of it is looked at: nothing
// below 1 MiB is ever used, and roots are mapped in place.
void settle_module() {
    constexpr std::uint64_t low_memory = 1u << 20;
    Machine& m = machine_in_making();
    loader::Range& module = found().boot.module;
    if (module.base >= low_memory && module.base % base::page_size == 0)
        return;
    memory::Runs& free = m.bound.free; // bind() starts afresh
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
    for (const acpi::IoApic& controller : machine().acpi.io_apics) {
        if (!early_mapped(controller.address, base::page_size))
            continue;
        const cpu::Registers registers{base::VirtAddr{controller.address}};
        registers.write32(select, version);
        const std::uint32_t last_pin = registers.read32(window) >> 16 & 0xff;
        for (std::uint32_t pin = 0; pin <= last_pin; ++pin)
            drivers::route(registers, pin, masked);
    }
}

// A third of a millisecond by whichever timer answers; nanoseconds, or nothing.
std::optional<std::uint64_t> reference_wait() {
    constexpr std::uint32_t microseconds = 333;
    const std::uint64_t hpet = machine().acpi.hpet;
    if (hpet != 0 && early_mapped(hpet, base::page_size))
        if (const auto waited = drivers::Hpet{cpu::Registers{base::VirtAddr{hpet}}}.wait(microseconds))
            return waited;
    return drivers::Pit{ports}.wait(microseconds);
}

} // namespace

void take_over(std::uint32_t protocol, std::uint32_t information) {
    dma::bus_masters_off();
    Machine& m = machine_in_making();
    m.times.entry_tsc = boot_entry_tsc;
    console::start();
    m.is_qemu = drivers::Power{ports}.is_qemu();
    if (const auto read = read_boot_record(protocol, information); !read.ok())
        refuse_to_start("boot: ", loader::describe(read.error()));
    if (const auto made = memory::normalize(found().boot.memory.view(), found().map); !made.ok())
        refuse_to_start("memory map: ", memory::describe(made.error()));
    settle_module();
}

void read_tables() {
    Machine& m = machine_in_making();
    std::uint64_t rsdp = found().boot.rsdp;
    if (found().boot.rsdp_copied)
        rsdp = cpu::address_of(found().boot.rsdp_copy).value();
    if (rsdp == 0)
        rsdp = acpi::find_rsdp(early_memory()).value_or(0);
    if (const auto parsed = acpi::parse(early_memory(), rsdp, m.acpi); !parsed.ok())
        refuse_to_start("firmware: ", parsed.error() == acpi::Error::bad_remapping
                                          ? "its table of IOMMUs (DMAR or IVRS) is damaged"
                                          : "its ACPI tables are missing or damaged (no RSDP, MADT or CPU)");
    mask_interrupt_controllers();
}

void measure_clocks() {
    Times& times = machine_in_making().times;
    apic::adopt();
    // What holds this CPU up between two readings (SMM, an emulator's host) only ever makes it look faster.
    constexpr unsigned tries = 3;
    for (unsigned i = 0; i < tries; ++i) {
        std::uint64_t start = 0, end = 0;
        std::optional<std::uint64_t> nanoseconds;
        const std::uint64_t counts = apic::timer_counts_during([&] {
            start = cpu::rdtsc();
            nanoseconds = reference_wait();
            end = cpu::rdtsc();
        });
        if (!nanoseconds || *nanoseconds == 0)
            break;
        const std::uint64_t hz = (end - start) * 1'000'000'000 / *nanoseconds;
        if (times.tsc_hz == 0 || hz < times.tsc_hz) {
            times.tsc_hz = hz;
            times.apic_timer_hz = counts * 1'000'000'000 / *nanoseconds;
        }
    }
    if (const auto seconds = drivers::cmos_time(ports)) {
        times.wall_tsc = cpu::rdtsc();
        times.wall_ns = *seconds * 1'000'000'000;
    }
}

} // namespace hv
