// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/vmx.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/base/fail.hpp"

namespace vmx {

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

void make_current(base::PhysAddr vmcs) {
    const std::uint64_t operand = vmcs.value();
    bool cleared = false, loaded = false;
    // SAFETY: VMX operation is on; the frame is this vCPU's own. CF or ZF say that it failed.
    asm volatile("vmclear %1" : "=@cca"(cleared) : "m"(operand) : "memory");
    if (cleared)
        asm volatile("vmptrld %1" : "=@cca"(loaded) : "m"(operand) : "memory");
    base::expects(loaded, "VMCLEAR or VMPTRLD failed");
}

void prepare(base::PhysAddr vmcs, const vcpu::InitialState& state) {
    namespace msr = cpu::msr;
    make_current(vmcs);
    Current current;
    write_guest(current, state, cpu::read_cr<4>());
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
