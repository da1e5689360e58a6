// SPDX-License-Identifier: Apache-2.0
#include "image-tools/board/names.hpp"

#include "hypervisor/core/board/write.hpp"
#include "hypervisor/core/vcpu/vulnerabilities.hpp"
#include "image-tools/board/bind.hpp"
#include "image-tools/board/lines.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace board {
namespace {

std::string text_of(std::initializer_list<std::uint32_t> words) {
    std::string out;
    for (const std::uint32_t word : words)
        for (unsigned i = 0; i < 4; ++i)
            if (const auto c = static_cast<char>(word >> 8 * i & 0x7f); c >= ' ')
                out += c;
    return std::string(trimmed(out));
}

std::string capabilities_text(const pci::Capabilities& seen) {
    std::string out;
    const auto add = [&out](bool there, const char* name) {
        if (there)
            out += std::string(out.empty() ? "" : " ") + name;
    };
    add((seen.usual >> pci::config::capability_express & 1) != 0, "express");
    add((seen.usual >> pci::config::capability_power & 1) != 0, "pm");
    add((seen.usual >> pci::config::capability_msi & 1) != 0, "msi");
    add((seen.usual >> pci::config::capability_msix & 1) != 0, "msi-x");
    add((seen.usual >> pci::config::capability_features & 1) != 0, "af");
    add((seen.extended >> pci::config::extended_access_control & 1) != 0, "acs");
    add((seen.extended >> 0x10 & 1) != 0, "sr-iov");
    return out;
}

std::string functions_text(const Facts& facts) {
    std::string out;
    for (const Function& one : facts.functions) {
        const pci::Function& f = one.function;
        out += fmt::format("  {} {:04x}:{:04x} class {:06x} {}", address_text(f.requester).view(), f.vendor,
                           f.device, f.class_code, words::function_kind[static_cast<std::size_t>(f.kind)]);
        if (f.secondary != 0)
            out += fmt::format(" to buses {:02x}-{:02x}", f.secondary, f.subordinate);
        if (f.kind == pci::Kind::endpoint || f.kind == pci::Kind::other)
            out += fmt::format(", reset {}", words::reset[static_cast<std::size_t>(f.reset)]);
        if (const std::string seen = capabilities_text(one.capabilities); !seen.empty())
            out += ", " + seen;
        for (const pci::Bar& bar : f.bars)
            if (bar.bytes != 0)
                out += fmt::format(", {:#x}+{:#x}", bar.base, bar.bytes);
        out += "\n";
    }
    return out;
}

} // namespace

std::string processor_name(const Processor& cpu) {
    std::string brand;
    for (const std::uint32_t leaf : {0x80000002u, 0x80000003u, 0x80000004u}) {
        const Leaf one = cpu(leaf);
        for (const std::uint32_t word : {one.eax, one.ebx, one.ecx, one.edx})
            for (unsigned i = 0; i < 4; ++i)
                if (const auto c = static_cast<char>(word >> 8 * i & 0x7f); c >= ' ')
                    brand += c;
    }
    const std::string vendor = text_of({cpu(0).ebx, cpu(0).edx, cpu(0).ecx});
    const std::uint32_t signature = cpu(1).eax;
    const std::uint32_t model = (signature >> 4 & 15) | (signature >> 16 & 15) << 4;
    const std::string kind = fmt::format("{} family {:#x} model {:#x} stepping {}", vendor,
                                         vcpu::family_of(signature), model, signature & 15);
    const std::string name(trimmed(brand));
    return name.empty() ? kind : name + " (" + kind + ")";
}

std::string_view wanted_class(std::uint32_t class_code) {
    switch (class_code >> 8) {
    case 0x0200:
        return "network";
    case 0x0280:
        return "wireless";
    case 0x0106:
        return "sata";
    case 0x0107:
        return "sas";
    case 0x0108:
        return "nvme";
    case 0x0c03:
        return "usb";
    default:
        return {};
    }
}

std::string show(const Facts& facts) {
    const Described described(facts);
    const acpi::Tables& t = facts.tables;
    std::string out = fmt::format("{} ({})\n", facts.name.view().empty() ? "a board" : facts.name.view(),
                                  facts.origin.view());
    if (!facts.refused.view().empty())
        out += fmt::format("firmware: {}\n", facts.refused.view());
    out += "processor: " + processor_name(facts.processor) + "\n";
    out += fmt::format("CPUs: {}, the boot CPU has APIC ID {}\n", described.cpus.size(),
                       facts.processor.apic_id);
    for (const plan::Cpu& cpu : described.cpus)
        out += fmt::format("  APIC ID {}: package {}, core {}, thread {}\n", cpu.apic_id, cpu.package,
                           cpu.core, cpu.thread);
    out += fmt::format("memory: {} MiB usable\n", described.map.bytes() >> 20);
    for (const memory::Range& range : facts.memory)
        out += fmt::format("  {:#014x} {:#014x} {}\n", range.base, range.bytes,
                           range.kind == memory::Kind::usable ? "usable" : "reserved");
    out += fmt::format("I/O APICs: {}; HPET: {}; PCI configuration: {}\n", t.io_apics.size(),
                       t.hpet == 0 ? "none" : fmt::format("{:#x}", t.hpet),
                       t.ecam.base == 0 ? "by ports only"
                                        : fmt::format("{:#x}, buses 0-{}", t.ecam.base, t.ecam.last_bus));
    out += fmt::format("IOMMU: {}", words::remapping[static_cast<std::size_t>(t.remapping.kind)]);
    for (std::size_t i = 0; i < t.remapping.units.size(); ++i) {
        out += fmt::format("{} {:#x}", i == 0 ? "" : ",", t.remapping.units[i]);
        if (i < facts.units.size())
            out += fmt::format(" ({:#x}, {:#x})", facts.units[i].capability, facts.units[i].extended);
    }
    out += "\n";
    if (facts.uart_known == Known::yes)
        out += fmt::format("UART: {:#x}{}\n", facts.uart.base, facts.uart.in_memory ? " in memory" : "");
    if (facts.tpm)
        out += fmt::format("TPM 2.0: {}\n", facts.tpm->needs_firmware      ? "by firmware's code"
                                            : facts.tpm->control_area != 0 ? "CRB"
                                                                           : "TIS");
    if (facts.screen.base != 0)
        out += fmt::format("screen: {} x {} at {:#x}\n", facts.screen.width, facts.screen.height,
                           facts.screen.base);
    out += fmt::format("PCI functions: {}\n", facts.functions.size()) + functions_text(facts);
    return out;
}

} // namespace board
