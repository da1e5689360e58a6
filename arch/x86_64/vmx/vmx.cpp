// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/vmx.hpp"

#include "arch/x86_64/cpu/descriptors.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"

namespace vmx {
namespace {

namespace msr = cpu::msr;

constexpr std::uint64_t feature_lock = 1u << 0, feature_outside_smx = 1u << 2;
constexpr std::uint32_t revision_mask = 0x7fffffff;
constexpr std::uint64_t vmxe = 1u << 13;

// The instructions that take a physical address; CF or ZF say that they failed.
bool vmxon(const std::uint64_t& region) {
    bool good = false;
    // SAFETY: CR4.VMXE is set; the region is a frame of this CPU's own.
    asm volatile("vmxon %1" : "=@cca"(good) : "m"(region) : "memory");
    return good;
}
bool make_current(const std::uint64_t& vmcs) {
    bool cleared = false, loaded = false;
    // SAFETY: VMX operation is on; the frame is this vCPU's own.
    asm volatile("vmclear %1" : "=@cca"(cleared) : "m"(vmcs) : "memory");
    if (cleared)
        asm volatile("vmptrld %1" : "=@cca"(loaded) : "m"(vmcs) : "memory");
    return loaded;
}
void mark(std::uint64_t frame, const Capabilities& capabilities) {
    *cpu::pointer_to<std::uint32_t>(base::VirtAddr{frame}) =
        static_cast<std::uint32_t>(capabilities.basic) & revision_mask;
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

bool offered() {
    return (cpu::cpuid(1).ecx >> 5 & 1) != 0;
}

std::string_view missing(Capabilities& all, ControlWords& controls) {
    static constinit base::Text<128> text;
    if (!offered())
        return "this CPU does not offer Intel VT-x (CPUID 1 ECX.VMX = 0). Switch on 'Intel Virtualization "
               "Technology' or 'VMX' in the firmware's CPU menu; QEMU without KVM has none: use -cpu "
               "max,+svm";
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

bool enable(base::PhysAddr region, const Capabilities& capabilities) {
    const std::uint64_t control = cpu::rdmsr(msr::feature_control);
    const std::uint64_t wanted = control | feature_lock | feature_outside_smx;
    if ((control & feature_lock) == 0 ? !cpu::try_wrmsr(msr::feature_control, wanted) : control != wanted)
        return false;
    cpu::write_cr<0>(cpu::read_cr<0>() | capabilities.cr0_fixed0);
    cpu::write_cr<4>(cpu::read_cr<4>() | capabilities.cr4_fixed0 | vmxe);
    mark(region.value(), capabilities);
    return vmxon(region.value());
}

void flush_translations() {
    constexpr std::uint64_t all_contexts = 2;
    const struct { std::uint64_t first, second; } nothing{0, 0};
    bool ept = false, vpid = false;
    // SAFETY: removes cached translations only.
    asm volatile("invept %1, %2" : "=@cca"(ept) : "m"(nothing), "r"(all_contexts) : "memory");
    asm volatile("invvpid %1, %2" : "=@cca"(vpid) : "m"(nothing), "r"(all_contexts) : "memory");
    base::expects(ept && vpid, "INVEPT or INVVPID failed");
}

void Current::failed(const char* instruction) {
    base::fail(instruction, __FILE_NAME__, __LINE__);
}

void prepare(std::uint64_t vmcs, const Capabilities& capabilities, const ControlWords& words,
             const vcpu::Controls& controls, const vcpu::InitialState& state) {
    mark(vmcs, capabilities);
    base::expects(make_current(vmcs), "VMCLEAR or VMPTRLD failed");
    Current current;
    const HostState host = host_state();
    write_controls(current, words, controls);
    write_host(current, host);
    write_guest(current, state, host);
    // What VMX does not switch is the guest's alone, for the host uses none of it.
    for (const std::uint32_t index : {msr::star, msr::lstar, msr::cstar, msr::sfmask, msr::kernel_gs_base})
        cpu::wrmsr(index, 0);
    cpu::write_cr<2>(state.cr2);
    cpu::write_dr6(state.dr6);
}

void inject(const vcpu::Action& action) {
    constexpr std::uint8_t vector_db = 1;
    constexpr std::uint64_t causes = 0x600f, breakpoints = 0xf; // BS, BD, B0-B3
    Current current;
    if (action.vector == vector_db && ended_by_exception(current))
        cpu::write_dr6((cpu::read_dr6() & ~breakpoints) | (current.read(field::exit_qualification) & causes));
    inject(current, action);
}

} // namespace vmx
