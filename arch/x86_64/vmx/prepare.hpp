// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/prepare.hpp - a VMCS that boot has set up (set_up.hpp) becomes a guest about to start in a given state.
//
// Pure: works on a VmcsAccess (vmcs.hpp). Every field that a guest's run may change is written here.
// Spec: Intel SDM vol. 3 "Guest-State Area", 27.3.2 (what exits write into the VM-entry controls).
#pragma once

#include "arch/x86_64/vmx/vmcs.hpp"
#include "hypervisor/core/vcpu/state.hpp"

namespace vmx {

inline constexpr std::uint64_t cr0_ne = 1u << 5, cr0_nw = 1u << 29, cr0_cd = 1u << 30;
inline constexpr std::uint64_t cr0_owned = cr0_ne | cr0_nw | cr0_cd;
inline constexpr std::uint64_t cr4_mce = 1u << 6;
inline constexpr std::uint32_t entry_long_mode = 1u << 9; // of the VM-entry controls

template <typename Vmcs, typename... Fields>
void write_all(Vmcs& vmcs, std::uint16_t value, Fields... fields) {
    (vmcs.write(fields, value), ...);
}

template <unsigned N, typename Vmcs> void write_segment(Vmcs& vmcs, const vcpu::Segment& segment) {
    vmcs.write(SegmentFields<N>::selector, segment.selector);
    vmcs.write(SegmentFields<N>::limit, segment.limit);
    vmcs.write(SegmentFields<N>::rights, segment.vmx_access_rights());
    vmcs.write(SegmentFields<N>::base, segment.base);
}

template <typename Vmcs>
void write_guest(Vmcs& vmcs, const vcpu::InitialState& state, std::uint64_t host_cr4) {
    vmcs.write(field::entry_controls, vmcs.read(field::entry_controls) & ~entry_long_mode);
    write_segment<0>(vmcs, state.es);
    write_segment<1>(vmcs, state.cs);
    write_segment<2>(vmcs, state.ss);
    write_segment<3>(vmcs, state.ds);
    write_segment<4>(vmcs, state.fs);
    write_segment<5>(vmcs, state.gs);
    write_segment<6>(vmcs, state.ldtr);
    write_segment<7>(vmcs, state.tr);
    vmcs.write(field::guest_gdtr_base, state.gdtr.base);
    vmcs.write(field::guest_gdtr_limit, state.gdtr.limit);
    vmcs.write(field::guest_idtr_base, state.idtr.base);
    vmcs.write(field::guest_idtr_limit, state.idtr.limit);
    // VMXE stays set as the CPU demands; with MCE off a machine check would reset the machine.
    constexpr std::uint64_t vmxe = 1u << 13;
    vmcs.write(field::guest_cr0, (state.cr0 & ~cr0_owned) | cr0_ne);
    vmcs.write(field::cr0_shadow, state.cr0);
    vmcs.write(field::guest_cr4, state.cr4 | vmxe | (host_cr4 & cr4_mce));
    vmcs.write(field::cr4_shadow, state.cr4);
    vmcs.write(field::guest_cr3, state.cr3);
    vmcs.write(field::guest_efer, state.efer);
    vmcs.write(field::guest_pat, state.pat);
    vmcs.write(field::guest_dr7, state.dr7);
    vmcs.write(field::guest_rflags, state.rflags);
    vmcs.write(field::guest_rip, state.rip);
    vmcs.write(field::guest_rsp, state.rsp);
    write_all(vmcs, 0, field::entry_interruption, field::guest_debugctl, field::guest_interruptibility,
              field::guest_activity, field::guest_pending_debug, field::guest_smbase,
              field::guest_sysenter_cs, field::guest_sysenter_esp, field::guest_sysenter_eip);
}

} // namespace vmx
