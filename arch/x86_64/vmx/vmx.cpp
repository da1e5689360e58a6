// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/vmx.hpp"

#include "arch/x86_64/cpu/descriptors.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "hypervisor/base/fail.hpp"

namespace vmx {
namespace {

namespace msr = cpu::msr;

// The instructions that take a physical address; CF or ZF say that they failed.
bool make_current(const std::uint64_t& vmcs) {
    bool cleared = false, loaded = false;
    // SAFETY: VMX operation is on; the frame is this vCPU's own.
    asm volatile("vmclear %1" : "=@cca"(cleared) : "m"(vmcs) : "memory");
    if (cleared)
        asm volatile("vmptrld %1" : "=@cca"(loaded) : "m"(vmcs) : "memory");
    return loaded;
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

void prepare(base::PhysAddr vmcs, const ControlWords& words, const vcpu::Controls& controls,
             const vcpu::InitialState& state) {
    base::expects(make_current(vmcs.value()), "VMCLEAR or VMPTRLD failed");
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
