// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/vmcs.hpp - the fields of a VMCS, typed by what their encoding says about width and access.
//
// Pure. A VmcsAccess has `read(field)` and `write(field, value)`; writing a read-only field does not compile.
// Spec: Intel SDM vol. 3 "Virtual Machine Control Structures", appendix B "Field Encoding in VMCS".
#pragma once

#include <cstdint>
#include <type_traits>

namespace vmx {

template <std::uint32_t Encoding> struct Field {
    static constexpr std::uint32_t encoding = Encoding;
    static constexpr unsigned width = Encoding >> 13 & 3; // 0: 16, 1: 64, 2: 32 bits, 3: natural
    static constexpr bool writable = (Encoding >> 10 & 3) != 1;
    using Value = std::conditional_t<width == 0, std::uint16_t,
                                     std::conditional_t<width == 2, std::uint32_t, std::uint64_t>>;
};

template <typename F>
concept WritableField = F::writable;

// clang-format off
namespace field {
// The segments are below; what boot alone writes is in set_up.hpp, host RSP in the entry stub.
inline constexpr Field<0x2400> guest_physical_address; inline constexpr Field<0x2802> guest_debugctl;
inline constexpr Field<0x2804> guest_pat;             inline constexpr Field<0x2806> guest_efer;
inline constexpr Field<0x4012> entry_controls;        inline constexpr Field<0x4016> entry_interruption;
inline constexpr Field<0x4018> entry_error_code;      inline constexpr Field<0x401a> entry_length;
inline constexpr Field<0x4400> instruction_error;     inline constexpr Field<0x4402> exit_reason;
inline constexpr Field<0x4404> exit_interruption;     inline constexpr Field<0x4406> exit_error_code;
inline constexpr Field<0x4408> vectoring;             inline constexpr Field<0x440a> vectoring_error_code;
inline constexpr Field<0x440c> exit_length;           inline constexpr Field<0x4810> guest_gdtr_limit;
inline constexpr Field<0x4812> guest_idtr_limit;      inline constexpr Field<0x4816> guest_cs_rights;
inline constexpr Field<0x4818> guest_ss_rights;       inline constexpr Field<0x4824> guest_interruptibility;
inline constexpr Field<0x4826> guest_activity;        inline constexpr Field<0x4828> guest_smbase;
inline constexpr Field<0x482a> guest_sysenter_cs;     inline constexpr Field<0x6004> cr0_shadow;
inline constexpr Field<0x6006> cr4_shadow;            inline constexpr Field<0x6400> exit_qualification;
inline constexpr Field<0x6800> guest_cr0;             inline constexpr Field<0x6802> guest_cr3;
inline constexpr Field<0x6804> guest_cr4;             inline constexpr Field<0x6816> guest_gdtr_base;
inline constexpr Field<0x6818> guest_idtr_base;       inline constexpr Field<0x681a> guest_dr7;
inline constexpr Field<0x681c> guest_rsp;             inline constexpr Field<0x681e> guest_rip;
inline constexpr Field<0x6820> guest_rflags;          inline constexpr Field<0x6822> guest_pending_debug;
inline constexpr Field<0x6824> guest_sysenter_esp;    inline constexpr Field<0x6826> guest_sysenter_eip;
} // namespace field
// clang-format on

// Segment number `n` of the guest: ES CS SS DS FS GS LDTR TR.
template <unsigned N> struct SegmentFields {
    static constexpr Field<0x0800 + 2 * N> selector{};
    static constexpr Field<0x4800 + 2 * N> limit{};
    static constexpr Field<0x4814 + 2 * N> rights{};
    static constexpr Field<0x6806 + 2 * N> base{};
};

// Interruption information: what was or is to be delivered.
inline constexpr std::uint32_t interruption_valid = 1u << 31, interruption_error_code = 1u << 11;
constexpr std::uint32_t interruption_type(std::uint32_t information) {
    return information >> 8 & 7;
}
inline constexpr std::uint32_t type_nmi = 2, type_exception = 3, type_software_first = 4;

} // namespace vmx
