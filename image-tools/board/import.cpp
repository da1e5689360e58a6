// SPDX-License-Identifier: Apache-2.0
// image-tools/board/import.cpp - the folder: which file is what.
#include "image-tools/board/import.hpp"

#include "image-tools/board/read.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <charconv>

namespace board {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_file = std::uint64_t{16} << 20;

std::string text_of(const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error) ? files::read_file(file, largest_file) : std::string();
}

// Of sysfs, where files say that they have 4096 bytes.
std::string line_of(const fs::path& file) {
    std::string text = text_of(file);
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    return text;
}

std::vector<fs::path> sorted(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
        out.push_back(entry.path());
    std::ranges::sort(out);
    return out;
}

std::uint64_t number(std::string text, int base) {
    if (text.starts_with("0x"))
        text.erase(0, 2);
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
}

bool is_table(std::string_view bytes) {
    constexpr std::size_t header = 36;
    const auto byte = [bytes](std::size_t at) { return std::size_t{static_cast<unsigned char>(bytes[at])}; };
    if (bytes.size() < header)
        return false;
    const std::size_t length = byte(4) | byte(5) << 8 | byte(6) << 16 | byte(7) << 24;
    return length == bytes.size() && std::ranges::all_of(bytes.substr(0, 4), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '!';
           });
}

std::vector<std::string> tables_in(const fs::path& folder) {
    std::vector<std::string> out;
    for (const fs::path& place : {folder, folder / "acpi", folder / "sys/firmware/acpi/tables"})
        for (const fs::path& file : sorted(place)) {
            if (file.filename() == "acpidump.txt")
                for (std::string& table : tables_of_dump(text_of(file)))
                    out.push_back(std::move(table));
            else if (std::string bytes = text_of(file); is_table(bytes))
                out.push_back(std::move(bytes));
        }
    return out;
}

bool take_memmap(const fs::path& folder, Facts& out) {
    std::map<std::uint64_t, memory::Range> entries; // by the kernel's number
    for (const fs::path& place : {folder / "memmap", folder / "sys/firmware/memmap"})
        for (const fs::path& entry : sorted(place)) {
            const std::uint64_t start = number(line_of(entry / "start"), 16),
                                last = number(line_of(entry / "end"), 16);
            const bool usable = line_of(entry / "type") == "System RAM";
            if (last >= start)
                entries[number(entry.filename().string(), 10)] = {
                    start, last - start + 1, usable ? memory::Kind::usable : memory::Kind::reserved};
        }
    for (const auto& [index, range] : entries)
        if (!out.memory.push_back(range))
            break;
    return !entries.empty();
}

bool take_devices(const fs::path& folder, Facts& out) {
    std::map<pci::Requester, PciFiles> found;
    for (const fs::path& place : {folder / "pci", folder / "sys/bus/pci/devices"})
        for (const fs::path& entry : sorted(place)) {
            const std::string name = entry.filename().string(); // 0000:00:1f.3
            if (!name.starts_with("0000:"))
                continue;
            if (const auto at = requester_of(std::string_view(name).substr(5)))
                found[*at] = {text_of(entry / "config"), text_of(entry / "resource")};
        }
    return take_functions(found, out);
}

// The capability registers of the VT-d units, in the order of the DMAR.
bool take_units(const fs::path& folder, Facts& out) {
    std::map<std::uint64_t, pci::VtdUnit> found;
    for (const fs::path& place : {folder / "iommu", folder / "sys/class/iommu"})
        for (const fs::path& entry : sorted(place)) {
            const fs::path inner = entry / "intel-iommu";
            if (const std::string base = line_of(inner / "address"); !base.empty())
                found[number(base, 16)] = {number(line_of(inner / "cap"), 16),
                                           number(line_of(inner / "ecap"), 16)};
        }
    out.units.clear();
    for (const std::uint64_t unit : out.tables.remapping.units) {
        const auto known = found.find(unit);
        if (known == found.end()) {
            out.units.clear();
            return false;
        }
        (void)out.units.push_back(known->second);
    }
    return true;
}

std::string first_of(const fs::path& folder, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (std::string text = text_of(folder / name); !text.empty())
            return text;
    return {};
}

} // namespace

Imported import_folder(const fs::path& folder) {
    Imported out{std::make_unique<Facts>(), {}};
    Facts& facts = *out.facts;
    facts.origin << "import";
    const std::vector<std::string> tables = tables_in(folder);
    take_tables(tables, facts);
    const bool cpuid = take_cpuid(first_of(folder, {"cpuid", "cpuid.txt"}), facts);
    const bool any_cpu = cpuid || take_cpuinfo(first_of(folder, {"cpuinfo", "proc/cpuinfo"}), facts);
    if (tables.empty() || !any_cpu)
        throw diagnostic::fail(
            "E0426",
            folder.string() + (tables.empty() ? " holds no ACPI tables" : " holds neither cpuid nor cpuinfo"))
            .help("docs/boards.md has the commands that collect a board's files on Linux");
    if (!cpuid)
        out.notes.emplace_back(
            "no file 'cpuid' (cpuid -r): what /proc/cpuinfo says is all that is known of the "
            "processor, and the places of cores follow from its numbers");
    if (!take_memmap(folder, facts) && !take_e820(first_of(folder, {"dmesg", "dmesg.txt"}), facts))
        out.notes.emplace_back("neither memmap nor dmesg: firmware's memory map is not known");
    if (!take_devices(folder, facts) && !take_lspci(first_of(folder, {"lspci", "lspci.txt"}), facts))
        out.notes.emplace_back("neither the devices of sysfs nor lspci: no PCI function is known");
    if (facts.tables.remapping.kind == acpi::RemappingKind::vtd && !take_units(folder, facts))
        out.notes.emplace_back("no sys/class/iommu: what the VT-d units can do is not known");
    for (const char* name : {"sys/class/dmi/id/product_name", "product_name"})
        if (const std::string product = line_of(folder / name); !product.empty() && facts.name.view().empty())
            for (const char c : product.substr(0, 64))
                facts.name << (c >= ' ' && c < 0x7f ? c : '?');
    return out;
}

} // namespace board
