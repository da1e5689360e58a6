// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/guest_tables.cpp - tables for partitions, written front to back into one page.
#include "image-tools/plan/guest_tables.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/core/acpi/layout.hpp"
#include "hypervisor/core/bytes/reader.hpp"

#include <algorithm>

namespace acpi {
namespace {

struct [[gnu::packed]] Rsdp {
    std::array<char, 8> signature; // "RSD PTR "
    std::uint8_t checksum;         // of the first 20 bytes
    std::array<char, 6> oem_id;
    std::uint8_t revision; // 0: ACPI 1.0, nothing after rsdt
    std::uint32_t rsdt;
    std::uint32_t length;
    std::uint64_t xsdt;
    std::uint8_t extended_checksum;
    std::array<std::uint8_t, 3> reserved;
};
static_assert(sizeof(Rsdp) == rsdp::bytes && offsetof(Rsdp, length) == rsdp::length &&
              offsetof(Rsdp, xsdt) == rsdp::xsdt);

struct [[gnu::packed]] Header {
    std::uint32_t signature;
    std::uint32_t length;
    std::uint8_t revision;
    std::uint8_t checksum;
    std::array<char, 6> oem_id;
    std::array<char, 8> oem_table_id;
    std::uint32_t oem_revision;
    std::uint32_t creator_id;
    std::uint32_t creator_revision;
};
static_assert(sizeof(Header) == header::bytes && offsetof(Header, length) == header::length);

constexpr std::array<char, 6> oem{'C', 'A', 'I', 'S', 'S', 'N'};
constexpr std::array<char, 8> oem_table{'C', 'A', 'I', 'S', 'S', 'O', 'N', ' '};

constexpr std::size_t rsdp_offset = 0, xsdt_offset = 64, xsdt_entries = 2, fadt_offset = 128;
constexpr std::size_t dsdt_offset = 448, madt_offset = 512;
constexpr std::size_t xsdt_bytes = sizeof(Header) + xsdt_entries * sizeof(std::uint64_t);
constexpr std::size_t x2apic_entry_bytes = 16;
// Fields that only these tables have.
constexpr std::size_t fadt_boot_flags = 109, fadt_minor_version = 131, fadt_hypervisor_vendor = 268,
                      fadt_bytes_v6 = 276;
constexpr std::size_t madt_local_apic = 36;
static_assert(fadt_offset + fadt_bytes_v6 <= dsdt_offset && dsdt_offset + sizeof(Header) <= madt_offset);
static_assert(xsdt_offset + xsdt_bytes <= fadt_offset);
static_assert(madt_offset + madt::entries + max_guest_cpus * x2apic_entry_bytes <= base::page_size);

template <typename T> void put(std::span<std::byte> table, std::size_t offset, const T& value) {
    base::expects(bytes::store(table, offset, value), "guest ACPI table: past its end");
}

void set_checksum(std::span<std::byte> table, std::size_t offset) {
    unsigned sum = 0;
    for (const std::byte byte : table)
        sum += std::to_integer<unsigned>(byte);
    table[offset] = static_cast<std::byte>(0u - sum);
}

// A table's bytes with its header filled in; the checksum comes when its contents are complete.
std::span<std::byte> begin(std::span<std::byte> page, std::size_t offset, std::size_t length,
                           std::uint32_t signature, std::uint8_t revision) {
    const std::span<std::byte> table = page.subspan(offset, length);
    put(table, 0,
        Header{signature, static_cast<std::uint32_t>(length), revision, 0, oem, oem_table, 1,
               acpi::signature("CAIS"), 1});
    return table;
}
void finish(std::span<std::byte> table) {
    set_checksum(table, offsetof(Header, checksum));
}

void build_fadt(std::span<std::byte> page, std::uint64_t dsdt) {
    constexpr std::uint8_t revision = 6, minor = 5;
    // IAPC_BOOT_ARCH: no VGA, no CMOS clock; and no 8042 since its bit stays 0.
    constexpr std::uint16_t no_vga = 1u << 2, no_cmos_clock = 1u << 5;
    // WBINVD works; no power and sleep buttons of the fixed kind.
    constexpr std::uint32_t wbinvd = 1u << 0, power_button = 1u << 4, sleep_button = 1u << 5;
    const std::span<std::byte> table = begin(page, fadt_offset, fadt_bytes_v6, signature("FACP"), revision);
    put(table, fadt::dsdt, static_cast<std::uint32_t>(dsdt));
    put(table, fadt_boot_flags, static_cast<std::uint16_t>(no_vga | no_cmos_clock));
    put(table, fadt::flags, wbinvd | power_button | sleep_button | fadt::flag_hardware_reduced);
    put(table, fadt_minor_version, minor);
    put(table, fadt::x_dsdt, dsdt);
    put(table, fadt_hypervisor_vendor, oem_table);
    finish(table);
}

void build_madt(std::span<std::byte> page, std::uint32_t cpu_count) {
    constexpr std::uint8_t revision = 5;
    constexpr std::uint32_t local_apic = 0xFEE00000;
    const std::span<std::byte> table =
        begin(page, madt_offset, madt::entries + cpu_count * x2apic_entry_bytes, signature("APIC"), revision);
    put(table, madt_local_apic, local_apic);
    for (std::uint32_t id = 0; id < cpu_count; ++id) {
        const std::span<std::byte> entry =
            table.subspan(madt::entries + id * x2apic_entry_bytes, x2apic_entry_bytes);
        put(entry, 0, madt::type_x2apic);
        put(entry, 1, static_cast<std::uint8_t>(x2apic_entry_bytes));
        put(entry, 4, id);
        put(entry, 8, madt::cpu_enabled);
        put(entry, 12, id); // ACPI processor UID
    }
    finish(table);
}

} // namespace

base::Result<base::GuestPhysAddr, BuildError>
build_guest_tables(std::span<std::byte, 4096> page, base::GuestPhysAddr at, std::uint32_t cpu_count) {
    if (cpu_count == 0)
        return base::Failure{BuildError::no_cpu};
    if (cpu_count > max_guest_cpus)
        return base::Failure{BuildError::too_many_cpus};
    std::ranges::fill(page, std::byte{0});

    const std::span<std::byte> dsdt = begin(page, dsdt_offset, sizeof(Header), signature("DSDT"), 2);
    finish(dsdt);
    build_fadt(page, at.value() + dsdt_offset);
    build_madt(page, cpu_count);

    const std::span<std::byte> xsdt = begin(page, xsdt_offset, xsdt_bytes, signature("XSDT"), 1);
    put(xsdt, sizeof(Header), at.value() + fadt_offset);
    put(xsdt, sizeof(Header) + sizeof(std::uint64_t), at.value() + madt_offset);
    finish(xsdt);

    const std::span<std::byte> root = std::span<std::byte>{page}.subspan(rsdp_offset, sizeof(Rsdp));
    put(root, 0, Rsdp{rsdp::signature, 0, oem, 2, 0, sizeof(Rsdp), at.value() + xsdt_offset, 0, {}});
    set_checksum(root.first(rsdp::bytes_v1), offsetof(Rsdp, checksum));
    set_checksum(root, offsetof(Rsdp, extended_checksum));
    return at;
}

} // namespace acpi
