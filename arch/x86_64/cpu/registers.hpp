// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/registers.hpp - names of control-register bits, MSRs and selectors.
// Spec: AMD APM vol. 2 "System Resources", appendix A "MSR Cross-Reference"; Intel SDM vol. 4.
#pragma once

#include <cstdint>

namespace cpu {

namespace cr4 {
inline constexpr std::uint64_t pae = 1u << 5, mce = 1u << 6, osfxsr = 1u << 9, osxmmexcpt = 1u << 10,
                               umip = 1u << 11, osxsave = 1u << 18, smep = 1u << 20, smap = 1u << 21,
                               cet = 1u << 23;
}
namespace efer {
inline constexpr std::uint64_t svme = 1u << 12;
}
namespace msr {
inline constexpr std::uint32_t apic_base = 0x1b, tsc_adjust = 0x3b, pat = 0x277, s_cet = 0x6a2,
                               spec_ctrl = 0x48, pred_cmd = 0x49, test_ctrl = 0x33, core_capabilities = 0xcf,
                               arch_capabilities = 0x10a, flush_cmd = 0x10b, mcu_opt_ctrl = 0x123,
                               branch_prediction = 0xc001102e, x2apic_first = 0x800, efer = 0xc0000080,
                               star = 0xc0000081, lstar = 0xc0000082, cstar = 0xc0000083, sfmask = 0xc0000084,
                               fs_base = 0xc0000100, gs_base = 0xc0000101, kernel_gs_base = 0xc0000102,
                               tsc_aux = 0xc0000103, vm_cr = 0xc0010114, vm_hsave_pa = 0xc0010117,
                               feature_control = 0x3a, vmx_basic = 0x480, vmx_cr0_fixed0 = 0x486,
                               vmx_cr4_fixed0 = 0x488, vmx_secondary = 0x48b, vmx_ept_vpid = 0x48c,
                               vmx_true_pin = 0x48d, vmx_true_primary = 0x48e, vmx_true_exit = 0x48f,
                               vmx_true_entry = 0x490;
}
namespace apic_base {
inline constexpr std::uint64_t enabled = 1u << 11, x2apic = 1u << 10, address = 0x000ffffffffff000;
}

// PAT as after reset: WB WT UC- UC, twice.
inline constexpr std::uint64_t pat_reset = 0x0007040600070406;

// Selectors of every GDT that the hypervisor loads.
inline constexpr std::uint16_t code_selector = 0x08, data_selector = 0x10, task_selector = 0x18;

} // namespace cpu
