// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/instructions.cpp - the virtualization instructions themselves, MONITOR, RSM and the like.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

// Each as bytes, so that every assembler takes it; RAX and RCX hold a page of one's own and 0.
alignas(4096) std::array<std::uint64_t, 512> page;

#define CAISSON_TRY(name, bytes)                                                                             \
    Verdict name(std::uint64_t, std::uint64_t) {                                                             \
        page.fill(0x5A5A);                                                                                   \
        const Verdict seen = attempt([] {                                                                    \
            asm volatile(".byte " bytes                                                                      \
                         :                                                                                   \
                         : "a"(page.data()), "c"(0), "d"(0), "D"(page.data()), "S"(page.data())              \
                         : "memory");                                                                        \
        });                                                                                                  \
        for (const std::uint64_t word : page)                                                                \
            if (word != 0x5A5A)                                                                              \
                return Verdict::granted;                                                                     \
        return seen;                                                                                         \
    }

CAISSON_TRY(vmrun, "0x0f, 0x01, 0xd8")
CAISSON_TRY(vmload, "0x0f, 0x01, 0xda")
CAISSON_TRY(vmsave, "0x0f, 0x01, 0xdb")
CAISSON_TRY(stgi, "0x0f, 0x01, 0xdc")
CAISSON_TRY(clgi, "0x0f, 0x01, 0xdd")
CAISSON_TRY(skinit, "0x0f, 0x01, 0xde")
CAISSON_TRY(invlpga, "0x0f, 0x01, 0xdf")
CAISSON_TRY(vmxon, "0xf3, 0x0f, 0xc7, 0x30")
CAISSON_TRY(vmxoff, "0x0f, 0x01, 0xc4")
CAISSON_TRY(vmclear, "0x66, 0x0f, 0xc7, 0x30")
CAISSON_TRY(vmptrld, "0x0f, 0xc7, 0x30")
CAISSON_TRY(vmptrst, "0x0f, 0xc7, 0x38")
CAISSON_TRY(vmlaunch, "0x0f, 0x01, 0xc2")
CAISSON_TRY(vmresume, "0x0f, 0x01, 0xc3")
CAISSON_TRY(vmread, "0x0f, 0x78, 0xc8")
CAISSON_TRY(vmwrite, "0x0f, 0x79, 0xc8")
CAISSON_TRY(invept, "0x66, 0x0f, 0x38, 0x80, 0x08")
CAISSON_TRY(invvpid, "0x66, 0x0f, 0x38, 0x81, 0x08")
CAISSON_TRY(vmfunc, "0x0f, 0x01, 0xd4")
CAISSON_TRY(getsec, "0x0f, 0x37")
CAISSON_TRY(encls, "0x0f, 0x01, 0xcf")
CAISSON_TRY(pconfig, "0x0f, 0x01, 0xc5")
CAISSON_TRY(rsm, "0x0f, 0xaa")
CAISSON_TRY(monitor, "0x0f, 0x01, 0xc8")
CAISSON_TRY(mwait, "0x0f, 0x01, 0xc9")
CAISSON_TRY(umwait, "0xf2, 0x0f, 0xae, 0xf0")
CAISSON_TRY(rdpru, "0x0f, 0x01, 0xfd")
CAISSON_TRY(enqcmds, "0xf3, 0x0f, 0x38, 0xf8, 0x00")
#undef CAISSON_TRY

// Hidden by CPUID, so #UD without an exit on either: the processor does not offer the other vendor's.
constexpr Expected of_amd{{Verdict::ud, Audit::instruction}, {Verdict::ud}};
constexpr Expected of_intel{{Verdict::ud}, {Verdict::ud, Audit::instruction}};

// QEMU's translator takes the forms with a memory operand for no operation where there is no VMX.
constexpr std::array<Case, 28> cases{{
    {"vmrun", of_amd, vmrun},
    {"vmload", of_amd, vmload},
    {"vmsave", of_amd, vmsave},
    {"stgi", of_amd, stgi},
    {"clgi", of_amd, clgi},
    {"skinit", of_amd, skinit},
    {"invlpga", of_amd, invlpga},
    {"vmxon", of_intel, vmxon, 0, 0, on_intel},
    {"vmxoff", of_intel, vmxoff},
    {"vmclear", of_intel, vmclear, 0, 0, on_intel},
    {"vmptrld", of_intel, vmptrld, 0, 0, on_intel},
    {"vmptrst", of_intel, vmptrst, 0, 0, on_intel},
    {"vmlaunch", of_intel, vmlaunch},
    {"vmresume", of_intel, vmresume},
    {"vmread", of_intel, vmread},
    {"vmwrite", of_intel, vmwrite},
    {"invept", of_intel, invept},
    {"invvpid", of_intel, invvpid},
    {"vmfunc", Verdict::ud, vmfunc},
    {"getsec", Verdict::ud, getsec},
    {"encls", Verdict::ud, encls},
    {"pconfig", Verdict::ud, pconfig},
    {"rsm", Verdict::ud, rsm},
    {"monitor", ud_instruction, monitor},
    {"mwait", ud_instruction, mwait},
    {"umwait", Verdict::ud, umwait},
    {"rdpru", Verdict::ud, rdpru},
    {"enqcmds", Verdict::ud, enqcmds},
}};

} // namespace

std::span<const Case> instruction_cases() {
    return cases;
}

} // namespace attack
