// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/cacheability.cpp - memory types: PAT, MTRRs, AMD's I/O ranges, flushing everybody's cache.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t pat = 0x277;
constexpr std::uint64_t pat_reset = 0x0007040600070406, pat_linux = 0x0407050600070106;

Verdict allowed_pat(std::uint64_t value, std::uint64_t) {
    const Verdict seen = attempt([=] { cpu::wrmsr(pat, value); });
    const bool held = seen == Verdict::granted && cpu::rdmsr(pat) == value;
    cpu::wrmsr(pat, pat_reset);
    return held ? Verdict::harmless : seen;
}
Verdict refused_pat(std::uint64_t value, std::uint64_t) {
    const Verdict seen = write_msr(pat, value);
    return seen == Verdict::gp && cpu::rdmsr(pat) != pat_reset ? Verdict::granted : seen;
}
// WBINVD and INVD: skipped. Dirty lines of one's own must survive an INVD.
Verdict flush(std::uint64_t times, std::uint64_t invalidate) {
    static volatile std::uint64_t line = 0;
    return attempt([=] {
               for (std::uint64_t i = 0; i < times; ++i) {
                   line = i;
                   if (invalidate != 0)
                       asm volatile("invd" : : : "memory");
                   else
                       cpu::wbinvd();
               }
           }) == Verdict::granted &&
                   line == times - 1
               ? Verdict::ignored
               : Verdict::exception;
}
// CR0.CD is the guest's own business: nothing but its own speed.
Verdict cache_disable(std::uint64_t, std::uint64_t) {
    const std::uint64_t cr0 = cpu::read_cr<0>();
    const Verdict seen = attempt([=] { cpu::write_cr<0>(cr0 | std::uint64_t{1} << 30); });
    cpu::write_cr<0>(cr0);
    return seen == Verdict::granted ? Verdict::harmless : seen;
}

constexpr std::array<Case, 18> cases{{
    {"pat-all-uncacheable", gp_msr, refused_pat, 0},
    {"pat-all-write-combining", gp_msr, refused_pat, 0x0101010101010101},
    {"pat-all-write-protected", gp_msr, refused_pat, 0x0505050505050505},
    {"pat-reserved-type-2", gp_msr, refused_pat, 0x0007040600070402},
    {"pat-reserved-bits", gp_msr, refused_pat, 0xFF07040600070406},
    {"pat-linux", Verdict::harmless, allowed_pat, pat_linux},
    {"mtrr-capability", gp_msr_read, read_msr, 0xFE},
    {"mtrr-default-type", gp_msr, write_msr, 0x2FF, 0},
    {"mtrr-default-type-read", gp_msr_read, read_msr, 0x2FF},
    {"mtrr-variable", gp_msr, write_msrs, 0x200, 0x20F},
    {"mtrr-fixed-64k-16k", gp_msr, write_msrs, 0x250, 0x259},
    {"mtrr-fixed-4k", gp_msr, write_msrs, 0x268, 0x26F},
    {"system-configuration", gp_msr, write_msr, 0xC0010010, 1 << 18},
    {"io-range-registers", gp_msr, write_msrs, 0xC0010016, 0xC0010019},
    {"top-of-memory", gp_msr, write_msrs, 0xC001001A, 0xC001001D},
    {"wbinvd-flood", Expected{Verdict::ignored, Audit::cache}, flush, 2000, 0},
    {"invd-flood", Expected{Verdict::ignored, Audit::cache}, flush, 2000, 1},
    {"cache-disable", Verdict::harmless, cache_disable},
}};

} // namespace

std::span<const Case> cacheability_cases() {
    return cases;
}

} // namespace attack
