// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/svm.hpp - AMD-V on one CPU: what it offers, switching it on, running a guest.
//
// Invariants: GIF is 0 from enable() on, except in the moments inside idle_until_kick(), take_pending_nmi() and
//             take_pending_interrupts(): no NMI is handled between a check of this CPU's requests and VMRUN (rule 10).
// Spec: AMD APM vol. 2 chapter 15 "Secure Virtual Machine".
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/vcpu/state.hpp"

#include <cstddef>
#include <cstdint>

namespace svm {

// What svm_run needs besides the general registers.
struct Entry {
    vcpu::Registers* registers;
    std::uint64_t vmcb;      // physical, mapped one to one
    std::uint64_t host_vmcb; // physical: the host's own FS, GS, TR, LDTR, STAR ... kept by svm_save_host
    void* context;           // handed to svm_exit
};
static_assert(offsetof(Entry, vmcb) == 8 && offsetof(Entry, host_vmcb) == 16 &&
              offsetof(Entry, context) == 24);
static_assert(offsetof(vcpu::Registers, rbx) == 8 && offsetof(vcpu::Registers, rdi) == 40 &&
              offsetof(vcpu::Registers, rbp) == 48 && offsetof(vcpu::Registers, r8) == 56);

extern "C" {
// Enters the guest again and again, calling svm_exit after each exit until that returns false. Returns true: a state that
// VMRUN refuses is an exit too.
[[nodiscard]] bool svm_run(const Entry* entry);
// The run loop's half in C++ (hypervisor/kernel/run).
bool svm_exit(void* context);
// Stores the host's hidden state where svm_run finds it.
void svm_save_host(std::uint64_t host_vmcb);
// Lets one pending NMI reach the host's handler.
void take_pending_nmi();
// Sleeps until an NMI arrives (arch/x86_64/boot/exceptions.S).
void idle_until_kick();
// Takes every maskable interrupt that is pending, each through drain_entry (exceptions.S).
void take_pending_interrupts();
}

} // namespace svm
