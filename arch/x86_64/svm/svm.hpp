// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/svm.hpp - AMD-V on one CPU: what it offers, switching it on, running a guest.
//
// Invariants: GIF is 0 from enable() on, but for the moment inside idle_until_kick() and take_pending_nmi():
// no NMI
//             is handled between a check of this CPU's requests and VMRUN (rule 10).
// Spec: AMD APM vol. 2 chapter 15 "Secure Virtual Machine".
#pragma once

#include "arch/x86_64/svm/vmcb.hpp"
#include "hypervisor/base/address.hpp"

#include <cstdint>

namespace svm {

struct Features {
    bool svm = false;                  // CPUID 80000001 ECX.SVM
    bool nested_paging = false;        // 8000000A EDX.0
    bool next_rip = false;             // EDX.3
    bool flush_by_asid = false;        // EDX.6
    bool disabled_by_firmware = false; // VM_CR.SVMDIS
    std::uint32_t asid_count = 0;
};
[[nodiscard]] Features features();

// What is missing on this machine and where to switch it on, or nullptr.
[[nodiscard]] const char* missing(const Features& found);

// EFER.SVME and the host save area; leaves GIF = 0.
void enable(base::PhysAddr host_save_area);

// General registers that VMRUN does not switch, and what the entry stub needs. The stub (run.S) knows the
// offsets.
struct GuestRegisters {
    std::uint64_t rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    std::uint64_t vmcb;      // physical
    std::uint64_t host_vmcb; // physical: the host's own FS, GS, TR, LDTR, STAR ... kept by VMSAVE
};
static_assert(offsetof(GuestRegisters, r8) == 48 && offsetof(GuestRegisters, vmcb) == 112 &&
              offsetof(GuestRegisters, host_vmcb) == 120 && sizeof(GuestRegisters) == 128);

extern "C" {
// Enters the guest again and again, calling svm_exit after each exit until that returns false.
void svm_run(GuestRegisters* registers);
// The run loop's half in C++ (hypervisor/kernel/run).
bool svm_exit(GuestRegisters* registers);
// Stores the host's hidden state where svm_run finds it.
void svm_save_host(std::uint64_t host_vmcb);
// Lets one pending NMI reach the host's handler.
void take_pending_nmi();
// Sleeps until an NMI arrives (arch/x86_64/boot/exceptions.S).
void idle_until_kick();
}

} // namespace svm
