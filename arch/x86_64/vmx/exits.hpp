// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/exits.hpp - between the VMCS and the vendor-neutral Exit and Action of core/vcpu.
//
// Pure: works on a VmcsAccess (vmcs.hpp), no instruction of its own; tested on the host with a VMCS in plain C++.
// Trust:      the guest-state area holds guest values; they are copied, compared, never used as an index or address.
// Spec: Intel SDM vol. 3 "VM Exits", "VM-Exit Information Fields", 27.9.1 (format of the exit reason),
// appendix C "VMX Basic Exit Reasons".
#pragma once

#include "arch/x86_64/vmx/vmcs.hpp"
#include "hypervisor/core/vcpu/decide.hpp"

namespace vmx {

namespace exit_reason {
inline constexpr std::uint32_t exception = 0, interrupt = 1, triple_fault = 2, init = 3, cpuid = 10,
                               getsec = 11, invd = 13, rdpmc = 15, rsm = 17, vmcall = 18, vmx_first = 19,
                               vmx_last = 27, control_register = 28, io = 30, rdmsr = 31, wrmsr = 32,
                               mwait = 36, monitor = 39, ept_violation = 48, invept = 50,
                               preemption_timer = 52, invvpid = 53, wbinvd = 54, xsetbv = 55, vmfunc = 59,
                               encls = 60, xsaves = 63, xrstors = 64, pconfig = 65, umwait = 67, tpause = 68,
                               bus_lock = 74;
// Bits 15-0 alone say why. The others say what else was: a bus lock (26), enclave mode (27), a pending MTF (28), VMX root
// operation (29), a busy shadow stack (25); none of them changes the reason, and except about the first nobody asks about them.
inline constexpr std::uint32_t basic = 0xffff, bus_locked = 1u << 26, entry_failed = 1u << 31;
} // namespace exit_reason

inline constexpr std::size_t reasons = 80;

constexpr std::array<vcpu::ExitKind, reasons> make_kinds() {
    using vcpu::ExitKind;
    using namespace exit_reason;
    std::array<ExitKind, reasons> kinds{};
    kinds.fill(ExitKind::unexpected);
    kinds[interrupt] = kinds[init] = kinds[preemption_timer] = ExitKind::host_event;
    kinds[triple_fault] = ExitKind::shutdown;
    kinds[cpuid] = ExitKind::cpuid;
    kinds[vmcall] = ExitKind::hypercall;
    kinds[invd] = kinds[wbinvd] = ExitKind::cache;
    kinds[bus_lock] = ExitKind::bus_lock;
    kinds[rdpmc] = ExitKind::counter;
    kinds[control_register] = ExitKind::control_register;
    kinds[io] = ExitKind::port;
    kinds[rdmsr] = ExitKind::msr_read;
    kinds[wrmsr] = ExitKind::msr_write;
    kinds[xsetbv] = ExitKind::xsetbv;
    kinds[ept_violation] = ExitKind::nested_fault;
    for (std::uint32_t reason = vmx_first; reason <= vmx_last; ++reason)
        kinds[reason] = ExitKind::forbidden;
    for (const std::uint32_t reason : {getsec, rsm, mwait, monitor, invept, invvpid, vmfunc, encls, xsaves,
                                       xrstors, pconfig, umwait, tpause})
        kinds[reason] = ExitKind::forbidden;
    return kinds;
}
inline constexpr std::array<vcpu::ExitKind, reasons> kinds = make_kinds();

constexpr vcpu::ExitKind kind_of(std::uint32_t reason) {
    if ((reason & exit_reason::entry_failed) != 0)
        return vcpu::ExitKind::invalid;
    const std::uint32_t basic = reason & exit_reason::basic;
    return basic < reasons ? kinds[basic] : vcpu::ExitKind::unexpected;
}

// Exceptions leave only by the bitmap, NMIs always.
constexpr vcpu::ExitKind kind_of_interruption(std::uint32_t information) {
    using vcpu::ExitKind;
    constexpr std::uint8_t vector_db = 1, vector_ac = 17, vector_mc = 18;
    if (interruption_type(information) == type_nmi)
        return ExitKind::host_event;
    const auto vector = static_cast<std::uint8_t>(information);
    if (vector == vector_mc)
        return ExitKind::machine_check;
    return vector == vector_db || vector == vector_ac ? ExitKind::exception : ExitKind::unexpected;
}

// An exception or an NMI ended the guest; then the interruption information says which.
template <typename Vmcs> bool ended_by_exception(const Vmcs& vmcs) {
    return (vmcs.read(field::exit_reason) & (exit_reason::basic | exit_reason::entry_failed)) ==
           exit_reason::exception;
}
// That NMI is over for the CPU, but NMIs stay blocked until somebody unblocks them.
template <typename Vmcs> bool ended_by_nmi(const Vmcs& vmcs) {
    return ended_by_exception(vmcs) && interruption_type(vmcs.read(field::exit_interruption)) == type_nmi;
}

// General register `index` in the encoding of instructions; RSP (4) is not among the Registers.
constexpr std::uint64_t general_register(const vcpu::Registers& r, unsigned index) {
    const std::array<std::uint64_t, 16> in_order{r.rax, r.rcx, r.rdx, r.rbx, 0,     r.rbp, r.rsi, r.rdi,
                                                 r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
    return in_order[index & 15];
}

template <typename Vmcs> std::uint8_t privilege(const Vmcs& vmcs) {
    return static_cast<std::uint8_t>(vmcs.read(field::guest_ss_rights) >> 5 & 3);
}

template <typename Vmcs> vcpu::PortAccess port_access(const Vmcs& vmcs) {
    const std::uint64_t how = vmcs.read(field::exit_qualification);
    return {.port = static_cast<std::uint16_t>(how >> 16),
            .bytes = static_cast<std::uint8_t>((how & 7) + 1),
            .in = (how >> 3 & 1) != 0,
            .string = (how >> 4 & 1) != 0};
}

// MOV to a control register; anything else that exits by this reason was not asked for.
template <typename Vmcs>
void decode_control(const Vmcs& vmcs, const vcpu::Registers& registers, vcpu::Exit& exit) {
    const std::uint64_t how = vmcs.read(field::exit_qualification);
    if ((how >> 4 & 3) != 0) {
        exit.kind = vcpu::ExitKind::unexpected;
        return;
    }
    constexpr unsigned rsp = 4, long_code = 13;
    const auto index = static_cast<unsigned>(how >> 8 & 15);
    exit.control_register = static_cast<std::uint8_t>(how & 15);
    exit.value = index == rsp ? exit.rsp : general_register(registers, index);
    if ((vmcs.read(field::guest_cs_rights) >> long_code & 1) == 0)
        exit.value &= 0xffffffff;
}

// Everything decide() looks at.
template <typename Vmcs> vcpu::Exit decode(const Vmcs& vmcs, const vcpu::Registers& registers) {
    using vcpu::ExitKind;
    const std::uint32_t reason = vmcs.read(field::exit_reason);
    vcpu::Exit exit;
    exit.kind = kind_of(reason);
    exit.bus_lock = (reason & exit_reason::bus_locked) != 0;
    exit.cpl = privilege(vmcs);
    exit.rip = vmcs.read(field::guest_rip);
    exit.rsp = vmcs.read(field::guest_rsp);
    exit.cr0 = vmcs.read(field::guest_cr0);
    exit.cr4 = vmcs.read(field::guest_cr4);
    exit.efer = vmcs.read(field::guest_efer);
    if (ended_by_exception(vmcs)) {
        const std::uint32_t information = vmcs.read(field::exit_interruption);
        exit.kind = kind_of_interruption(information);
        exit.vector = static_cast<std::uint8_t>(information);
        exit.has_error_code = (information & interruption_error_code) != 0;
        exit.error_code = exit.has_error_code ? vmcs.read(field::exit_error_code) : 0;
    } else if (exit.kind == ExitKind::port) {
        exit.port = port_access(vmcs);
    } else if (exit.kind == ExitKind::control_register) {
        decode_control(vmcs, registers, exit);
    } else if (exit.kind == ExitKind::nested_fault) {
        exit.gpa = base::GuestPhysAddr{vmcs.read(field::guest_physical_address)};
    }
    if (exit.kind == ExitKind::unexpected)
        exit.detail = reason;
    return exit;
}

// Skips the instruction that exited and ends its interrupt shadow, as any instruction does.
template <typename Vmcs> void advance(Vmcs& vmcs) {
    vmcs.write(field::guest_rip, vmcs.read(field::guest_rip) + vmcs.read(field::exit_length));
    constexpr std::uint32_t shadow = 3; // STI, MOV SS
    const std::uint32_t blocked = vmcs.read(field::guest_interruptibility);
    if ((blocked & shadow) != 0) [[unlikely]]
        vmcs.write(field::guest_interruptibility, blocked & ~shadow);
}

template <typename Vmcs> void deliver(Vmcs& vmcs, std::uint32_t information, std::uint32_t error_code) {
    constexpr std::uint32_t defined = interruption_valid | 0xfff; // the rest is reserved on entry
    vmcs.write(field::entry_interruption, information & defined);
    if ((information & interruption_error_code) != 0)
        vmcs.write(field::entry_error_code, error_code);
    if (interruption_type(information) >= type_software_first)
        vmcs.write(field::entry_length, vmcs.read(field::exit_length));
}

// A trap that single-stepping or a breakpoint caused comes back with the debug state as its delivery needs it.
template <typename Vmcs> void prepare_debug_trap(Vmcs& vmcs) {
    constexpr std::uint64_t trap_flag = 1u << 8, single_step = 1u << 14, access_detected = 1u << 13;
    if ((vmcs.read(field::guest_rflags) & trap_flag) != 0 &&
        (vmcs.read(field::guest_interruptibility) & 3) != 0)
        vmcs.write(field::guest_pending_debug, vmcs.read(field::guest_pending_debug) | single_step);
    if ((vmcs.read(field::exit_qualification) & access_detected) != 0)
        vmcs.write(field::guest_dr7, vmcs.read(field::guest_dr7) & ~access_detected);
}

// An exception that exited is given back as it came; others are new. In real mode none has an error code.
template <typename Vmcs> void inject(Vmcs& vmcs, const vcpu::Action& action) {
    constexpr std::uint8_t vector_db = 1;
    if (ended_by_exception(vmcs)) {
        if (action.vector == vector_db)
            prepare_debug_trap(vmcs);
        return deliver(vmcs, vmcs.read(field::exit_interruption), action.error_code);
    }
    const bool protected_mode = (vmcs.read(field::guest_cr0) & 1) != 0;
    deliver(vmcs,
            interruption_valid | type_exception << 8 | action.vector |
                (action.has_error_code && protected_mode ? interruption_error_code : 0),
            action.error_code);
}

// An event that was being delivered when the guest exited is delivered again first (rule 12). False where that cannot be
// combined with what is to be injected already.
template <typename Vmcs> bool deliver_again(Vmcs& vmcs) {
    const std::uint32_t information = vmcs.read(field::vectoring);
    if ((information & interruption_valid) == 0)
        return true;
    if ((vmcs.read(field::entry_interruption) & interruption_valid) != 0)
        return false;
    const bool with_code = (information & interruption_error_code) != 0;
    deliver(vmcs, information, with_code ? vmcs.read(field::vectoring_error_code) : 0);
    return true;
}

} // namespace vmx
