// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/run/run.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "hypervisor/core/vcpu/intercepts.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/pool.hpp"
#include "hypervisor/kernel/panic/machine_check.hpp"
#include "hypervisor/kernel/partition/life.hpp"

namespace hv {
namespace {

#ifdef CAISSON_CONTROL_INTERCEPT_INTERRUPTS
// The control of the zero-exit measurement (caisson_control.elf, tests only): every exit arms the interrupt intercept,
// and the exit that an interrupt then causes disarms it so that the guest can take that interrupt.
void arm_interrupt_intercept(svm::Vmcb& vmcb) {
    constexpr std::uint32_t intr = vcpu::svm::misc1::intr;
    if (vmcb.exit_code == svm::exit_code::intr)
        vmcb.intercepts[3] &= ~intr;
    else
        vmcb.intercepts[3] |= intr;
}
#else
void arm_interrupt_intercept(svm::Vmcb&) {}
#endif

bool nothing_requested(const Vcpu& vcpu) {
    return vcpu.cpu->requests.load(std::memory_order_acquire) == 0;
}

// The exits that a busy guest makes most: true when done. Inlined into svm_exit, which then needs no stack frame.
[[gnu::always_inline]] inline bool quick(Vcpu& vcpu, svm::Vmcb& vmcb) {
    vcpu::Registers& registers = vcpu.core.registers;
    if (vmcb.exit_code == svm::exit_code::cpuid) {
        vcpu::answer_cpuid(vcpu.core.policy->cpuid, registers, {vcpu.core.index, vmcb.cr4, vcpu.core.xcr0});
        vcpu.guest.advance(vcpu::ExitKind::cpuid);
        return true;
    }
    if (vmcb.exit_code == svm::exit_code::vmmcall && vcpu::quick_hypercall(vcpu.core, vmcb.cpl)) {
        vcpu.guest.advance(vcpu::ExitKind::hypercall);
        return true;
    }
    return false;
}

// Everything else.
[[gnu::noinline]] bool handle(Vcpu& vcpu) {
    const vcpu::Exit exit = vcpu.guest.decode();
    const vcpu::Action action = vcpu::decide(vcpu.core, exit);
    const bool stay = carry_out(vcpu, exit, action);
    return stay && nothing_requested(vcpu);
}

// INIT and start-up IPIs that siblings sent, oldest kind first.
void take_start_requests(Vcpu& vcpu, std::uint32_t requests) {
    if ((requests & request_init) != 0) {
        vcpu.state = VcpuState::waiting;
        apic::reset();
    }
    if ((requests & request_start_up) != 0 && vcpu.state == VcpuState::waiting)
        start_vcpu(vcpu, vcpu::sipi_start(vcpu.cpu->start_up_vector.load(std::memory_order_acquire)));
}

} // namespace

void start_vcpu(Vcpu& vcpu, const vcpu::InitialState& state) {
    const Machine& m = machine();
    vcpu.guest.prepare({m.io_permissions, m.msr_permissions, vcpu.partition->nested_root}, state);
    vcpu.core.registers = state.registers;
    vcpu.guest.entry = {&vcpu.core.registers, pool_frame(*vcpu.guest.vmcb).value(),
                        vcpu.cpu->host_vmcb.value(), &vcpu};
    vcpu.guest.has_next_rip = m.virt.next_rip;
    vcpu.state = VcpuState::running;
}

void run_until_stopped(Vcpu& vcpu) {
    for (;;) {
        const std::uint32_t requests = take_requests(*vcpu.cpu);
        if ((requests & request_halt) != 0)
            halt_for_ever();
        // The state decides, not the request: a late request of an earlier generation must not count.
        const bool stopping =
            vcpu.partition->state.load(std::memory_order_acquire) == vcpu::PartitionState::stopping;
        // A #MC that a guest with CR4.MCE = 0 took is a shutdown; corrected errors wait for somebody who looks.
        if (stopping || (requests & request_machine_check) != 0)
            look_at_machine_checks();
        if (stopping)
            return;
        take_start_requests(vcpu, requests);
        if (vcpu.state == VcpuState::running)
            vcpu.guest.run();
        else
            sleep_until(*vcpu.cpu, [&vcpu] { return !nothing_requested(vcpu); });
    }
}

} // namespace hv

// One exit. GIF is 0 from #VMEXIT until the next VMRUN, but where a pending NMI is let in.
extern "C" bool svm::svm_exit(void* context) {
    hv::Vcpu& vcpu = *static_cast<hv::Vcpu*>(context);
    svm::Vmcb& vmcb = *vcpu.guest.vmcb;
    ++vcpu.core.counters.exits;
    hv::arm_interrupt_intercept(vmcb);
    if ((vmcb.exit_int_info & svm::event_valid) == 0 && hv::quick(vcpu, vmcb)) [[likely]]
        return hv::nothing_requested(vcpu);
    return hv::handle(vcpu);
}
