// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/run/run.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/pool.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/time/alarm.hpp"

namespace hv {
namespace {

// The two vendors' state at an exit, as far as the quick answers need it.
struct SvmExit {
    svm::Vmcb& vmcb;
    const virt::Guest& guest;
    [[nodiscard]] bool is_cpuid() const { return vmcb.exit_code == svm::exit_code::cpuid; }
    [[nodiscard]] bool is_hypercall() const { return vmcb.exit_code == svm::exit_code::vmmcall; }
    [[nodiscard]] std::uint8_t cpl() const { return vmcb.cpl; }
    [[nodiscard]] std::uint64_t cr4() const { return vmcb.cr4; }
    void advance(vcpu::ExitKind kind) const { svm::advance(vmcb, kind, guest.has_next_rip); }
};
struct VmxExit {
    std::uint32_t reason;
    [[nodiscard]] bool is_cpuid() const { return reason == vmx::exit_reason::cpuid; }
    [[nodiscard]] bool is_hypercall() const { return reason == vmx::exit_reason::vmcall; }
    [[nodiscard]] static std::uint8_t cpl() { return vmx::privilege(vmx::Current{}); }
    [[nodiscard]] static std::uint64_t cr4() { return vmx::Current{}.read(vmx::field::guest_cr4); }
    static void advance(vcpu::ExitKind) {
        vmx::Current current;
        vmx::advance(current);
    }
};

#ifdef CAISSON_CONTROL_INTERCEPT_INTERRUPTS
// The control of the zero-exit measurement (caisson_control.elf, tests only): every exit arms the interrupt intercept,
// and the exit that an interrupt then causes disarms it so that the guest can take that interrupt.
void arm_interrupt_intercept(svm::Vmcb& vmcb) {
    constexpr std::uint32_t intr = svm::bit_of(svm::exit_code::intr);
    if (vmcb.exit_code == svm::exit_code::intr)
        vmcb.intercepts[3] &= ~intr;
    else
        vmcb.intercepts[3] |= intr;
}
void arm_interrupt_intercept(std::uint32_t reason) {
    vmx::Current current;
    const std::uint32_t pin = current.read(vmx::field::pin_controls) & ~vmx::control::pin_interrupts;
    current.write(vmx::field::pin_controls,
                  reason == vmx::exit_reason::interrupt ? pin : pin | vmx::control::pin_interrupts);
}
#else
void arm_interrupt_intercept(svm::Vmcb&) {}
void arm_interrupt_intercept(std::uint32_t) {}
#endif

bool nothing_requested(const Vcpu& vcpu) {
    return vcpu.cpu->requests.load(std::memory_order_acquire) == 0;
}

// The exits that a busy guest makes most: true when done. Inlined into the exit functions, which then need no stack frame.
template <typename Exit> [[gnu::always_inline]] inline bool quick(Vcpu& vcpu, const Exit& exit) {
    if (exit.is_cpuid()) {
        vcpu::answer_cpuid(vcpu.core.policy->cpuid, vcpu.core.registers, [&] {
            return vcpu::CpuidState{vcpu.core.index, static_cast<std::uint32_t>(exit.cr4()), vcpu.core.xcr0};
        });
        exit.advance(vcpu::ExitKind::cpuid);
        return true;
    }
    if (exit.is_hypercall() && vcpu::quick_hypercall(vcpu.core, exit.cpl())) {
        exit.advance(vcpu::ExitKind::hypercall);
        return true;
    }
    return false;
}

// Everything else.
[[gnu::noinline]] bool handle(Vcpu& vcpu) {
    const vcpu::Exit exit = vcpu.guest.decode();
    if (base::weak(base::Weakness::noisy_exits))
        for (Cpu* cpu : machine().cpus)
            request(*cpu, request_look);
    const vcpu::Action action = vcpu::decide(vcpu.core, exit);
    const bool stay = carry_out(vcpu, exit, action);
    before_entry();
    return stay && nothing_requested(vcpu);
}

// Into the guest until somebody wants something else of this CPU.
void enter(Vcpu& vcpu) {
    before_entry();
    if (vcpu.guest.run(vcpu.cached.up_to_date(vcpu.partition->second_stage, [&vcpu] { vcpu.guest.flush(); })))
        return;
    vcpu::Exit exit;
    exit.kind = vcpu::ExitKind::invalid;
    (void)carry_out(vcpu, exit, vcpu::decide(vcpu.core, exit));
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
    vcpu.core.registers = state.registers;
    vcpu.guest.prepare({&vcpu.core.registers, vcpu.cpu->host_vmcb, &vcpu.cpu->requests, &vcpu},
                       {m.io_permissions, m.msr_permissions, vcpu.partition->second_stage.root(),
                        vcpu.partition->policy.cpuid.cr4_allowed},
                       state);
    vcpu.state = VcpuState::running;
}

void run_until_stopped(Vcpu& vcpu) {
    for (;;) {
        const std::uint32_t requests = take_requests(*vcpu.cpu);
        if ((requests & request_halt) != 0)
            halt_for_ever();
        if ((requests & request_look) != 0)
            alarm::look();
        if ((requests & request_hung) != 0)
            stop_hung(vcpu);
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
            enter(vcpu);
        else
            sleep_until(*vcpu.cpu, [&vcpu] { return !nothing_requested(vcpu); });
    }
}

} // namespace hv

// One exit. GIF is 0 from #VMEXIT until the next VMRUN, but where a pending NMI is let in.
extern "C" bool svm::svm_exit(void* context) {
    hv::Vcpu& vcpu = *static_cast<hv::Vcpu*>(context);
    svm::Vmcb& vmcb = *vcpu.guest.block;
    ++vcpu.core.counters.exits;
    hv::arm_interrupt_intercept(vmcb);
    if ((vmcb.exit_int_info & svm::event_valid) == 0 && hv::quick(vcpu, hv::SvmExit{vmcb, vcpu.guest}))
        [[likely]]
        return hv::nothing_requested(vcpu);
    return hv::handle(vcpu);
}

// One exit. NMIs are open but for those that ended the guest; the stub looks at the requests last of all.
extern "C" bool vmx::vmx_exit(void* context) {
    hv::Vcpu& vcpu = *static_cast<hv::Vcpu*>(context);
    ++vcpu.core.counters.exits;
    const std::uint32_t reason = vmx::Current{}.read(vmx::field::exit_reason);
    hv::arm_interrupt_intercept(reason);
    return hv::quick(vcpu, hv::VmxExit{reason}) || hv::handle(vcpu);
}
