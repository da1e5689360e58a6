// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/set_up.hpp - what of a VMCS never changes: its controls and the hypervisor's own state; boot only.
//
// Pure: works on a VmcsAccess (vmcs.hpp). What is not written here is a life's own (prepare.hpp), but host RSP (entry stub).
// Invariants: CR4 bits that the partition is not offered, CR4.MCE, and CR0.NE, CD and NW, are the hypervisor's: a guest that
//             changes one exits; it reads its own value (the shadow). CR4.MCE stays as the hypervisor has it (rule 20).
// Spec: Intel SDM vol. 3 "Host-State Area", "VM-Execution Control Fields".
#pragma once

#include "arch/x86_64/cpu/registers.hpp"
#include "arch/x86_64/vmx/controls.hpp"
#include "arch/x86_64/vmx/prepare.hpp"

namespace vmx {

// clang-format off
namespace field {
inline constexpr Field<0x0000> vpid;                  inline constexpr Field<0x0c00> host_es_selector;
inline constexpr Field<0x0c02> host_cs_selector;      inline constexpr Field<0x0c04> host_ss_selector;
inline constexpr Field<0x0c06> host_ds_selector;      inline constexpr Field<0x0c08> host_fs_selector;
inline constexpr Field<0x0c0a> host_gs_selector;      inline constexpr Field<0x0c0c> host_tr_selector;
inline constexpr Field<0x2000> io_bitmap_a;           inline constexpr Field<0x2002> io_bitmap_b;
inline constexpr Field<0x2004> msr_bitmap;            inline constexpr Field<0x201a> ept_pointer;
inline constexpr Field<0x202e> encls_bitmap;          inline constexpr Field<0x2800> link_pointer;
inline constexpr Field<0x2c00> host_pat;              inline constexpr Field<0x2c02> host_efer;
inline constexpr Field<0x4000> pin_controls;          inline constexpr Field<0x4002> primary_controls;
inline constexpr Field<0x4004> exception_bitmap;      inline constexpr Field<0x4006> page_fault_mask;
inline constexpr Field<0x4008> page_fault_match;      inline constexpr Field<0x400a> cr3_target_count;
inline constexpr Field<0x400c> exit_controls;         inline constexpr Field<0x400e> exit_msr_store_count;
inline constexpr Field<0x4010> exit_msr_load_count;   inline constexpr Field<0x4014> entry_msr_load_count;
inline constexpr Field<0x401e> secondary_controls;
inline constexpr Field<0x4c00> host_sysenter_cs;      inline constexpr Field<0x6000> cr0_mask;
inline constexpr Field<0x6002> cr4_mask;              inline constexpr Field<0x6c00> host_cr0;
inline constexpr Field<0x6c02> host_cr3;              inline constexpr Field<0x6c04> host_cr4;
inline constexpr Field<0x6c06> host_fs_base;          inline constexpr Field<0x6c08> host_gs_base;
inline constexpr Field<0x6c0a> host_tr_base;          inline constexpr Field<0x6c0c> host_gdtr_base;
inline constexpr Field<0x6c0e> host_idtr_base;        inline constexpr Field<0x6c10> host_sysenter_esp;
inline constexpr Field<0x6c12> host_sysenter_eip;     inline constexpr Field<0x6c16> host_rip;
} // namespace field
// clang-format on

// The hypervisor on this CPU, as an exit restores it.
struct HostState {
    std::uint64_t cr0, cr3, cr4, efer, pat, gs_base, task_base, gdt_base, idt_base, rip;
};

// #DB and #AC exit so that their delivery cannot loop inside the CPU, #MC because it is the machine's.
inline constexpr std::uint32_t exiting_exceptions = 1u << 1 | 1u << 17 | 1u << 18;

template <typename Vmcs>
void write_controls(Vmcs& vmcs, const ControlWords& words, const vcpu::Controls& controls) {
    constexpr std::uint64_t write_back = 6, four_levels = 3u << 3, none = ~std::uint64_t{0};
    constexpr std::uint16_t guest_vpid = 1; // one guest a CPU; 0 is the host's
    const auto word = [&words](Word which) { return words[static_cast<std::size_t>(which)]; };
    vmcs.write(field::pin_controls, word(Word::pin));
    vmcs.write(field::primary_controls, word(Word::primary));
    vmcs.write(field::secondary_controls, word(Word::secondary));
    vmcs.write(field::exit_controls, word(Word::exit));
    vmcs.write(field::entry_controls, word(Word::entry));
    vmcs.write(field::exception_bitmap, exiting_exceptions);
    write_all(vmcs, 0, field::page_fault_mask, field::page_fault_match, field::cr3_target_count,
              field::exit_msr_store_count, field::exit_msr_load_count, field::entry_msr_load_count);
    vmcs.write(field::io_bitmap_a, controls.io_permissions.value());
    vmcs.write(field::io_bitmap_b, controls.io_permissions.value() + base::page_size);
    vmcs.write(field::msr_bitmap, controls.msr_permissions.value());
    vmcs.write(field::ept_pointer, controls.second_stage.value() | four_levels | write_back);
    vmcs.write(field::vpid, guest_vpid);
    if ((word(Word::secondary) & secondary_encls) != 0)
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

} // namespace vmx
