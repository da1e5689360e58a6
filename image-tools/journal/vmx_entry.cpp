// SPDX-License-Identifier: Apache-2.0
#include "image-tools/journal/vmx_entry.hpp"

#include "hypervisor/core/audit/vmcs_state.hpp"

#include <array>
#include <bit>
#include <charconv>

namespace vmx_entry {
namespace {

constexpr bool bit(std::uint64_t word, unsigned number) {
    return (word >> number & 1) != 0;
}
constexpr bool canonical(std::uint64_t address) {
    const std::uint64_t top = address >> 47;
    return top == 0 || top == 0x1ffff;
}
constexpr bool valid_pat(std::uint64_t pat) {
    for (unsigned i = 0; i < 8; ++i) {
        const std::uint64_t type = pat >> 8 * i & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}
// G set exactly where a limit needs it.
constexpr bool granularity_fits(std::uint64_t limit, std::uint64_t rights) {
    return bit(rights, 15) ? (limit & 0xfff) == 0xfff : limit >> 20 == 0;
}

constexpr std::uint64_t efer_known = 0xd01; // SCE LME LMA NXE
constexpr std::uint64_t rflags_reserved = 0xffffffffffc08028;
constexpr std::uint64_t pe_and_pg = 1 | std::uint64_t{1} << 31;
// What every processor fixes (IA32_VMX_CR0_FIXED0, IA32_VMX_CR4_FIXED0): PE, NE, PG; VMXE.
constexpr std::uint64_t cr0_fixed0 = 0x80000021, cr4_fixed0 = 0x2000;
constexpr std::uint64_t entry_long_mode = 1u << 9, interruption_valid = 1u << 31;
constexpr unsigned pg = 31, nw = 29, cd = 30, pae = 5, pcide = 17, lma = 10, lme = 8;

} // namespace

std::optional<GuestState> parse(std::string_view value) {
    std::array<std::uint64_t, audit::vmcs_state.size()> words{};
    static_assert(sizeof(words) == sizeof(GuestState));
    for (std::uint64_t& word : words) {
        if (!value.starts_with("0x"))
            return std::nullopt;
        const char* const end = value.data() + value.size();
        const auto [after, error] = std::from_chars(value.data() + 2, end, word, 16);
        if (error != std::errc{} || after == end || *after != ',')
            return std::nullopt;
        value.remove_prefix(static_cast<std::size_t>(after - value.data()) + 1);
    }
    return value.empty() ? std::optional{std::bit_cast<GuestState>(words)} : std::nullopt;
}

std::string_view failed_check(const GuestState& s) {
    const bool long_mode = (s.entry_controls & entry_long_mode) != 0;
    const bool code64 = long_mode && bit(s.cs_rights, 13);
    const bool trap = bit(s.rflags, 8), shadow = (s.interruptibility & 3) != 0;
    const bool injecting = (s.interruption & interruption_valid) != 0;
    const std::uint64_t type = s.interruption >> 8 & 7;
    const std::uint64_t cs_type = s.cs_rights & 15, tr_type = s.tr_rights & 15;
    const struct {
        bool failed;
        std::string_view name;
    } checks[] = {
        {(~s.cr0 & cr0_fixed0 & ~pe_and_pg) != 0, "CR0 lacks a bit that VMX fixes to 1"},
        {bit(s.cr0, pg) && !bit(s.cr0, 0), "CR0.PG without CR0.PE"},
        {bit(s.cr0, nw) && !bit(s.cr0, cd), "CR0.NW without CR0.CD"},
        {(~s.cr4 & cr4_fixed0) != 0, "CR4 lacks a bit that VMX fixes to 1"},
        {long_mode && !bit(s.cr0, pg), "IA-32e mode without CR0.PG"},
        {long_mode && !bit(s.cr4, pae), "IA-32e mode without CR4.PAE"},
        {!long_mode && bit(s.cr4, pcide), "CR4.PCIDE outside IA-32e mode"},
        {s.cr3 >> 52 != 0, "CR3 beyond the physical address width"},
        {s.dr7 >> 32 != 0, "DR7 has a high bit"},
        {!valid_pat(s.pat), "IA32_PAT has a reserved type"},
        {(s.efer & ~efer_known) != 0, "EFER has a reserved bit"},
        {bit(s.efer, lma) != long_mode, "EFER.LMA differs from the entry control"},
        {bit(s.cr0, pg) && bit(s.efer, lma) != bit(s.efer, lme),
         "EFER.LMA differs from EFER.LME under paging"},
        {bit(s.rflags, 17) && (long_mode || !bit(s.cr0, 0)), "RFLAGS.VM outside protected mode"},
        {(s.rflags & rflags_reserved) != 0 || !bit(s.rflags, 1), "RFLAGS has a reserved bit"},
        {injecting && type == 0 && !bit(s.rflags, 9), "an interrupt is injected with RFLAGS.IF = 0"},
        {injecting && shadow && (type == 0 || type == 2),
         "an interrupt is injected into an interrupt shadow"},
        {bit(s.interruptibility, 0) && bit(s.interruptibility, 1), "blocked by STI and by MOV SS at once"},
        {bit(s.interruptibility, 0) && !bit(s.rflags, 9), "blocked by STI with RFLAGS.IF = 0"},
        {s.interruptibility >> 5 != 0 || bit(s.interruptibility, 2), "interruptibility has a reserved bit"},
        {s.activity > 3, "activity state is reserved"},
        {s.activity == 1 && (s.ss_rights >> 5 & 3) != 0, "HLT state outside CPL 0"},
        {s.activity != 0 && shadow, "inactive in an interrupt shadow"},
        {(shadow || s.activity == 1) && trap != bit(s.pending_debug, 14),
         "pending single step does not match RFLAGS.TF"},
        {bit(s.cs_rights, 16) || !bit(s.cs_rights, 7), "CS is not present"},
        {cs_type != 3 && (cs_type & 9) != 9, "CS has a wrong type"},
        {code64 && bit(s.cs_rights, 14), "CS has both L and D"},
        {!granularity_fits(s.cs_limit, s.cs_rights), "CS limit does not fit its granularity"},
        {s.cs_base >> 32 != 0, "CS base is above 4 GiB"},
        {!canonical(s.fs_base), "FS base is not canonical"},
        {!canonical(s.gs_base), "GS base is not canonical"},
        {bit(s.tr_rights, 16) || !bit(s.tr_rights, 7), "TR is not usable"},
        {tr_type != 11 && (long_mode || tr_type != 3), "TR has a wrong type"},
        {!granularity_fits(s.tr_limit, s.tr_rights), "TR limit does not fit its granularity"},
        {!canonical(s.tr_base), "TR base is not canonical"},
        {!canonical(s.gdtr_base) || s.gdtr_limit > 0xffff, "GDTR is not valid"},
        {!canonical(s.idtr_base) || s.idtr_limit > 0xffff, "IDTR is not valid"},
        {!code64 && s.rip >> 32 != 0, "RIP is above 4 GiB outside 64-bit code"},
        {code64 && !canonical(s.rip), "RIP is not canonical"},
    };
    for (const auto& check : checks)
        if (check.failed)
            return check.name;
    return "no check of the list";
}

} // namespace vmx_entry
