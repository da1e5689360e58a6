// SPDX-License-Identifier: Apache-2.0
// image-tools/board/import_parts.cpp - ACPI tables, CPUID and memory maps as text and bytes; PCI is in import_pci.cpp.
#include "hypervisor/core/acpi/layout.hpp"
#include "hypervisor/core/vcpu/virtualization.hpp"
#include "image-tools/board/import.hpp"
#include "image-tools/board/lines.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace board {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename T> void set(std::string& bytes, std::size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// Every byte of a table sums to 0.
void repair(std::string& table, std::size_t from, std::size_t length, std::size_t checksum) {
    unsigned sum = 0;
    table[checksum] = 0;
    for (std::size_t i = from; i < from + length; ++i)
        sum += static_cast<unsigned char>(table[i]);
    table[checksum] = static_cast<char>(0u - sum);
}

// Physical memory with these tables, and an RSDP and an XSDT that name them.
class Memory {
public:
    explicit Memory(const std::vector<std::string>& tables) {
        std::string xsdt("XSDT\0\0\0\0\1", 9);
        xsdt.resize(acpi::header::bytes);
        std::uint64_t next = first_table;
        std::uint64_t dsdt = 0;
        for (const std::string& table : tables)
            if (table.starts_with("DSDT") && dsdt == 0)
                dsdt = place(table, next);
        for (std::string table : tables) {
            if (table.starts_with("DSDT") || table.starts_with("XSDT") || table.starts_with("RSDT"))
                continue;
            if (table.starts_with("FACP"))
                point_to(dsdt, table);
            const std::uint64_t address = place(table, next);
            xsdt.append(sizeof address, '\0');
            set(xsdt, xsdt.size() - sizeof address, address);
        }
        set(xsdt, acpi::header::length, static_cast<std::uint32_t>(xsdt.size()));
        repair(xsdt, 0, xsdt.size(), checksum_offset);
        const std::uint64_t root = place(xsdt, next);
        std::string rsdp("RSD PTR ");
        rsdp.resize(acpi::rsdp::bytes);
        rsdp[acpi::rsdp::revision] = 2;
        set(rsdp, acpi::rsdp::length, acpi::rsdp::bytes);
        set(rsdp, acpi::rsdp::xsdt, root);
        repair(rsdp, 0, acpi::rsdp::bytes_v1, 8);
        repair(rsdp, 0, acpi::rsdp::bytes, 32);
        rsdp_ = place(rsdp, next);
    }
    std::span<const std::byte> operator()(std::uint64_t address, std::size_t length) const {
        auto after = blocks_.upper_bound(address);
        if (after == blocks_.begin())
            return {};
        const auto& [start, block] = *--after;
        return bytes::lies_within(address - start, length, block.size())
                   ? bytes_of(block).subspan(address - start, length)
                   : std::span<const std::byte>{};
    }
    [[nodiscard]] std::uint64_t rsdp() const { return rsdp_; }

private:
    static constexpr std::uint64_t first_table = 0x1000;
    static constexpr std::size_t checksum_offset = 9;

    std::uint64_t place(const std::string& block, std::uint64_t& next) {
        const std::uint64_t address = next;
        blocks_[address] = block;
        next += (block.size() + 15) / 16 * 16 + 16;
        return address;
    }
    // Tables that were copied no longer lie where the FADT says; a bad checksum stays one.
    static void point_to(std::uint64_t dsdt, std::string& table) {
        unsigned sum = 0;
        for (const char byte : table)
            sum += static_cast<unsigned char>(byte);
        if (table.size() >= acpi::fadt::dsdt + 4)
            set(table, acpi::fadt::dsdt, static_cast<std::uint32_t>(dsdt));
        if (table.size() >= acpi::fadt::x_dsdt + 8)
            set(table, acpi::fadt::x_dsdt, dsdt);
        if ((sum & 0xff) == 0 && table.size() > checksum_offset)
            repair(table, 0, table.size(), checksum_offset);
    }

    std::map<std::uint64_t, std::string> blocks_;
    std::uint64_t rsdp_ = 0;
};

// A CPU of whom only /proc/cpuinfo is known.
struct Listed {
    std::map<std::string, std::string, std::less<>> fields;
    [[nodiscard]] std::uint32_t number(std::string_view key) const {
        const auto found = fields.find(key);
        return found == fields.end()
                   ? 0
                   : static_cast<std::uint32_t>(std::strtoul(found->second.c_str(), nullptr, 10));
    }
    [[nodiscard]] std::string text(std::string_view key) const {
        const auto found = fields.find(key);
        return found == fields.end() ? std::string() : found->second;
    }
};

std::vector<Listed> listed_cpus(std::string_view text) {
    std::vector<Listed> out;
    for (const std::string_view line : lines_of(text)) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            continue;
        const std::string key(trimmed(line.substr(0, colon)));
        if (key == "processor")
            out.emplace_back();
        if (!out.empty())
            out.back().fields[key] = std::string(trimmed(line.substr(colon + 1)));
    }
    return out;
}

std::uint32_t word_of(std::string_view text) {
    std::uint32_t value = 0;
    std::memcpy(&value, text.data(), std::min(text.size(), sizeof value));
    return value;
}

std::uint32_t bits_for(std::uint32_t count) {
    return static_cast<std::uint32_t>(std::bit_width(std::max(count, 1u) - 1));
}

} // namespace

void take_tables(const std::vector<std::string>& tables, Facts& out) {
    const Memory memory(tables);
    const bytes::Source source(memory, UINT64_MAX);
    if (const auto read = acpi::parse(source, memory.rsdp(), out.tables); !read.ok()) {
        out.tables = acpi::Tables{};
        out.refused << acpi::describe(read.error());
        return;
    }
    out.spcr = acpi::find_serial_port(source, memory.rsdp());
    out.tpm = acpi::find_tpm(source, memory.rsdp());
    for (const std::string& table : tables)
        out.has_wdrt = out.has_wdrt || table.starts_with("WDRT");
    if (out.tables.wdat)
        out.watchdog = Watchdog::wdat;
}

std::vector<std::string> tables_of_dump(std::string_view text) {
    std::vector<std::string> out;
    bool inside = false;
    for (const std::string_view line : lines_of(text)) {
        if (line.size() > 6 && line.substr(4, 3) == " @ ") {
            out.emplace_back();
            inside = true;
            continue;
        }
        const std::size_t colon = line.find(": ");
        if (!inside || colon == std::string_view::npos) {
            inside = inside && !trimmed(line).empty();
            continue;
        }
        // "    0000: 41 50 49 43 ...  APIC...": sixteen bytes at most.
        for (unsigned i = 0; i < 16 && colon + 2 + 3 * i + 2 <= line.size(); ++i) {
            const auto byte = hex_of(line.substr(colon + 2 + 3 * i, 2));
            if (!byte)
                break;
            out.back() += static_cast<char>(*byte);
        }
    }
    return out;
}

bool take_cpuid(std::string_view text, Facts& out) {
    unsigned cpus = 0;
    Processor& cpu = out.processor;
    std::map<std::uint32_t, std::uint32_t> before; // old collectors wrote every subleaf as 0, in order
    for (const std::string_view line : lines_of(text)) {
        const std::string words(trimmed(line));
        Leaf leaf{};
        if (words.starts_with("cpu ") || words.starts_with("CPU ")) {
            ++cpus;
            continue;
        }
        if (cpus != 1 || (std::sscanf(words.c_str(), "%x %x %x %x %x %x", &leaf.number, &leaf.sub, &leaf.eax,
                                      &leaf.ebx, &leaf.ecx, &leaf.edx) != 6 &&
                          std::sscanf(words.c_str(), "%x %x: eax=%x ebx=%x ecx=%x edx=%x", &leaf.number,
                                      &leaf.sub, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx) != 6))
            continue;
        const std::uint32_t place = before[leaf.number]++;
        leaf.sub = leaf.sub == 0 ? place : leaf.sub;
        const auto wanted = std::ranges::find(wanted_leaves, leaf.number, &Wanted::number);
        const auto same = [&leaf](const Leaf& other) {
            return other.number == leaf.number && other.sub == leaf.sub;
        };
        if (wanted != wanted_leaves.end() && leaf.sub < wanted->subs &&
            std::ranges::none_of(cpu.leaves, same))
            (void)cpu.leaves.push_back(leaf);
    }
    const bool levels = cpu(0).eax >= 0xb && cpu(0xb).ebx != 0;
    cpu.apic_id = levels ? cpu(0xb).edx : cpu(1).ebx >> 24;
    return cpus != 0 && !cpu.leaves.empty();
}

bool take_cpuinfo(std::string_view text, Facts& out) {
    const std::vector<Listed> cpus = listed_cpus(text);
    if (cpus.empty())
        return false;
    const Listed& first = cpus.front();
    std::vector<std::string> flags;
    for (const char* key : {"flags", "vmx flags"}) {
        const std::string all = first.text(key);
        for (const std::string_view word : words_of(all))
            flags.emplace_back(word);
    }
    const auto bit = [&flags](std::string_view name, unsigned number) {
        return std::ranges::find(flags, name) != flags.end() ? 1u << number : 0u;
    };
    const std::string vendor = first.text("vendor_id");
    const auto vendor_word = [&vendor](std::size_t from) {
        return from < vendor.size() ? word_of(std::string_view(vendor).substr(from)) : 0u;
    };
    const std::uint32_t family = first.number("cpu family"), model = first.number("model");
    const std::uint32_t signature = std::min(family, 15u) << 8 | (family > 15 ? family - 15 : 0) << 20 |
                                    (model & 15) << 4 | model >> 4 << 16 | (first.number("stepping") & 15);
    std::uint32_t last_id = 0;
    for (const Listed& cpu : cpus)
        if (cpu.text("physical id") == first.text("physical id"))
            last_id = std::max(last_id, cpu.number("apicid"));
    const std::uint32_t cores = std::max(first.number("cpu cores"), 1u),
                        threads = std::max(first.number("siblings") / cores, 1u);
    const std::uint32_t to_core = bits_for(threads),
                        to_package = std::max(
                            bits_for(last_id - std::min(last_id, first.number("apicid")) + 1), to_core);
    Processor& cpu = out.processor;
    cpu.apic_id = first.number("apicid");
    const std::uint32_t virtualization = bit("vmx", 5), svm = bit("svm", 2);
    for (const Leaf& leaf :
         {Leaf{0, 0, 0xb, vendor_word(0), vendor_word(8), vendor_word(4)},
          Leaf{1, 0, signature, cpu.apic_id << 24, virtualization | bit("x2apic", 21) | bit("rdrand", 30), 0},
          Leaf{0xb, 0, to_core, threads, 0x100, cpu.apic_id},
          Leaf{0xb, 1, to_package, threads * cores, 0x201, cpu.apic_id},
          Leaf{0x80000000, 0, 0x8000000a, 0, 0, 0},
          Leaf{0x80000001, 0, 0, 0, svm, bit("pdpe1gb", 26) | bit("nx", 20) | bit("lm", 29)},
          Leaf{0x80000007, 0, 0, 0, 0, bit("constant_tsc", 8)},
          Leaf{0x8000000a, 0, 1, svm != 0 ? 2u : 0u, 0, bit("npt", 0)}})
        (void)cpu.leaves.push_back(leaf);
    return true;
}

bool take_e820(std::string_view messages, Facts& out) {
    for (const std::string_view line : lines_of(messages)) {
        constexpr std::string_view mark = "BIOS-e820: [mem ";
        const std::size_t start = line.find(mark);
        unsigned long long first = 0, last = 0;
        if (start == std::string_view::npos ||
            std::sscanf(std::string(line.substr(start + mark.size())).c_str(), "%llx-%llx", &first, &last) !=
                2 ||
            last < first)
            continue;
        const bool usable = trimmed(line).ends_with("usable");
        if (!out.memory.push_back(
                {first, last - first + 1, usable ? memory::Kind::usable : memory::Kind::reserved}))
            break;
    }
    return !out.memory.empty();
}

} // namespace board
