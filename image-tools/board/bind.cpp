// SPDX-License-Identifier: Apache-2.0
#include "image-tools/board/bind.hpp"

#include "hypervisor/core/board/machine.hpp"
#include "hypervisor/core/plan/needs.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/core/vcpu/virtualization.hpp"
#include "hypervisor/core/vcpu/vulnerabilities.hpp"

#include <algorithm>

namespace board {
namespace {

constexpr std::uint64_t four_gibibytes = std::uint64_t{4} << 30;
using Line = base::Text<512>;

// 1 GiB leaves in second-stage tables.
bool huge_pages_of(const Processor& cpu) {
    return cpu.checked == Known::yes ? cpu.huge_pages : !vcpu::is_for_vmx([&cpu](std::uint32_t leaf) {
        return cpu(leaf);
    }) && (cpu(0x80000001).edx >> 26 & 1) != 0;
}

// Whether executable leaves may be larger than 4 KiB.
bool large_pages_of(const Processor& cpu) {
    const vcpu::CpuModel model{.vendor = vcpu::vendor_of(cpu(0).ebx),
                               .family = vcpu::family_of(cpu(1).eax),
                               .leaf7_edx = cpu(7).edx,
                               .leaf7_2_edx = cpu(7, 2).edx,
                               .leaf80000008_ebx = cpu(0x80000008).ebx,
                               .leaf80000021_eax = cpu(0x80000021).eax,
                               .architecture = cpu.capabilities};
    return !vcpu::harden(model).uses(vcpu::Measure::small_executable_pages);
}

// As high below 4 GiB as it fits: where QEMU's PVH loader puts it, and about where GRUB and UEFI do. 0: nowhere.
std::uint64_t place_of_bundle(const memory::Runs& map, const memory::Run& image, std::uint64_t bytes) {
    std::uint64_t best = 0;
    for (const memory::Run& run : map.view()) {
        const std::uint64_t end = std::min(run.end(), four_gibibytes);
        const std::uint64_t least = std::max(run.base, image.end());
        if (end <= least || end - least < bytes)
            continue;
        best = std::max(best, base::round_down(end - bytes, base::page_size));
    }
    return best;
}

// The boot's look at one plan.
class Boot {
public:
    Boot(const Facts& facts, const plan::Plan& plan, std::span<const plan::SectionExtent> sections,
         std::uint64_t bundle_bytes, const memory::Run& image)
        : facts_(facts), plan_(plan), described_(facts), image_(image) {
        machine_.map = &described_.map;
        machine_.pool_end = described_.reach;
        machine_.cpus = described_.cpus.view();
        machine_.reserved = {&image_, 1};
        machine_.bundle_base = place_of_bundle(described_.map, image_, bundle_bytes);
        machine_.bundle_bytes = bundle_bytes;
        machine_.sections = sections;
    }

    Outcome run() {
        Outcome out{std::make_unique<plan::BoundPlan>(), {}};
        if (!refused_by_machine() && !refused_by_devices() && !refused_by_plan(*out.bound) &&
            !refused_by_time(*out.bound) && !refused_by_units())
            return out;
        out.bound.reset();
        out.refusal = std::string(line_.view());
        return out;
    }

private:
    template <typename... Parts> bool refuse(const Parts&... parts) {
        line_.clear();
        (line_ << ... << parts);
        return true;
    }
    bool refuse(const plan::Issue& issue) {
        line_.clear();
        plan::write_refusal(line_, issue, &plan_, facts_.tables.cpus_left_out, acpi::max_cpus);
        return true;
    }
    [[nodiscard]] bool wants(std::uint32_t flag) const { return plan_.header().behaviour.has(flag); }

    // main.cpp, in its order.
    bool refused_by_machine() {
        if (!described_.map_problem.empty())
            return refuse(plan::of_memory_map, described_.map_problem);
        if (const std::string missing = missing_of(facts_.processor); !missing.empty())
            return refuse(missing);
        if (facts_.uart_known == Known::no && wants(plan::flag_require_console))
            return refuse(plan::no_console);
        if (!facts_.refused.view().empty())
            return refuse(plan::of_firmware, facts_.refused.view());
        list_devices(facts_.tables, own_registers(), devices_);
        machine_.devices = devices_.view();
        if (const auto good = plan::check_devices(machine_); !good.ok())
            return refuse(good.error());
        const memory::Run ecam = registers_of(facts_.tables.ecam);
        if (reachable(ecam.base, ecam.bytes) && devices_.push_back(ecam)) {
            machine_.devices = devices_.view();
            if (!plan::check_devices(machine_).ok())
                devices_.erase(devices_.size() - 1);
            machine_.devices = devices_.view();
        }
        if (wants(plan::flag_require_tpm) && (!facts_.tpm || facts_.tpm->needs_firmware))
            return refuse(plan::no_tpm, facts_.tpm ? plan::tpm_of_firmware : plan::no_tpm_named);
        return false;
    }

    [[nodiscard]] OwnRegisters own_registers() const {
        constexpr std::uint16_t intel = 0x8086, i6300esb = 0x25ab;
        OwnRegisters own;
        own.uart = facts_.uart_known == Known::yes && facts_.uart.in_memory ? facts_.uart.base : 0;
        for (const pci::Function& function : described_.functions)
            if (plan_.header().behaviour.on_panic == plan::OnPanic::reboot && function.vendor == intel &&
                function.device == i6300esb && pci::bus_of(function.requester) == 0)
                own.watchdog = function.bars[0].base;
        return own;
    }

    bool refused_by_devices() {
        if (plan_.device_count() == 0)
            return false;
        const memory::Run ecam = registers_of(facts_.tables.ecam);
        if (!reachable(ecam.base, ecam.bytes))
            return refuse(plan::no_ecam);
        if (facts_.too_many_functions)
            return refuse(plan::too_many_functions, plan::max_functions);
        return false;
    }

    bool refused_by_plan(plan::BoundPlan& bound) {
        const acpi::Remapping& remapping = facts_.tables.remapping;
        const plan::PciMachine pci{described_.functions, described_.remapping,
                                   remapping.firmware_memory.view()};
        const plan::Options options =
            plan::needs::options(remapping.kind, remapping.units.size(), plan_.device_count(),
                                 described_.large_pages, described_.huge_pages);
        machine_.pci = &pci;
        if (const auto done = plan::bind(plan_, machine_, options, bound); !done.ok())
            return refuse(done.error());
        if (const auto good = plan::check(plan_, machine_, options, bound); !good.ok())
            return refuse(good.error());
        return false;
    }

    // time/start.cpp
    bool refused_by_time(const plan::BoundPlan& bound) {
        const auto& io_apics = facts_.tables.io_apics;
        if (!plan_.needs_time())
            return false;
        const auto* const first = std::ranges::find(io_apics, 0u, &acpi::IoApic::gsi_base);
        if (first == io_apics.end() || !reachable(first->address, base::page_size))
            return refuse(plan::time_needed, plan::without_io_apic);
        if (wants(plan::flag_power_button) && !(facts_.tables.fadt && facts_.tables.fadt->button))
            return refuse(plan::no_button, plan::without_button);
        if (wants(plan::flag_power_button) && bound.cpus[bound.time_cpu()].partition != plan::no_index)
            return refuse(plan::no_button, plan::button_without_cpu);
        if (!acpi::nmi_redirection(facts_.tables.remapping, described_.interrupt_units, first->id,
                                   bound.cpus[bound.time_cpu()].apic_id))
            return refuse(plan::time_needed, plan::time_blocked);
        const bool hpet = facts_.tables.hpet != 0 && reachable(facts_.tables.hpet, base::page_size) &&
                          facts_.hpet_pin != Known::no;
        if (!hpet && facts_.pit == Known::no)
            return refuse(plan::time_needed, plan::without_timer);
        return false;
    }

    // dma/start.cpp
    bool refused_by_units() {
        const acpi::Remapping& remapping = facts_.tables.remapping;
        for (std::size_t i = 0; i < remapping.units.size(); ++i) {
            const std::uint64_t unit = remapping.units[i];
            const bool known = i < facts_.units.size();
            if (!reachable(unit, acpi::unit_bytes(remapping.kind)))
                return refuse("the IOMMU at ", base::hex(unit), plan::unit_unusable, plan::unit_out_of_reach);
            if (known && !facts_.units[i].has_queue())
                return refuse("the IOMMU at ", base::hex(unit), plan::unit_unusable, pci::VtdUnit::no_queue);
        }
        return false;
    }

    [[nodiscard]] bool reachable(std::uint64_t base, std::uint64_t bytes) const {
        return base != 0 && bytes::lies_within(base, bytes, described_.reach);
    }

    const Facts& facts_;
    const plan::Plan& plan_;
    Described described_;
    memory::Run image_;
    plan::Machine machine_;
    Devices devices_;
    Line line_;
};

} // namespace

std::string missing_of(const Processor& processor) {
    if (processor.checked == Known::yes)
        return std::string(processor.missing.view());
    const auto cpuid = [&processor](std::uint32_t leaf) { return processor(leaf); };
    if (vcpu::is_for_vmx(cpuid))
        return std::string(vcpu::vmx_not_offered(cpuid));
    const std::string_view none = vcpu::svm_not_offered(cpuid);
    return std::string(none.empty() ? vcpu::svm_too_old(cpuid) : none);
}

Described::Described(const Facts& facts) {
    constexpr std::uint64_t with_huge_pages = std::uint64_t{512} << 30;
    const auto& cpu = facts.processor;
    if (const auto made = memory::normalize(facts.memory.view(), map); !made.ok())
        map_problem = memory::describe(made.error());
    list_cpus(facts.tables, plan::topology(cpu), cpu.apic_id, cpus);
    for (const Function& one : facts.functions)
        functions.push_back(one.function);
    const auto& units = facts.units;
    const std::size_t unknown = facts.tables.remapping.units.size() - units.size();
    remapping = remapping_of(facts.tables.remapping, [&units](std::size_t unit) {
        return unit >= units.size() || units[unit].keeps_devices_apart();
    });
    interrupt_units =
        static_cast<std::size_t>(std::ranges::count_if(units, &pci::VtdUnit::remaps_interrupts)) + unknown;
    huge_pages = huge_pages_of(cpu);
    large_pages = large_pages_of(cpu);
    reach = (cpu(0x80000001).edx >> 26 & 1) != 0 ? with_huge_pages : four_gibibytes;
}

Outcome bind_on(const Facts& facts, const plan::Plan& plan, std::span<const plan::SectionExtent> sections,
                std::uint64_t bundle_bytes, const memory::Run& image) {
    return Boot{facts, plan, sections, bundle_bytes, image}.run();
}

} // namespace board
