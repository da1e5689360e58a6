// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/tables.hpp - the machine's ACPI tables, as far as the hypervisor uses them.
//
// Pure. Trust: firmware bytes are untrusted: every length is checked before use, 0 is refused, every checksum
// is verified, lists are bounded. What does not parse is an error or is left out, never guessed. Spec:
// ACPI 6.5: 5.2.5 RSDP, 5.2.7-8 RSDT/XSDT, 5.2.9 FADT, 5.2.12 MADT; DMAR and IVRS: remapping.hpp; IA-PC
// HPET 1.0a.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/acpi/remapping.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

namespace acpi {

enum class Error : std::uint8_t {
    unreadable,    // memory that the reader does not give
    bad_rsdp,      // signature, length or checksum
    bad_root,      // RSDT or XSDT: signature, length or checksum
    bad_table,     // a table that is needed: length, checksum or contents
    no_processor,  // no MADT, or one that lists no usable CPU
    bad_remapping, // a DMAR or IVRS that cannot be believed
    too_many,      // more CPUs or tables than the fixed lists hold
};

// Physical memory, through a callable:  std::span<const std::byte>(std::uint64_t address, std::uint32_t
// bytes). An empty span means "not readable". A span is used only until the next call, so one window is
// enough.
class PhysicalReader {
public:
    template <typename Callable>
    requires(!std::is_same_v<std::remove_cvref_t<Callable>, PhysicalReader>) explicit PhysicalReader(
        Callable& callable)
        : context_(&callable),
          call_([](void* context, std::uint64_t address, std::uint32_t bytes) -> std::span<const std::byte> {
              return (*static_cast<Callable*>(context))(address, bytes);
          }) {}
    // Exactly `bytes` bytes, or an empty span.
    [[nodiscard]] std::span<const std::byte> operator()(std::uint64_t address, std::uint32_t bytes) const {
        const std::span<const std::byte> span = call_(context_, address, bytes);
        return span.size() >= bytes ? span.first(bytes) : std::span<const std::byte>{};
    }

private:
    void* context_;
    std::span<const std::byte> (*call_)(void*, std::uint64_t, std::uint32_t);
};

inline constexpr std::uint32_t max_table_bytes = 1u << 20; // the longest read: a DSDT
inline constexpr std::size_t max_cpus = 256;

struct Cpu {
    std::uint32_t apic_id = 0;
    bool enabled = false; // else only online-capable: not to be started
};
struct IoApic {
    std::uint64_t address = 0;
    std::uint32_t gsi_base = 0;
    std::uint8_t id = 0;
};
struct Override {
    std::uint8_t isa_irq = 0;
    std::uint32_t gsi = 0;
    std::uint16_t flags = 0; // bits 0-1 polarity, 2-3 trigger
};
struct Hpet {
    std::uint64_t address = 0;
    std::uint16_t minimum_tick = 0;
    std::uint8_t number = 0;
};
enum class Space : std::uint8_t { memory = 0, io = 1, pci = 2 };
struct Register { // Generic Address Structure
    Space space = Space::io;
    std::uint8_t bits = 0;
    std::uint64_t address = 0;
};
struct Fadt {
    std::uint32_t flags = 0;
    std::optional<Register> pm1a_control, pm1b_control, reset;
    std::uint8_t reset_value = 0;
    std::uint64_t dsdt = 0;
    [[nodiscard]] bool hardware_reduced() const { return (flags >> 20 & 1) != 0; }
};
struct SleepType { // SLP_TYP values of \_S5_
    std::uint8_t pm1a = 0, pm1b = 0;
};

struct Tables {
    base::FixedVector<Cpu, max_cpus>
        cpus; // one entry an APIC ID, in table order (firmware lists the boot CPU first)
    base::FixedVector<IoApic, 16> io_apics;
    base::FixedVector<Override, 24> overrides;
    Remapping remapping;
    std::optional<Hpet> hpet;
    std::optional<Fadt> fadt;
    std::optional<SleepType> soft_off; // found by a bounded search, see soft_off_in
};

// Reads everything from the RSDP on. MADT is required; a bad or missing HPET or FADT is left out, a bad DMAR or IVRS is
// an error.
// `out` is overwritten; after an error its contents mean nothing. (An out-parameter: 5 KiB are not for the
// stack.)
[[nodiscard]] base::Status<Error> parse(PhysicalReader read, base::PhysAddr rsdp, Tables& out);

// Looks for an RSDP on 16-byte boundaries in [from, from + bytes), as BIOSes leave it in the EBDA and above
// 0xE0000.
[[nodiscard]] std::optional<base::PhysAddr> find_rsdp(PhysicalReader read, base::PhysAddr from,
                                                      std::uint32_t bytes);

// The package of \_S5_ in a definition block's bytes: NameOp '_S5_' PackageOp length count, then integers.
[[nodiscard]] std::optional<SleepType> soft_off_in(std::span<const std::byte> aml);

[[nodiscard]] bool checksum_good(std::span<const std::byte> bytes);

} // namespace acpi
