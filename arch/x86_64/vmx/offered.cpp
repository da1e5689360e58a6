// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/offered.hpp"

#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/descriptors.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/vmx/set_up.hpp"
#include "arch/x86_64/vmx/vmx.hpp"
#include "hypervisor/base/text.hpp"
#include "hypervisor/core/vcpu/virtualization.hpp"

namespace vmx {
namespace {

namespace msr = cpu::msr;

constexpr std::uint64_t feature_lock = 1u << 0, feature_outside_smx = 1u << 2;
constexpr std::uint64_t vmxe = 1u << 13;

// CF or ZF say that it failed.
bool vmxon(const std::uint64_t& region) {
    bool good = false;
    // SAFETY: CR4.VMXE is set; the region is a frame of this CPU's own.
    asm volatile("vmxon %1" : "=@cca"(good) : "m"(region) : "memory");
    return good;
}

HostState host_state() {
    cpu::DescriptorTable gdt{}, idt{};
    // SAFETY: stores this CPU's two table registers.
    asm volatile("sgdt %0; sidt %1" : "=m"(gdt), "=m"(idt));
    const auto* table = cpu::pointer_to<const cpu::Gdt>(base::VirtAddr{gdt.base});
    return {.cr0 = cpu::read_cr<0>(),
            .cr3 = cpu::read_cr<3>(),
            .cr4 = cpu::read_cr<4>(),
            .efer = cpu::rdmsr(msr::efer),
            .pat = cpu::rdmsr(msr::pat),
            .gs_base = cpu::rdmsr(msr::gs_base),
            .task_base = table->task_base(),
            .gdt_base = gdt.base,
            .idt_base = idt.base,
            .rip = cpu::address_of(*vmx_exited).value()};
}

} // namespace

std::string_view missing(Capabilities& all, ControlWords& controls) {
    static constinit base::Text<128> text;
    if (const std::string_view none =
            vcpu::vmx_not_offered([](std::uint32_t leaf) { return cpu::cpuid(leaf); });
        !none.empty())
        return none;
    const std::uint64_t control = cpu::rdmsr(msr::feature_control);
    if ((control & feature_lock) != 0 && (control & feature_outside_smx) == 0)
        return "the firmware has locked Intel VT-x off (IA32_FEATURE_CONTROL). Switch on 'Intel "
               "Virtualization Technology' or 'VMX' in the firmware's CPU menu and power-cycle the machine";
    constexpr std::uint64_t has_true = std::uint64_t{1} << 55, has_secondary = std::uint64_t{1} << 63;
    all.basic = cpu::rdmsr(msr::vmx_basic);
    all.cr0_fixed0 = cpu::rdmsr(msr::vmx_cr0_fixed0);
    all.cr4_fixed0 = cpu::rdmsr(msr::vmx_cr4_fixed0);
    if ((all.basic & has_true) != 0)
        all.of = {cpu::rdmsr(msr::vmx_true_pin), cpu::rdmsr(msr::vmx_true_primary), 0,
                  cpu::rdmsr(msr::vmx_true_exit), cpu::rdmsr(msr::vmx_true_entry)};
    if ((all.of[static_cast<std::size_t>(Word::primary)] & has_secondary) != 0) {
        all.of[static_cast<std::size_t>(Word::secondary)] = cpu::rdmsr(msr::vmx_secondary);
        all.ept_vpid = cpu::rdmsr(msr::vmx_ept_vpid);
    }
    const Adjusted adjusted = adjust(all);
    controls = adjusted.controls;
    if (adjusted.missing != nullptr)
        text << "this CPU's VT-x is too old: it lacks '" << adjusted.missing << '\'';
    return text.view();
}

void mark(base::PhysAddr frame, const Capabilities& capabilities) {
    constexpr std::uint32_t revision_mask = 0x7fffffff;
    *cpu::pointer_to<std::uint32_t>(base::VirtAddr{frame.value()}) =
        static_cast<std::uint32_t>(capabilities.basic) & revision_mask;
}

bool enable(base::PhysAddr region, const Capabilities& capabilities) {
    const std::uint64_t control = cpu::rdmsr(msr::feature_control);
    const std::uint64_t wanted = control | feature_lock | feature_outside_smx;
    if ((control & feature_lock) == 0 ? !cpu::try_wrmsr(msr::feature_control, wanted) : control != wanted)
        return false;
    cpu::write_cr<0>(cpu::read_cr<0>() | capabilities.cr0_fixed0);
    cpu::write_cr<4>(cpu::read_cr<4>() | capabilities.cr4_fixed0 | vmxe);
    mark(region, capabilities);
    return vmxon(region.value());
}

void set_up(base::PhysAddr vmcs, const ControlWords& words, const vcpu::Controls& controls) {
    make_current(vmcs);
    Current current;
    write_controls(current, words, controls);
    write_host(current, host_state());
}

} // namespace vmx
