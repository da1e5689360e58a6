// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/boot/firmware.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/clock/clock.hpp"
#include "drivers/power/power.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/dma/dma.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/address_space.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "loader/multiboot2/multiboot2.hpp"
#include "loader/pvh/pvh.hpp"

#include <cstring>

extern "C" {
extern const std::uint64_t boot_entry_tsc;
extern const std::uint32_t early_map_gigabytes;
}

namespace hv {
namespace {

constexpr std::uint32_t protocol_pvh = 1, protocol_multiboot2 = 2; // entry.S
constexpr cpu::Ports ports{};

class EarlyMemory final : public loader::PhysicalMemory {
public:
    [[nodiscard]] std::optional<std::span<const std::byte>> view(std::uint64_t address,
                                                                 std::uint64_t count) const override {
        if (address == 0 || !early_mapped(address, count))
            return std::nullopt;
        return cpu::bytes_at(base::VirtAddr{address}, count);
    }
};

// What ACPI tables are read through.
std::span<const std::byte> table_bytes(std::uint64_t address, std::uint32_t count) {
    if (address == 0 || !early_mapped(address, count))
        return {};
    return cpu::bytes_at(base::VirtAddr{address}, count);
}

base::Status<loader::BootError> read_boot_record(std::uint32_t protocol, std::uint32_t information) {
    const EarlyMemory memory;
    loader::BootRecord& record = machine().boot;
    if (protocol == protocol_pvh)
        return loader::pvh::read(memory, information, record);
    if (protocol == protocol_multiboot2)
        return loader::multiboot2::read(memory, information, record);
    return base::Failure{loader::BootError::unknown_protocol};
}

[[noreturn]] void refuse(std::string_view subject, const char* why) {
    LogLine line;
    line << subject << ": " << why;
    refuse_to_start(line.view());
}

// A bundle that firmware put below 1 MiB or off a page boundary is moved once, before a byte of it is looked at: nothing
// below 1 MiB is ever used, and roots are mapped in place.
void settle_module() {
    constexpr std::uint64_t low_memory = 1u << 20;
    Machine& m = machine();
    loader::Range& module = m.boot.module;
    if (module.base >= low_memory && module.base % base::page_size == 0)
        return;
    memory::Runs& free = m.bound.free; // bind() starts afresh
    free = m.map;
    const ImageExtent image = image_extent();
    const std::uint64_t bytes = bytes::units(module.bytes, base::page_size) * base::page_size;
    const bool noted = free.remove(image.base, image.bytes) && free.remove(module.base, module.bytes);
    const auto run = noted ? free.find(bytes, base::page_size, low_memory) : std::nullopt;
    if (!run || !early_mapped(run->base, bytes))
        refuse("memory map", "no room to move the bundle to");
    std::memcpy(cpu::pointer_to<char>(base::VirtAddr{run->base}),
                cpu::pointer_to<char>(base::VirtAddr{module.base}), module.bytes);
    module.base = run->base;
}

// Both 8259s and every pin of every I/O APIC. Device interrupts belong to nobody yet.
void mask_interrupt_controllers() {
    constexpr std::uint16_t first_data = 0x21, second_data = 0xa1;
    constexpr std::uint32_t select = 0, window = 0x10, version = 1, first_pin = 0x10, masked = 1u << 16;
    ports.out8(first_data, 0xff);
    ports.out8(second_data, 0xff);
    for (const acpi::IoApic& controller : machine().acpi.io_apics) {
        if (!early_mapped(controller.address, base::page_size))
            continue;
        const cpu::Registers registers{base::VirtAddr{controller.address}};
        registers.write32(select, version);
        const std::uint32_t last_pin = registers.read32(window) >> 16 & 0xff;
        for (std::uint32_t pin = 0; pin <= last_pin; ++pin) {
            registers.write32(select, first_pin + 2 * pin);
            registers.write32(window, masked);
        }
    }
}

// A third of a millisecond by whichever timer answers; nanoseconds, or nothing.
std::optional<std::uint64_t> reference_wait() {
    constexpr std::uint32_t microseconds = 333;
    const auto& hpet = machine().acpi.hpet;
    if (hpet && early_mapped(hpet->address, base::page_size))
        if (const auto waited =
                drivers::hpet_wait(cpu::Registers{base::VirtAddr{hpet->address}}, microseconds))
            return waited;
    return drivers::pit_wait(ports, microseconds);
}

} // namespace

bool early_mapped(std::uint64_t address, std::uint64_t bytes) {
    return bytes::lies_within(address, bytes, std::uint64_t{early_map_gigabytes} << 30);
}

void take_over(std::uint32_t protocol, std::uint32_t information) {
    dma::bus_masters_off();
    Machine& m = machine();
    m.times.entry_tsc = boot_entry_tsc;
    console::start();
    m.is_qemu = drivers::Power{ports}.is_qemu();
    if (const auto read = read_boot_record(protocol, information); !read.ok())
        refuse("boot", loader::describe(read.error()));
    if (const auto made = memory::normalize(m.boot.memory.view(), m.map); !made.ok())
        refuse("memory map", memory::describe(made.error()));
    settle_module();
}

void read_tables() {
    Machine& m = machine();
    auto table = table_bytes;
    acpi::PhysicalReader reader{table};
    std::uint64_t rsdp = m.boot.rsdp;
    if (m.boot.rsdp_copied)
        rsdp = cpu::address_of(m.boot.rsdp_copy).value();
    if (rsdp == 0)
        if (const auto found = acpi::find_rsdp(reader, base::PhysAddr{0xe0000}, 0x20000))
            rsdp = found->value();
    if (const auto parsed = acpi::parse(reader, base::PhysAddr{rsdp}, m.acpi); !parsed.ok())
        refuse("firmware", parsed.error() == acpi::Error::bad_remapping
                               ? "its table of IOMMUs (DMAR or IVRS) is damaged"
                               : "its ACPI tables are missing or damaged (no RSDP, MADT or CPU)");
    mask_interrupt_controllers();
}

void measure_clocks() {
    Times& times = machine().times;
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
