// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/svm/exits.hpp"

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/intercepts.hpp"

namespace svm {
namespace {

using vcpu::Exit;
using vcpu::ExitKind;

constexpr std::uint64_t efer_svme = 1u << 12;
// One guest a CPU: the same identifier everywhere. 0 is the host's.
constexpr std::uint32_t guest_asid = 1;

ExitKind kind_of_exception(std::uint64_t vector) {
    switch (vector) {
    case vcpu::svm::vector_mc:
        return ExitKind::machine_check;
    case vcpu::svm::vector_db:
    case vcpu::svm::vector_ac:
        return ExitKind::exception;
    default:
        return ExitKind::unexpected;
    }
}

ExitKind kind_of(std::uint64_t code, bool msr_write) {
    using namespace exit_code;
    switch (code) {
    case cpuid:
        return ExitKind::cpuid;
    case vmmcall:
        return ExitKind::hypercall;
    case ioio:
        return ExitKind::port;
    case msr:
        return msr_write ? ExitKind::msr_write : ExitKind::msr_read;
    case xsetbv:
        return ExitKind::xsetbv;
    case wbinvd:
    case invd:
        return ExitKind::cache;
    case rdpmc:
        return ExitKind::counter;
    case vmrun:
    case vmload:
    case vmsave:
    case stgi:
    case clgi:
    case skinit:
    case invlpga:
    case monitor:
    case mwait:
    case mwait_armed:
    case rdpru:
    case rsm:
    case invlpgb:
    case invlpgb_illegal:
    case mcommit:
    case tlbsync:
        return ExitKind::forbidden;
    case intr:
    case nmi:
    case smi:
        return ExitKind::host_event;
    case nested_page_fault:
        return ExitKind::nested_fault;
    case shutdown:
        return ExitKind::shutdown;
    default:
        break;
    }
    if (code >= exception_first && code <= exception_last)
        return kind_of_exception(code - exception_first);
    // -1 in 64 bits by the manual, in 32 bits by QEMU.
    if (static_cast<std::uint32_t>(code) == 0xffffffff)
        return ExitKind::invalid;
    return ExitKind::unexpected;
}

vcpu::PortAccess port_access(std::uint64_t info) {
    const auto bytes = static_cast<std::uint8_t>(info >> 4 & 7);
    return {.port = static_cast<std::uint16_t>(info >> 16),
            .bytes = bytes,
            .in = (info & 1) != 0,
            .string = (info & 4) != 0};
}

Segment segment(const vcpu::Segment& from) {
    return {from.selector, from.attributes, from.limit, from.base};
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
        exit.port = port_access(vmcb.exit_info1);
    } else if (exit.kind == ExitKind::exception) {
        exit.vector = static_cast<std::uint8_t>(vmcb.exit_code - exit_code::exception_first);
        exit.has_error_code = exit.vector == vcpu::svm::vector_ac;
        exit.error_code = exit.has_error_code ? static_cast<std::uint32_t>(vmcb.exit_info1) : 0;
    } else if (exit.kind == ExitKind::nested_fault) {
        exit.detail = vmcb.exit_info2;
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

void prepare(Vmcb& vmcb, const virt::Controls& controls, const vcpu::InitialState& state) {
    vmcb = {};
    const vcpu::svm::Intercepts& intercepts = vcpu::svm::always;
    vmcb.intercepts = {intercepts.control_registers,
                       intercepts.debug_registers,
                       intercepts.exceptions,
                       intercepts.misc1 &
                           ~(base::weak(base::Weakness::open_counters) ? vcpu::svm::misc1::rdpmc : 0),
                       intercepts.misc2 & ~(base::weak(base::Weakness::open_vmload)
                                                ? vcpu::svm::misc2::vmload | vcpu::svm::misc2::vmsave
                                                : 0),
                       intercepts.misc3};
    vmcb.iopm_base = controls.io_permissions.value();
    vmcb.msrpm_base = controls.msr_permissions.value();
    vmcb.asid = guest_asid;
    // V_INTR_MASKING stays 0: the guest's own RFLAGS.IF and CR8 gate the physical interrupts, which are all its own.
    vmcb.nested_control = nested_paging;
    vmcb.nested_cr3 = controls.second_stage.value();
    vmcb.es = segment(state.es);
    vmcb.cs = segment(state.cs);
    vmcb.ss = segment(state.ss);
    vmcb.ds = segment(state.ds);
    vmcb.fs = segment(state.fs);
    vmcb.gs = segment(state.gs);
    vmcb.gdtr = segment(state.gdtr);
    vmcb.ldtr = segment(state.ldtr);
    vmcb.idtr = segment(state.idtr);
    vmcb.tr = segment(state.tr);
    vmcb.efer = state.efer | efer_svme;
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
