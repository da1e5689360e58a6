// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/tables.hpp - the machine's ACPI tables, as far as the hypervisor uses them.
//
// Pure.
// Trust:      firmware bytes are untrusted: every length is checked before use, 0 is refused, every
//             checksum is verified, lists are bounded. What does not parse is an error or is left
//             out, never guessed. A table of remapping units that is there but does not parse is an
//             error, never "no such unit": what follows from that answer is that devices may reach
//             memory.
// Spec:       ACPI 6.5: 5.2.5 RSDP, 5.2.7-8 RSDT/XSDT, 5.2.9 FADT, 5.2.12 MADT; PCI Firmware 3.3
//             section 4.1.2 MCFG; IA-PC HPET 1.0a; DMAR: Intel VT-d 4.1 chapter 8 "BIOS
//             Considerations"; TPM2: TCG ACPI Specification 1.4, chapter 8; IVRS: AMD I/O Virtualization Technology 3.08 chapter 5 "I/O
//             Virtualization ACPI Table".
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/acpi/kept.hpp"
#include "hypervisor/core/acpi/wdat.hpp"
#include "hypervisor/core/bytes/source.hpp"

namespace acpi {

enum class Error : std::uint8_t {
    unreadable,    // memory that the reader does not give
    bad_rsdp,      // signature, length or checksum
    bad_root,      // RSDT or XSDT: signature, length or checksum
    bad_table,     // a table that is needed: length, checksum or contents
    no_processor,  // no MADT, or one that lists no usable CPU
    bad_remapping, // a DMAR or IVRS that cannot be believed
    half_remapped, // some of a DMAR's units at address 0, which says that they are off
    too_many_io_apics,
    too_many_units, // of remapping: each left out would leave its devices free
};
// For people: what firmware did and what to do about it.
[[nodiscard]] const char* describe(Error error);

inline constexpr std::uint32_t max_table_bytes = 1u << 20; // the longest read: a DSDT
inline constexpr std::size_t max_cpus = 512, max_io_apics = 128;

struct Cpu {
    std::uint32_t apic_id = 0;
    bool enabled = false; // else only online-capable: not to be started
};
struct IoApic {
    std::uint64_t address = 0;
    std::uint32_t gsi_base = 0;
    std::uint8_t id = 0;
};
struct Ecam {               // memory-mapped configuration space of segment 0: 1 MiB a bus, from bus 0's on
    std::uint64_t base = 0; // 0: none
    std::uint8_t last_bus = 0;
};
// Bytes of a unit's registers, and their alignment.
constexpr std::uint64_t unit_bytes(RemappingKind kind) {
    return kind == RemappingKind::amdvi ? 0x4000 : 0x1000;
}

// The requester ID (bus, device, function) under which an I/O APIC sends its interrupts.
struct IoApicSource {
    std::uint8_t io_apic = 0; // its ID as in the MADT
    std::uint16_t requester = 0;
};

inline constexpr std::size_t max_reserving = 64;
inline constexpr std::uint16_t behind_bridge = 0xffff;

struct Remapping {
    RemappingKind kind = RemappingKind::none;
    bool switched_off = false;       // by firmware: a DMAR whose units all lie at address 0
    bool x2apic_opt_out = false;     // firmware asks that x2APIC mode be left alone
    Units units;                     // register bases, aligned to unit_bytes(), each once
    bool has_other_segments = false; // VT-d: a unit of another PCI segment than 0
    // VT-d: functions for which firmware reserves memory (RMRR); behind_bridge: one whose bus only a bridge's registers tell.
    base::FixedVector<std::uint16_t, max_reserving> firmware_memory;
    bool unclear_firmware_memory = false; // for functions that are not known
    // Each I/O APIC once: one that firmware gives two requesters has none that is known.
    base::FixedVector<IoApicSource, max_io_apics> io_apics;
};

struct Tables {
    base::FixedVector<Cpu, max_cpus>
        cpus;                      // one entry an APIC ID, in table order (firmware lists the boot CPU first)
    std::size_t cpus_left_out = 0; // the list was full
    base::FixedVector<IoApic, max_io_apics> io_apics;
    Remapping remapping;
    std::uint64_t hpet = 0; // its registers, 0: none
    Ecam ecam;
    std::optional<Fadt> fadt;
    std::optional<Wdat> wdat;
    std::optional<SleepType> soft_off; // found by a bounded search, see soft_off_in
};

// Reads everything from the RSDP on; `memory` is all physical memory, as far as it can be seen. MADT is required; a bad or
// missing HPET or FADT is left out, a bad DMAR or IVRS is an error. Of several MADTs the first counts (boards have been
// seen with a second one that is a former state of the first).
// `out` is overwritten; after an error its contents mean nothing. (An out-parameter: 10 KiB are not for the stack.)
[[nodiscard]] base::Status<Error> parse(const bytes::Source& memory, std::uint64_t rsdp, Tables& out);

// Looks for an RSDP where BIOSes leave it: on a 16-byte boundary from 0xE0000 to 1 MiB.
[[nodiscard]] std::optional<std::uint64_t> find_rsdp(const bytes::Source& memory);

// The UART that firmware's SPCR table names, a 16550 in I/O ports or in memory.
struct SerialPort {
    std::uint64_t address = 0;
    bool in_memory = false, wide = false; // wide: its registers are read as words of 32 bits
    std::uint8_t stride = 1;              // bytes from one register to the next
    std::uint16_t divisor = 0;            // of 115200 baud, in I/O ports; 0: as firmware left it
};
[[nodiscard]] std::optional<SerialPort> find_serial_port(const bytes::Source& memory, std::uint64_t rsdp);

// Whether there is a good table of that name, such as "WDRT".
[[nodiscard]] bool has_table(const bytes::Source& memory, std::uint64_t rsdp, const char (&name)[5]);

// How firmware's TPM2 table says that a TPM 2.0 is spoken to.
struct Tpm {
    std::uint64_t control_area = 0; // of a Command Response Buffer, or 0
    bool needs_firmware = false;    // commands start only by ACPI's own code (start methods 2, 8 and above)
};
[[nodiscard]] std::optional<Tpm> find_tpm(const bytes::Source& memory, std::uint64_t rsdp);

// The parts of parse() that have tests of their own. A DMAR or IVRS as a whole table with a good checksum; an error where
// it is damaged, names more units than fit or is the second of its sort.
[[nodiscard]] base::Status<Error> read_remapping(std::span<const std::byte> table, Remapping& out);
// The package of \_S5_ in a definition block's bytes: NameOp '_S5_' PackageOp length count, then integers.
[[nodiscard]] std::optional<SleepType> soft_off_in(std::span<const std::byte> aml);

// An I/O APIC's redirection entry whose pin reaches that CPU as an NMI, as remapping wants it written; nothing where
// the units block it. `interrupt_units`: how many of the VT-d units remap interrupts.
[[nodiscard]] std::optional<std::uint64_t> nmi_redirection(const Remapping& remapping,
                                                           std::size_t interrupt_units, std::uint8_t io_apic,
                                                           std::uint32_t apic_id);

} // namespace acpi
