// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/boot_registers.hpp - control registers' bits and model-specific registers that only boot uses.
#pragma once

#include "arch/x86_64/cpu/registers.hpp"

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
inline constexpr std::uint32_t apic_base = 0x1b, tsc_adjust = 0x3b, s_cet = 0x6a2, test_ctrl = 0x33,
                               core_capabilities = 0xcf, arch_capabilities = 0x10a, mcu_opt_ctrl = 0x123,
                               branch_prediction = 0xc001102e, vm_cr = 0xc0010114, vm_hsave_pa = 0xc0010117,
                               feature_control = 0x3a, vmx_basic = 0x480, vmx_cr0_fixed0 = 0x486,
                               vmx_cr4_fixed0 = 0x488, vmx_secondary = 0x48b, vmx_ept_vpid = 0x48c,
                               vmx_true_pin = 0x48d, vmx_true_primary = 0x48e, vmx_true_exit = 0x48f,
                               vmx_true_entry = 0x490;
}
namespace apic_base {
inline constexpr std::uint64_t enabled = 1u << 11, x2apic = 1u << 10, address = 0x000ffffffffff000;
}

// The hypervisor's PAT: WB WC UC- UC, then as after reset WB WT UC- UC.
inline constexpr std::uint64_t pat_own = 0x0007040600070106;

} // namespace cpu
