// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/prepare.hpp - a cleared VMCS becomes a guest about to start in a given state.
//
// Pure: works on a VmcsAccess (vmcs.hpp). Every field that the controls make the CPU look at is written here, but host
// RSP (entry stub).
// Invariants: CR4 bits that the partition is not offered, CR4.MCE, and CR0.NE, CD and NW, are the hypervisor's: a guest that
//             changes one exits; it reads its own value (the shadow). CR4.MCE stays as the hypervisor has it (rule 20).
// Spec: Intel SDM vol. 3 "Guest-State Area", "Host-State Area", "VM-Execution Control Fields".
#pragma once

#include "arch/x86_64/cpu/registers.hpp"
#include "arch/x86_64/vmx/controls.hpp"
#include "arch/x86_64/vmx/vmcs.hpp"
#include "hypervisor/core/vcpu/state.hpp"

namespace vmx {

// The hypervisor on this CPU, as an exit restores it.
struct HostState {
    std::uint64_t cr0, cr3, cr4, efer, pat, gs_base, task_base, gdt_base, idt_base, rip;
};

inline constexpr std::uint64_t cr0_ne = 1u << 5, cr0_nw = 1u << 29, cr0_cd = 1u << 30;
inline constexpr std::uint64_t cr0_owned = cr0_ne | cr0_nw | cr0_cd;
inline constexpr std::uint64_t cr4_mce = 1u << 6;
// #DB and #AC exit so that their delivery cannot loop inside the CPU, #MC because it is the machine's.
inline constexpr std::uint32_t exiting_exceptions = 1u << 1 | 1u << 17 | 1u << 18;

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
void write_controls(Vmcs& vmcs, const ControlWords& words, const vcpu::Controls& controls) {
    constexpr std::uint64_t write_back = 6, four_levels = 3u << 3, none = ~std::uint64_t{0};
    constexpr std::uint16_t guest_vpid = 1; // one guest a CPU; 0 is the host's
    const auto word = [&words](Word which) { return words[static_cast<std::size_t>(which)]; };
    vmcs.write(field::pin_controls, word(Word::pin));
    vmcs.write(field::primary_controls, word(Word::primary));
    vmcs.write(field::secondary_controls, word(Word::secondary));
    vmcs.write(field::exit_controls, word(Word::exit));
    vmcs.write(field::entry_controls, word(Word::entry) & ~control::entry_long_mode);
    vmcs.write(field::exception_bitmap, exiting_exceptions);
    write_all(vmcs, 0, field::page_fault_mask, field::page_fault_match, field::cr3_target_count,
              field::exit_msr_store_count, field::exit_msr_load_count, field::entry_msr_load_count,
              field::entry_interruption);
    vmcs.write(field::io_bitmap_a, controls.io_permissions.value());
    vmcs.write(field::io_bitmap_b, controls.io_permissions.value() + base::page_size);
    vmcs.write(field::msr_bitmap, controls.msr_permissions.value());
    vmcs.write(field::ept_pointer, controls.second_stage.value() | four_levels | write_back);
    vmcs.write(field::vpid, guest_vpid);
    if ((word(Word::secondary) & control::secondary_encls) != 0)
        vmcs.write(field::encls_bitmap, none);
    vmcs.write(field::link_pointer, none);
    vmcs.write(field::cr0_mask, cr0_owned);
    vmcs.write(field::cr4_mask, ~controls.cr4_allowed | cr4_mce);
}

template <typename Vmcs> void write_host(Vmcs& vmcs, const HostState& host) {
    vmcs.write(field::host_cr0, host.cr0);
    vmcs.write(field::host_cr3, host.cr3);
    vmcs.write(field::host_cr4, host.cr4);
    vmcs.write(field::host_efer, host.efer);
    vmcs.write(field::host_pat, host.pat);
    vmcs.write(field::host_cs_selector, cpu::code_selector);
    write_all(vmcs, cpu::data_selector, field::host_ss_selector, field::host_ds_selector,
              field::host_es_selector);
    vmcs.write(field::host_tr_selector, cpu::task_selector);
    vmcs.write(field::host_gs_base, host.gs_base);
    vmcs.write(field::host_tr_base, host.task_base);
    vmcs.write(field::host_gdtr_base, host.gdt_base);
    vmcs.write(field::host_idtr_base, host.idt_base);
    write_all(vmcs, 0, field::host_fs_selector, field::host_gs_selector, field::host_fs_base,
              field::host_sysenter_cs, field::host_sysenter_esp, field::host_sysenter_eip);
    vmcs.write(field::host_rip, host.rip);
}

template <typename Vmcs>
void write_guest(Vmcs& vmcs, const vcpu::InitialState& state, const HostState& host) {
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
    vmcs.write(field::guest_cr4, state.cr4 | vmxe | (host.cr4 & cr4_mce));
    vmcs.write(field::cr4_shadow, state.cr4);
    vmcs.write(field::guest_cr3, state.cr3);
    vmcs.write(field::guest_efer, state.efer);
    vmcs.write(field::guest_pat, state.pat);
    vmcs.write(field::guest_dr7, state.dr7);
    vmcs.write(field::guest_rflags, state.rflags);
    vmcs.write(field::guest_rip, state.rip);
    vmcs.write(field::guest_rsp, state.rsp);
    write_all(vmcs, 0, field::guest_debugctl, field::guest_interruptibility, field::guest_activity,
              field::guest_pending_debug, field::guest_smbase, field::guest_sysenter_cs,
              field::guest_sysenter_esp, field::guest_sysenter_eip);
}

} // namespace vmx
