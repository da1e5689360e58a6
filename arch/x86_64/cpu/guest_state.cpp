// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/cpu/guest_state.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/base/fail.hpp"

#include <array>

namespace cpu {
namespace {

// An XSAVE image that says "everything as after reset": XSTATE_BV is 0, only MXCSR is read.
struct alignas(64) InitialExtendedState {
    std::array<std::uint8_t, 24> legacy{0x7f, 0x03}; // FCW
    std::uint32_t mxcsr = 0x1f80;
    std::array<std::uint8_t, 1024 - 28> rest{};
};
constexpr InitialExtendedState initial{};

} // namespace

void reset_guest_state() {
    if ((cpuid(1).ecx >> 27 & 1) == 0) { // OSXSAVE
        // SAFETY: reads 512 bytes of a constant; changes vector registers only, which no host code uses.
        asm volatile("fxrstor64 %0" : : "m"(initial));
    } else {
        const CpuidResult leaf = cpuid(0xd);
        xsetbv(0, std::uint64_t{leaf.edx} << 32 | leaf.eax);
        // SAFETY: as above; all components the CPU has go to their initial state.
        asm volatile("xrstor64 %0" : : "m"(initial), "a"(0xffffffff), "d"(0xffffffff));
        xsetbv(0, 1);
    }
    // SAFETY: the host sets no breakpoint; DR7 is the host's constant while in the host.
    asm volatile("mov %0, %%db0; mov %0, %%db1; mov %0, %%db2; mov %0, %%db3" : : "r"(std::uint64_t{0}));
    write_cr<2>(0);                             // no VMCS holds it, and Bochs's VMRUN does not load it
    if ((cpuid(0x80000001).edx >> 27 & 1) != 0) // RDTSCP
        wrmsr(msr::tsc_aux, 0);
}

void scrub(std::span<std::byte> memory) {
    base::expects(memory.size() % 256 == 0, "scrub: not whole pages");
    std::byte* at = memory.data();
    std::byte* const end = at + memory.size();
    // SAFETY: no host code uses vector registers, and no guest's state is in them (guest_state.hpp).
    asm volatile("pxor %%xmm0, %%xmm0" : :);
    while (at != end) {
        // SAFETY: [at, at + 256) lies inside the span, which is aligned to 16.
        asm volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
                     "movntdq %%xmm0, 16 * \\n(%0)\n"
                     ".endr"
                     :
                     : "r"(at)
                     : "memory");
        at += 256;
    }
    asm volatile("sfence" : : : "memory"); // SAFETY: orders the stores above
}

} // namespace cpu
