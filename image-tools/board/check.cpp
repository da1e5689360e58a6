// SPDX-License-Identifier: Apache-2.0
// image-tools/board/check.cpp - what is needed first, then what is good to have, then device by device: whether the boot's own
// bind() would give it to a partition.
#include "image-tools/board/check.hpp"

#include "hypervisor/core/board/write.hpp"
#include "hypervisor/core/plan/header.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "image-tools/board/bind.hpp"
#include "image-tools/board/device_plan.hpp"
#include "image-tools/board/names.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace board {
namespace {

using acpi::RemappingKind;

class Grader {
public:
    explicit Grader(const Facts& facts) : facts_(facts), described_(facts) {}

    Graded run() {
        out_.runs = true;
        firmware();
        processor();
        cpus();
        other_cpus();
        memory_map();
        out_.devices = out_.runs;
        dma();
        interrupts();
        devices();
        access_control();
        console();
        tpm();
        watchdog();
        clocks();
        power();
        randomness();
        return std::move(out_);
    }

private:
    template <typename... Parts> void say(std::string subject, Grade grade, const Parts&... parts) {
        std::string reason;
        ((reason += parts), ...);
        out_.findings.push_back({std::move(subject), grade, std::move(reason)});
    }
    // Without it no partition runs.
    template <typename... Parts> void need(bool good, const char* subject, const Parts&... parts) {
        say(subject, good ? Grade::good : Grade::missing, parts...);
        out_.runs = out_.runs && good;
    }
    [[nodiscard]] bool bit(std::uint32_t word, unsigned number) const { return (word >> number & 1) != 0; }

    void firmware() {
        const std::string refused(facts_.refused.view());
        need(refused.empty(), "firmware",
             refused.empty() ? "its ACPI tables are read" : std::string(plan::of_firmware) + refused);
    }

    void processor() {
        const std::string missing = missing_of(facts_.processor);
        const std::string name = processor_name(facts_.processor);
        if (facts_.processor.leaves.empty()) {
            say("virtualization", Grade::unknown, "nothing is known of the processor");
            return;
        }
        need(missing.empty(), "virtualization", missing.empty() ? name : missing);
        const bool x2apic = bit(facts_.processor(1).ecx, 21);
        const bool kept_away = facts_.tables.remapping.x2apic_opt_out;
        say("x2apic", x2apic && !kept_away ? Grade::good : Grade::limited,
            !x2apic ? "not offered: each access of a partition to its local APIC is an exit"
            : kept_away
                ? "firmware asks that it be left alone (DMAR): each access of a partition to its local "
                  "APIC is an exit"
                : "interrupts and timers of partitions need no exit");
    }

    void cpus() {
        const std::size_t enabled = described_.cpus.size();
        std::set<std::pair<std::uint32_t, std::uint32_t>> cores;
        for (const plan::Cpu& cpu : described_.cpus)
            cores.insert({cpu.package, cpu.core});
        if (!facts_.refused.view().empty()) {
            say("cpus", Grade::unknown, "firmware's tables were not read");
            return;
        }
        const bool boot = std::ranges::count(described_.cpus, true, &plan::Cpu::boot) == 1;
        need(boot && !cores.empty(), "cpus",
             fmt::format("{} {} in {} {}: at most {} {} without sharing a core{}", enabled,
                         enabled == 1 ? "CPU" : "CPUs", cores.size(), cores.size() == 1 ? "core" : "cores",
                         std::min<std::size_t>(cores.size(), plan::max_partitions),
                         cores.size() == 1 ? "partition" : "partitions",
                         boot ? "" : "; the boot CPU is not among those that firmware lists"));
    }

    // A plan is refused on CPUs that are not alike.
    void other_cpus() {
        if (!facts_.others_known)
            return;
        std::string silent, others;
        const auto name = [](std::string& list, std::uint32_t id) {
            list += fmt::format("{}{}", list.empty() ? "" : ", ", id);
        };
        for (const OtherCpu& cpu : facts_.others)
            if (!cpu.answered)
                name(silent, cpu.apic_id);
            else if (!cpu.differences.empty())
                name(others, cpu.apic_id);
        need(silent.empty() && others.empty(), "alike",
             silent.empty() && others.empty()
                 ? "every CPU's CPUID says the same"
                 : (silent.empty() ? "" : "CPUs that do not start: APIC ID " + silent) +
                       (silent.empty() || others.empty() ? "" : "; ") +
                       (others.empty() ? "" : "CPUs of another kind than the boot CPU: APIC ID " + others));
    }

    void memory_map() {
        if (facts_.memory.empty()) {
            say("memory", Grade::unknown, "firmware's memory map is not known");
            return;
        }
        const std::string& problem = described_.map_problem;
        need(problem.empty(), "memory",
             problem.empty() ? fmt::format("{} MiB usable", described_.map.bytes() >> 20) : problem);
    }

    void dma() {
        const acpi::Remapping& r = facts_.tables.remapping;
        if (!r.units.empty())
            say("dma-remapping", Grade::good,
                fmt::format("{} {} {}: devices that no partition owns reach no memory", r.units.size(),
                            r.kind == RemappingKind::vtd ? "VT-d" : "AMD-Vi",
                            r.units.size() == 1 ? "unit" : "units"));
        else
            say("dma-remapping", Grade::missing,
                r.switched_off
                    ? "VT-d is switched off in the firmware's setup: switch it on"
                    : "firmware names no IOMMU: bus mastering is switched off in every device, and one that "
                      "ignores that switch is not stopped. Look for VT-d, AMD-Vi or IOMMU in its setup");
        out_.devices = out_.devices && !r.units.empty();
    }

    void interrupts() {
        const acpi::Remapping& r = facts_.tables.remapping;
        const bool vtd = r.kind == RemappingKind::vtd;
        if (r.units.empty()) {
            say("interrupt-remapping", Grade::missing, "there is no IOMMU");
        } else if (vtd && facts_.units.empty()) {
            say("interrupt-remapping", Grade::unknown,
                "what the VT-d units can do is not known: their capability registers were not read");
        } else if (vtd) {
            const bool all = described_.interrupt_units == r.units.size();
            say("interrupt-remapping", all ? Grade::good : Grade::limited,
                all ? "every unit remaps interrupts: a device sends its owner's vectors only"
                    : fmt::format("{} of {} units remap interrupts", described_.interrupt_units,
                                  r.units.size()));
        } else {
            say("interrupt-remapping", Grade::good, "AMD-Vi units remap interrupts");
        }
        const acpi::IoApic* const first =
            std::ranges::find(facts_.tables.io_apics, 0u, &acpi::IoApic::gsi_base);
        if (first != facts_.tables.io_apics.end() &&
            !acpi::nmi_redirection(r, described_.interrupt_units, first->id, 0))
            say("time-interrupts", Grade::missing,
                "plans with a watchdog, delays before restarts or serialStop are refused: the IOMMU would "
                "block "
                "time interrupts, since firmware's DMAR or IVRS does not list the first I/O APIC");
        if (vtd && !r.units.empty() && described_.remapping != plan::Remapping::complete)
            say("assignment", Grade::missing,
                r.has_other_segments ? "a VT-d unit serves another PCI segment than 0"
                : r.unclear_firmware_memory
                    ? "firmware reserves memory for devices that are not known (RMRR)"
                    : "a VT-d unit lacks interrupt remapping, tables of three or four "
                      "levels or leaves of 2 MiB, or has write buffers to flush");
        else if (r.kind == RemappingKind::amdvi)
            say("assignment", Grade::missing, "AMD-Vi denies every device, but hands none out yet");
        out_.devices =
            out_.devices && !facts_.units.empty() && described_.remapping == plan::Remapping::complete;
    }

    // Each endpoint that somebody may want: network, storage, USB.
    void devices() {
        constexpr std::array<std::string_view, 5> resets{"", "FLR", "Advanced Features", "CTRL.RST",
                                                         "device_status"};
        if (!facts_.pci_known) {
            say("devices", Grade::unknown, "no PCI function is known");
            return;
        }
        for (const Function& one : facts_.functions) {
            const pci::Function& f = one.function;
            const std::string_view what = wanted_class(f.class_code);
            if (what.empty())
                continue;
            const auto refusal = refused_alone(facts_, described_, f);
            say(fmt::format("{} {}", what, address_text(f.requester).view()),
                refusal ? Grade::missing : Grade::good,
                fmt::format("{:04x}:{:04x}: {}{}", f.vendor, f.device,
                            refusal ? *refusal : std::string("a partition can own it, reset by "),
                            refusal ? std::string_view() : resets[static_cast<std::size_t>(f.reset)]));
        }
    }

    // Ports without ACS put what is below them into one group.
    void access_control() {
        std::size_t ports = 0, with = 0;
        for (const Function& one : facts_.functions)
            if (one.function.kind == pci::Kind::port) {
                ++ports;
                with += one.function.access_control != 0 ? 1 : 0;
            }
        if (!facts_.pci_known)
            return;
        say("acs", with == ports ? Grade::good : Grade::limited,
            ports == 0 ? "there is no PCI Express port: endpoints on the root's bus need none"
            : with == ports
                ? fmt::format("all {} ports can send everything upwards", ports)
                : fmt::format("{} of {} ports can send everything upwards; devices below the others "
                              "go to one partition together",
                              with, ports));
    }

    void console() {
        const bool named = facts_.spcr.has_value();
        const std::string by = named ? "SPCR names one" : "SPCR names none";
        if (facts_.uart_known == Known::yes)
            say("console", Grade::good,
                fmt::format("a UART answers at {:#x}{}", facts_.uart.base,
                            facts_.uart.in_memory ? " in memory" : ""));
        else if (facts_.uart_known == Known::no)
            say("console", Grade::missing,
                "no UART answers: the machine runs unheard, or is refused where the manifest says "
                "requireConsole");
        else
            say("console", Grade::unknown, by, "; whether COM1 is there only the machine can tell");
    }

    void tpm() {
        if (!facts_.tpm)
            say("tpm", Grade::missing, "firmware names none: nothing is measured (tpm: required is refused)");
        else if (facts_.tpm->needs_firmware)
            say("tpm", Grade::missing, "it is started only by firmware's own code: it cannot be used");
        else
            say("tpm", Grade::good,
                facts_.tpm->control_area != 0 ? "TPM 2.0 with a command buffer (CRB)"
                                              : "TPM 2.0 by FIFO (TIS)");
    }

    void watchdog() {
        switch (facts_.watchdog) {
        case Watchdog::i6300esb:
            return say("watchdog", Grade::good, "i6300esb");
        case Watchdog::itco:
            return say("watchdog", Grade::good, "the chipset's TCO timer, unless a strap forbids its reset");
        case Watchdog::wdat:
            return say("watchdog", Grade::good, "the one that firmware's WDAT describes");
        case Watchdog::none:
            return say("watchdog", Grade::missing, without_watchdog);
        case Watchdog::unknown:
            return say("watchdog", Grade::unknown,
                       "firmware describes none (WDAT); the chipset's own was not looked for");
        }
    }
    static constexpr const char* without_watchdog =
        "none that can be fed: onPanic: reboot works only while a CPU of the hypervisor's runs";

    void clocks() {
        const bool hpet = facts_.tables.hpet != 0 && facts_.hpet_pin != Known::no;
        const bool pit = facts_.pit != Known::no;
        say("timer",
            hpet  ? Grade::good
            : pit ? Grade::limited
                  : Grade::missing,
            hpet  ? "HPET"
            : pit ? "no HPET that reaches an I/O APIC: the PIT, if it counts"
                  : "neither HPET nor PIT: plans with a watchdog, delays or serialStop are refused");
        const bool invariant = bit(facts_.processor(0x80000007).edx, 8);
        const bool stated = facts_.processor(0x15).ebx != 0 && facts_.processor(0x15).ecx != 0;
        say("tsc", invariant ? Grade::good : Grade::limited,
            invariant ? "runs at one rate" : "is not said to run at one rate (CPUID 80000007)",
            stated ? ", which CPUID states" : ", measured at boot");
    }

    void power() {
        const auto& fadt = facts_.tables.fadt;
        say("reset", fadt && fadt->reset ? Grade::good : Grade::limited,
            fadt && fadt->reset
                ? fmt::format("ACPI's register at port {:#x}", *fadt->reset)
                : std::string("no ACPI register in I/O ports: the chipset's port CF9 is tried"));
        const bool off = facts_.tables.soft_off && fadt && fadt->pm1a_control;
        say("power-off",
            off                               ? Grade::good
            : facts_.origin.view() == "facts" ? Grade::unknown
                                              : Grade::missing,
            off ? "ACPI's S5" : "no S5 was found in DSDT: the machine halts instead, and says so");
    }

    void randomness() {
        if (facts_.processor.leaves.empty())
            return;
        const bool there = bit(facts_.processor(1).ecx, 30);
        say("rdrand", there ? Grade::good : Grade::missing,
            there ? "the processor has a random source"
                  : "none: entropy comes from the clock alone and is weak");
    }

    const Facts& facts_;
    Described described_;
    Graded out_;
};

} // namespace

Graded grade(const Facts& facts) {
    return Grader(facts).run();
}

} // namespace board
