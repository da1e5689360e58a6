// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/board/write.hpp - a board's description as JSON, schema caisson.board/1 (docs/boards.md): written by the scan
// on the machine and by the tool alike.
//
// Pure: no heap; `sink(text)` takes the bytes piece by piece.
// Invariants: the same facts give the same bytes. Every line of the array-like parts stands alone, so that versions compare well.
#pragma once

#include "hypervisor/core/board/facts.hpp"
#include "hypervisor/core/board/json_lines.hpp"

namespace board {

namespace words {
inline constexpr std::array<std::string_view, 3> known{"unknown", "no", "yes"};
inline constexpr std::array<std::string_view, 3> remapping{"none", "vtd", "amdvi"};
inline constexpr std::array<std::string_view, 4> function_kind{"other", "endpoint", "port", "bridge"};
inline constexpr std::array<std::string_view, 5> watchdog{"unknown", "none", "i6300esb", "itco", "wdat"};
inline constexpr std::array<std::string_view, 5> reset{"none", "flr", "af", "e1000", "virtio"};
} // namespace words

// "00:1f.3" of bus, device and function.
constexpr base::Text<8> address_text(pci::Requester requester) {
    constexpr std::string_view digits = "0123456789abcdef";
    base::Text<8> out;
    out << digits[requester >> 12 & 15] << digits[requester >> 8 & 15] << ':' << digits[requester >> 7 & 1]
        << digits[requester >> 3 & 15] << '.' << digits[requester & 7];
    return out;
}

template <typename Sink> class Writer : private JsonLines<Sink> {
public:
    using JsonLines<Sink>::JsonLines;

    void write(const Facts& facts) {
        open("", '{');
        text("schema", "caisson.board/1");
        text("name", facts.name.view());
        text("origin", facts.origin.view());
        processor(facts);
        cpus(facts);
        memory_map(facts);
        firmware(facts);
        functions(facts);
        machine(facts);
        close('}');
        end();
    }

private:
    using Json = JsonLines<Sink>;
    using Json::raw, Json::next, Json::open, Json::close, Json::text, Json::number, Json::address, Json::flag,
        Json::nothing, Json::end;

    void known(std::string_view key, Known value) {
        text(key, words::known[static_cast<std::size_t>(value)]);
    }

    void processor(const Facts& facts) {
        const Processor& cpu = facts.processor;
        open("processor", '{');
        number("apicId", cpu.apic_id);
        known("checked", cpu.checked);
        text("missing", cpu.missing.view());
        flag("hugePages", cpu.huge_pages);
        if (cpu.has_capabilities)
            address("archCapabilities", cpu.capabilities);
        else
            nothing("archCapabilities");
        open("cpuid", '[');
        for (const Leaf& leaf : cpu.leaves) {
            next("");
            row(leaf);
        }
        close(']');
        close('}');
    }

    void row(const Leaf& leaf) {
        raw("[\"", base::hex(leaf.number), "\",", leaf.sub);
        for (const std::uint32_t word : {leaf.eax, leaf.ebx, leaf.ecx, leaf.edx})
            raw(",\"", base::hex(word), '"');
        raw(']');
    }

    void others(const Facts& facts) {
        if (!facts.others_known)
            return nothing("otherCpus");
        open("otherCpus", '[');
        for (const OtherCpu& cpu : facts.others) {
            open("", '{', false);
            number("apicId", cpu.apic_id);
            flag("answered", cpu.answered);
            open("cpuid", '[', false);
            for (const Leaf& leaf : cpu.differences) {
                next("");
                row(leaf);
            }
            close(']');
            close('}');
        }
        close(']');
    }

    void cpus(const Facts& facts) {
        open("cpus", '[');
        for (const acpi::Cpu& cpu : facts.tables.cpus) {
            open("", '{', false);
            number("apicId", cpu.apic_id);
            flag("enabled", cpu.enabled);
            close('}');
        }
        close(']');
        number("cpusLeftOut", facts.tables.cpus_left_out);
        others(facts);
    }

    void memory_map(const Facts& facts) {
        open("memory", '[');
        for (const memory::Range& range : facts.memory) {
            open("", '{', false);
            address("base", range.base);
            address("bytes", range.bytes);
            flag("usable", range.kind == memory::Kind::usable);
            close('}');
        }
        close(']');
    }

    void port(std::string_view key, const std::optional<std::uint16_t>& value) {
        if (value)
            address(key, *value);
        else
            nothing(key);
    }

    void firmware(const Facts& facts) {
        const acpi::Tables& t = facts.tables;
        open("firmware", '{');
        text("refused", facts.refused.view());
        open("ioApics", '[');
        for (const acpi::IoApic& io_apic : t.io_apics) {
            open("", '{', false);
            number("id", io_apic.id);
            address("address", io_apic.address);
            number("gsiBase", io_apic.gsi_base);
            close('}');
        }
        close(']');
        remapping(facts);
        address("hpet", t.hpet);
        open("ecam", '{', false);
        address("base", t.ecam.base);
        number("lastBus", t.ecam.last_bus);
        close('}');
        if (t.fadt) {
            open("fadt", '{', false);
            port("pm1aControl", t.fadt->pm1a_control);
            port("pm1bControl", t.fadt->pm1b_control);
            port("timer", t.fadt->timer);
            flag("timerHas32Bits", t.fadt->timer_has_32_bits);
            port("reset", t.fadt->reset);
            number("resetValue", t.fadt->reset_value);
            port("button", t.fadt->button);
            close('}');
        } else {
            nothing("fadt");
        }
        if (t.soft_off) {
            open("softOff", '{', false);
            number("pm1a", t.soft_off->pm1a);
            number("pm1b", t.soft_off->pm1b);
            close('}');
        } else {
            nothing("softOff");
        }
        if (facts.spcr) {
            open("spcr", '{', false);
            uart(facts.spcr->address, facts.spcr->in_memory, facts.spcr->wide, facts.spcr->stride);
            number("divisor", facts.spcr->divisor);
            close('}');
        } else {
            nothing("spcr");
        }
        if (facts.tpm) {
            open("tpm", '{', false);
            address("controlArea", facts.tpm->control_area);
            flag("needsFirmware", facts.tpm->needs_firmware);
            close('}');
        } else {
            nothing("tpm");
        }
        flag("wdrt", facts.has_wdrt);
        address("smbios", facts.smbios);
        close('}');
    }

    void remapping(const Facts& facts) {
        const acpi::Remapping& r = facts.tables.remapping;
        open("remapping", '{');
        text("kind", words::remapping[static_cast<std::size_t>(r.kind)]);
        flag("switchedOff", r.switched_off);
        flag("x2apicOptOut", r.x2apic_opt_out);
        flag("otherSegments", r.has_other_segments);
        flag("unclearFirmwareMemory", r.unclear_firmware_memory);
        open("units", '[');
        for (std::size_t i = 0; i < r.units.size(); ++i) {
            open("", '{', false);
            address("base", r.units[i]);
            if (i < facts.units.size()) {
                address("capability", facts.units[i].capability);
                address("extendedCapability", facts.units[i].extended);
            }
            close('}');
        }
        close(']');
        open("firmwareMemory", '[', false);
        for (const std::uint16_t requester : r.firmware_memory)
            text("", requester == acpi::behind_bridge ? std::string_view{"behind a bridge"}
                                                      : address_text(requester).view());
        close(']');
        open("ioApics", '[');
        for (const acpi::IoApicSource& source : r.io_apics) {
            open("", '{', false);
            number("id", source.io_apic);
            text("requester", address_text(source.requester).view());
            close('}');
        }
        close(']');
        close('}');
    }

    void functions(const Facts& facts) {
        open("pci", '{');
        flag("known", facts.pci_known);
        flag("tooMany", facts.too_many_functions);
        open("functions", '[');
        for (const Function& one : facts.functions) {
            const pci::Function& f = one.function;
            open("", '{', false);
            text("address", address_text(f.requester).view());
            address("vendor", f.vendor);
            address("device", f.device);
            address("class", f.class_code);
            text("kind", words::function_kind[static_cast<std::size_t>(f.kind)]);
            text("reset", words::reset[static_cast<std::size_t>(f.reset)]);
            flag("multiFunction", f.multi_function);
            number("secondary", f.secondary);
            number("subordinate", f.subordinate);
            address("express", f.express);
            address("msix", f.msix);
            address("features", f.features);
            number("vectors", f.vectors);
            address("msixTable", f.msix_table);
            address("accessControl", f.access_control);
            address("capabilities", one.capabilities.usual);
            address("extendedCapabilities", one.capabilities.extended);
            open("bars", '[', false);
            for (std::size_t i = 0; i < f.bars.size(); ++i) {
                if (f.bars[i].bytes == 0)
                    continue;
                open("", '{', false);
                number("number", i);
                address("base", f.bars[i].base);
                address("bytes", f.bars[i].bytes);
                close('}');
            }
            close(']');
            close('}');
        }
        close(']');
        close('}');
    }

    void uart(std::uint64_t base, bool in_memory, bool wide, std::uint8_t stride) {
        address("base", base);
        flag("inMemory", in_memory);
        flag("wide", wide);
        number("stride", stride);
    }

    void machine(const Facts& facts) {
        known("uartAnswers", facts.uart_known);
        open("uart", '{', false);
        uart(facts.uart.base, facts.uart.in_memory, facts.uart.wide, facts.uart.stride);
        close('}');
        text("watchdog", words::watchdog[static_cast<std::size_t>(facts.watchdog)]);
        known("hpetPin", facts.hpet_pin);
        known("pit", facts.pit);
        number("tscHz", facts.tsc_hz);
        open("screen", '{', false);
        address("base", facts.screen.base);
        address("bytes", facts.screen.bytes);
        number("width", facts.screen.width);
        number("height", facts.screen.height);
        number("pixelsALine", facts.screen.pixels_a_line);
        number("format", facts.screen.format);
        close('}');
    }
};

template <typename Sink> void write(const Facts& facts, Sink&& sink) {
    Writer<std::remove_reference_t<Sink>>{sink}.write(facts);
}

} // namespace board
