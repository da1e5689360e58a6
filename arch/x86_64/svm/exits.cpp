// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/svm/exits.hpp"

#include <cstring>

namespace svm {
namespace {

using vcpu::Exit;
using vcpu::ExitKind;

ExitKind kind_of(std::uint64_t code, bool msr_write) {
    if (code == exit_code::msr && msr_write)
        return ExitKind::msr_write;
    for (const Reason& reason : reasons)
        if (reason.code == code)
            return reason.kind;
    // -1 in 64 bits by the manual, in 32 bits by QEMU.
    return static_cast<std::uint32_t>(code) == 0xffffffff ? ExitKind::invalid : ExitKind::unexpected;
}

} // namespace

Exit decode(const Vmcb& vmcb) {
    Exit exit;
    exit.kind = kind_of(vmcb.exit_code, vmcb.exit_info1 == 1);
    exit.cpl = vmcb.cpl;
    exit.rip = vmcb.rip;
    exit.rsp = vmcb.rsp;
    exit.cr0 = vmcb.cr0;
    exit.cr4 = vmcb.cr4;
    exit.efer = vmcb.efer;
    if (exit.kind == ExitKind::port) {
        const std::uint64_t how = vmcb.exit_info1;
        exit.port = {.port = static_cast<std::uint16_t>(how >> 16),
                     .bytes = static_cast<std::uint8_t>(how >> 4 & 7),
                     .in = (how & 1) != 0,
                     .string = (how & 4) != 0};
    } else if (exit.kind == ExitKind::exception) {
        exit.vector = static_cast<std::uint8_t>(vmcb.exit_code - exit_code::exception_first);
        exit.has_error_code = exit.vector == vector_ac;
        exit.error_code = exit.has_error_code ? static_cast<std::uint32_t>(vmcb.exit_info1) : 0;
    } else if (exit.kind == ExitKind::nested_fault) {
        exit.gpa = base::GuestPhysAddr{vmcb.exit_info2};
    } else if (exit.kind == ExitKind::unexpected) {
        exit.detail = vmcb.exit_code;
    }
    return exit;
}

void inject(Vmcb& vmcb, const vcpu::Action& action) {
    vmcb.event_injection = event_valid | event_exception | action.vector;
    if (action.has_error_code)
        vmcb.event_injection |= event_error_code | std::uint64_t{action.error_code} << 32;
}

bool deliver_again(Vmcb& vmcb) {
    if ((vmcb.exit_int_info & event_valid) == 0)
        return true;
    if ((vmcb.event_injection & event_valid) != 0)
        return false;
    vmcb.event_injection = vmcb.exit_int_info;
    return true;
}

void prepare(Vmcb& vmcb, const vcpu::InitialState& state) {
    vmcb.tlb_control = 0;
    vmcb.virtual_interrupt = vmcb.interrupt_shadow = vmcb.exit_int_info = vmcb.event_injection = 0;
    std::memset(static_cast<void*>(&vmcb.es), 0, sizeof vmcb - offsetof(Vmcb, es)); // the state-save area
    vmcb.es = state.es;
    vmcb.cs = state.cs;
    vmcb.ss = state.ss;
    vmcb.ds = state.ds;
    vmcb.fs = state.fs;
    vmcb.gs = state.gs;
    vmcb.gdtr = state.gdtr;
    vmcb.ldtr = state.ldtr;
    vmcb.idtr = state.idtr;
    vmcb.tr = state.tr;
    vmcb.efer = state.efer | vcpu::efer_svme;
    vmcb.cr0 = state.cr0;
    vmcb.cr2 = state.cr2;
    vmcb.cr3 = state.cr3;
    vmcb.cr4 = state.cr4;
    vmcb.dr6 = state.dr6;
    vmcb.dr7 = state.dr7;
    vmcb.rflags = state.rflags;
    vmcb.rip = state.rip;
    vmcb.rsp = state.rsp;
    vmcb.g_pat = state.pat;
}

} // namespace svm
