// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/vmx.hpp - Intel VT-x on one CPU: what it offers, switching it on, running a guest.
//
// A CPU runs one vCPU for good, so that vCPU's VMCS stays the current one from prepare() on.
// Invariants: an NMI that arrives while the host runs is taken at once. Where it hits the way into the guest after the
//             requests were looked at (run.S), or the idle loop before its HLT, nmi_entry moves RIP on (rule 10).
// Spec: Intel SDM vol. 3 "Introduction to Virtual Machine Extensions", "VMX Instruction Reference".
#pragma once

#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/vmx/exits.hpp"
#include "arch/x86_64/vmx/prepare.hpp"
#include "hypervisor/base/text.hpp"
#include "hypervisor/core/audit/vmcs_state.hpp"

#include <atomic>

namespace vmx {

// The current VMCS. A VMREAD or VMWRITE that fails is our own bug: the fields are constants.
struct Current {
    template <typename F> [[nodiscard]] typename F::Value read(F) const {
        return static_cast<typename F::Value>(read_raw(F::encoding));
    }
    template <WritableField F> void write(F, typename F::Value value) { write_raw(F::encoding, value); }
    // What a refused entry is explained with (audit/vmcs_state.hpp).
    [[nodiscard]] static base::Text<512> state_text() {
        base::Text<512> text;
        for (const std::uint16_t encoding : audit::vmcs_state)
            text << base::hex(read_raw(encoding)) << ',';
        return text;
    }

private:
    static std::uint64_t read_raw(std::uint64_t encoding) {
        std::uint64_t value = 0;
        bool good = false;
        // SAFETY: VMX operation is on; reads one field.
        asm volatile("vmread %2, %0" : "=r"(value), "=@cca"(good) : "r"(encoding));
        if (!good) [[unlikely]]
            failed("VMREAD");
        return value;
    }
    static void write_raw(std::uint64_t encoding, std::uint64_t value) {
        bool good = false;
        // SAFETY: as above; what a field means for the guest is decided by the callers.
        asm volatile("vmwrite %2, %1" : "=@cca"(good) : "r"(encoding), "r"(value) : "memory");
        if (!good) [[unlikely]]
            failed("VMWRITE");
    }
    [[noreturn]] static void failed(const char* instruction);
};

// Every translation of guests on this CPU.
void flush_translations();

// Makes `vmcs` (one frame, marked) the current one, not launched.
void make_current(base::PhysAddr vmcs);

// The VMCS, once boot has set it up, becomes a guest about to start in `state`.
void prepare(base::PhysAddr vmcs, const vcpu::InitialState& state);

// The half of inject() that is not in the VMCS: DR6 after a debug trap.
void inject(const vcpu::Action& action);

// What vmx_run needs besides the current VMCS.
struct Entry {
    vcpu::Registers* registers;
    const std::atomic<std::uint32_t>* requests; // of this CPU: not entered while any is set
    void* context;                              // handed to vmx_exit
    std::uint64_t launched;
};
static_assert(offsetof(Entry, requests) == 8 && offsetof(Entry, context) == 16 &&
              offsetof(Entry, launched) == 24);

extern "C" {
// Enters the guest again and again, calling vmx_exit after each exit until that returns false or a request is set.
// False: the CPU refused VMLAUNCH or VMRESUME.
[[nodiscard]] bool vmx_run(Entry* entry);
// The run loop's half in C++ (hypervisor/kernel/run).
bool vmx_exit(void* context);
// Sleeps until an NMI arrives, unless bit 0 of *requests is set.
void vmx_idle(const std::atomic<std::uint32_t>* requests);
// Where an NMI ended the guest, NMIs are blocked: calls the host's handler, whose IRET unblocks them.
void vmx_take_nmi();
void vmx_take_interrupts();
extern const char vmx_exited[];
}

} // namespace vmx
