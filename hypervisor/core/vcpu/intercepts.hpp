// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/intercepts.hpp - what always leaves guest mode on SVM: one constant mask, checked at
// compile time.
//
// Pure. EFER.SVME is set while a guest runs, so VMLOAD, VMSAVE and the rest would reach host-physical memory
// if they did not exit (docs/hypervisor.md rule 13). INTR, HLT, RDTSC, CR and DR accesses are left to the
// guest: no exit. Spec: AMD APM vol. 2 appendix B, table B-1 (VMCB offsets 000h-014h).
#pragma once

#include <cstdint>

namespace vcpu::svm {

struct Intercepts {
    std::uint32_t control_registers; // 000h
    std::uint32_t debug_registers;   // 004h
    std::uint32_t exceptions;        // 008h
    std::uint32_t misc1;             // 00Ch
    std::uint32_t misc2;             // 010h
    std::uint32_t misc3;             // 014h
};

constexpr std::uint32_t bit(unsigned number) {
    return 1u << number;
}

namespace misc1 {
inline constexpr std::uint32_t intr = bit(0), nmi = bit(1), rdpmc = bit(15), cpuid = bit(18), rsm = bit(19),
                               invd = bit(22), hlt = bit(24), invlpga = bit(26), ioio = bit(27),
                               msr = bit(28), shutdown = bit(31);
}
namespace misc2 {
inline constexpr std::uint32_t vmrun = bit(0), vmmcall = bit(1), vmload = bit(2), vmsave = bit(3),
                               stgi = bit(4), clgi = bit(5), skinit = bit(6), wbinvd = bit(9),
                               monitor = bit(10), mwait = bit(11), mwait_armed = bit(12), xsetbv = bit(13),
                               rdpru = bit(14);
}
namespace misc3 {
inline constexpr std::uint32_t invlpgb = bit(0), invlpgb_illegal = bit(1), mcommit = bit(3), tlbsync = bit(4);
}
inline constexpr unsigned vector_db = 1, vector_ac = 17, vector_mc = 18;

inline constexpr Intercepts always{
    .control_registers = 0,
    .debug_registers = 0,
    .exceptions = bit(vector_db) | bit(vector_ac) | bit(vector_mc),
    .misc1 = misc1::nmi | misc1::rdpmc | misc1::cpuid | misc1::rsm | misc1::invd | misc1::invlpga |
             misc1::ioio | misc1::msr | misc1::shutdown,
    .misc2 = misc2::vmrun | misc2::vmmcall | misc2::vmload | misc2::vmsave | misc2::stgi | misc2::clgi |
             misc2::skinit | misc2::wbinvd | misc2::monitor | misc2::mwait | misc2::mwait_armed |
             misc2::xsetbv | misc2::rdpru,
    .misc3 = misc3::invlpgb | misc3::invlpgb_illegal | misc3::mcommit | misc3::tlbsync,
};

constexpr bool has(std::uint32_t word, std::uint32_t bits) {
    return (word & bits) == bits;
}
static_assert(has(always.misc2,
                  misc2::vmrun | misc2::vmload | misc2::vmsave | misc2::clgi | misc2::stgi | misc2::skinit),
              "host-physical memory and GIF are out of a guest's reach");
static_assert(has(always.misc1, misc1::invlpga | misc1::msr | misc1::ioio | misc1::cpuid | misc1::shutdown |
                                    misc1::nmi | misc1::rdpmc | misc1::invd | misc1::rsm));
static_assert(has(always.misc2,
                  misc2::monitor | misc2::mwait | misc2::wbinvd | misc2::xsetbv | misc2::vmmcall));
static_assert(has(always.exceptions, bit(vector_db) | bit(vector_ac) | bit(vector_mc)));
static_assert((always.misc1 & (misc1::intr | misc1::hlt)) == 0, "interrupts and idling cost no exit");

// Intercepts that only exist where CPUID offers them are ignored elsewhere; VMCB bits that are not named stay
// 0.

} // namespace vcpu::svm
