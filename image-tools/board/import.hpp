// SPDX-License-Identifier: Apache-2.0
// image-tools/board/import.hpp - a board's description made of what a Linux that runs on it shows (docs/boards.md lists the files).
//
// Trust: the files are anybody's; ACPI tables are read by the boot's own parser.
#pragma once

#include "hypervisor/core/board/facts.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace board {

struct Imported {
    std::unique_ptr<Facts> facts;
    std::vector<std::string> notes; // what was not there, and what follows from that
};

// A folder with any of: sys/, proc/ (copies of those trees, or "/" itself), ACPI tables (*.dat, or by name, or acpidump.txt),
// cpuid, cpuinfo, dmesg, lspci. Throws E0426 where there is neither a table nor CPUID, E0601.
Imported import_folder(const std::filesystem::path& folder);

// The parts of it, each from its text or bytes.

// ACPI tables, whole, in any order, as facts of `out`: `refused` is set where the boot would refuse them.
void take_tables(const std::vector<std::string>& tables, Facts& out);
// What acpidump prints; other lines are passed over.
std::vector<std::string> tables_of_dump(std::string_view text);
// `cpuid -r`, or lines `cpu N` and `leaf subleaf eax ebx ecx edx`. The first CPU's leaves that matter and its APIC ID. False: none.
bool take_cpuid(std::string_view text, Facts& out);
// /proc/cpuinfo, where there is nothing better: what its flags say. False: none.
bool take_cpuinfo(std::string_view text, Facts& out);
// "BIOS-e820: [mem 0x0-0x9fbff] usable" of the kernel's messages, in their order. False: none.
bool take_e820(std::string_view messages, Facts& out);
// `lspci -xxxx`, best with -vvv, which has the sizes of BARs. False: none.
bool take_lspci(std::string_view text, Facts& out);

// One function of /sys/bus/pci/devices: its configuration space and what `resource` holds.
struct PciFiles {
    std::string config, resource;
};
bool take_functions(const std::map<pci::Requester, PciFiles>& files, Facts& out);

} // namespace board
