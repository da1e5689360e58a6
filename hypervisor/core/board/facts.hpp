// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/board/facts.hpp - a board as the hypervisor's boot finds it: what `board scan` collects on the machine, what
// `board import` makes of a Linux's files, and what plans are bound to on the desk (docs/boards.md).
//
// Pure data.
// Trust: none: a description may be anybody's. What uses it checks it as it would check firmware.
#pragma once

#include "hypervisor/base/text.hpp"
#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/memory/runs.hpp"
#include "hypervisor/core/pci/describe.hpp"
#include "hypervisor/core/pci/vtd_unit.hpp"

namespace board {

inline constexpr char frame_type = 'd'; // of the serial line (abi/console.h): a piece of the JSON
inline constexpr std::size_t max_functions = 512, max_leaves = 128, max_others = 255;

enum class Known : std::uint8_t { unknown, no, yes };

// Of the machine's hardware, as far as it can be fed.
enum class Watchdog : std::uint8_t { unknown, none, i6300esb, itco, wdat };

struct Leaf {
    std::uint32_t number, sub, eax, ebx, ecx, edx;
};

// The boot CPU; at boot the others that a plan uses are compared with it.
struct Processor {
    base::FixedVector<Leaf, max_leaves> leaves;
    std::uint32_t apic_id = 0;
    Known checked = Known::unknown; // whether the two that follow are known
    bool huge_pages = false;        // 1 GiB leaves in second-stage tables
    base::Text<320> missing;        // why it cannot run partitions, in the hypervisor's words; empty: it can
    bool has_capabilities = false;
    std::uint64_t capabilities = 0; // IA32_ARCH_CAPABILITIES

    // As the processor would answer; zeros where nothing was noted.
    [[nodiscard]] Leaf operator()(std::uint32_t number, std::uint32_t sub = 0) const {
        for (const Leaf& one : leaves)
            if (one.number == number && one.sub == sub)
                return one;
        return {number, sub, 0, 0, 0, 0};
    }
};

// What matters of CPUID: leaves, and how many subleaves of each are asked for.
struct Wanted {
    std::uint32_t number, subs;
};
inline constexpr std::array<Wanted, 27> wanted_leaves{{
    {0x0, 1},        {0x1, 1},        {0x4, 6},        {0x6, 1},        {0x7, 3},        {0xb, 4},
    {0xd, 2},        {0x15, 1},       {0x16, 1},       {0x1a, 1},       {0x1f, 6},       {0x40000000, 1},
    {0x40000010, 1}, {0x80000000, 1}, {0x80000001, 1}, {0x80000002, 1}, {0x80000003, 1}, {0x80000004, 1},
    {0x80000007, 1}, {0x80000008, 1}, {0x8000000a, 1}, {0x8000001d, 4}, {0x8000001e, 1}, {0x8000001f, 1},
    {0x80000021, 1}, {0x80000022, 1}, {0x80000026, 4},
}};

// Another CPU, and what its CPUID says otherwise than the boot CPU's, what tells CPUs apart left out.
struct OtherCpu {
    std::uint32_t apic_id = 0;
    bool answered = false; // it started and told
    base::FixedVector<Leaf, 16> differences;
};

// What is a CPU's own is zero: APIC IDs and the places made of them, and what follows from its CR4 and XCR0.
constexpr Leaf in_common(Leaf leaf) {
    constexpr std::uint32_t own_id = 0xff000000, core_id = 0xff, osxsave = 1u << 27, ospke = 1u << 4;
    if (leaf.number == 0x1) {
        leaf.ebx &= ~own_id;
        leaf.ecx &= ~osxsave;
    }
    if (leaf.number == 0x7 && leaf.sub == 0)
        leaf.ecx &= ~ospke;
    if (leaf.number == 0xd)
        leaf.ebx = 0;
    if (leaf.number == 0xb || leaf.number == 0x1f || leaf.number == 0x80000026)
        leaf.edx = 0;
    if (leaf.number == 0x8000001e) {
        leaf.eax = 0;
        leaf.ebx &= ~core_id;
        leaf.ecx &= ~core_id;
    }
    return leaf;
}

struct Function {
    pci::Function function;
    pci::Capabilities capabilities;
};

// A frame buffer of 32 bits a pixel; base 0: none that was handed over.
struct Screen {
    std::uint64_t base = 0, bytes = 0;
    std::uint32_t width = 0, height = 0, pixels_a_line = 0, format = 0;
};

struct Uart {
    std::uint64_t base = 0;
    bool in_memory = false, wide = false;
    std::uint8_t stride = 1;
};

struct Facts {
    base::Text<128> name;  // for people
    base::Text<16> origin; // scan, import, facts
    Processor processor;
    bool others_known = false;                      // whether the other CPUs were asked
    base::FixedVector<OtherCpu, max_others> others; // those that firmware lists as enabled
    base::FixedVector<memory::Range, memory::max_firmware_entries> memory; // firmware's map, as it is
    base::Text<256> refused; // why its ACPI tables cannot be used, in the hypervisor's words
    acpi::Tables tables;     // where not refused
    std::optional<acpi::SerialPort> spcr;
    std::optional<acpi::Tpm> tpm;
    bool has_wdrt = false;
    base::FixedVector<pci::VtdUnit, acpi::max_units>
        units; // those of tables.remapping that were read, or none
    bool pci_known = false;
    bool too_many_functions = false;
    base::FixedVector<Function, max_functions> functions; // by requester ID
    Known uart_known = Known::unknown;                    // whether one answers
    Uart uart;
    Watchdog watchdog = Watchdog::unknown;
    Known hpet_pin = Known::unknown; // the HPET reaches a pin of the first I/O APIC
    Known pit = Known::unknown;      // it counts
    std::uint64_t tsc_hz = 0;        // as measured; 0: not known
    Screen screen;
    std::uint64_t smbios = 0;
};

} // namespace board
