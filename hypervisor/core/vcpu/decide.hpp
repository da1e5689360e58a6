// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/decide.hpp - every exit of a partition becomes one Exit, every answer one
// Action.
//
// Pure. The vendor layer turns a VMCB or VMCS into an Exit, calls decide(), and carries out the
// Action; it holds no policy. CPUID and simple hypercalls have inline short cuts (answer_cpuid,
// quick_hypercall).
// Trust:      everything in Exit and Registers is the guest's or what the processor reported about
//             it.
// Invariants: I1  decide() counts every refusal before it returns
//             I2  an Action that reaches memory names a range inside one RAM region of the
//                 partition
// Spec:       docs/hypervisor.md rules 8, 12-20.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/vcpu/cpuid.hpp"
#include "hypervisor/core/vcpu/lapic.hpp"
#include "hypervisor/core/vcpu/msr.hpp"
#include "hypervisor/core/vcpu/port.hpp"
#include "hypervisor/core/vcpu/refusal.hpp"
#include "hypervisor/core/vcpu/state.hpp"
#include "partitions/abi/hypercall.h"

#include <span>

namespace vcpu {

struct RamRegion {
    std::uint64_t gpa = 0, bytes = 0;
};

// [gpa, gpa + bytes) lies inside one region; bytes > 0.
[[nodiscard]] bool inside_one(std::span<const RamRegion> ram, base::GuestPhysAddr gpa, std::uint64_t bytes);

inline constexpr std::uint64_t audit_text_max = 256;

constexpr std::uint64_t hypercall_error(unsigned error) {
    return std::uint64_t{0} - error;
}

// What decisions need to know of a partition: written before its vCPUs run, constant for a generation.
struct Policy {
    CpuidTable cpuid;
    std::array<RamRegion, 6> ram{};
    std::uint32_t ram_count = 0;
    std::uint32_t vcpu_count = 1;
    std::uint32_t link_count = 0;         // its ends of wires
    std::uint32_t last_local_vector = 3;  // the APIC's highest entry of its local vector table
    bool corrected_machine_check = false; // MCG_CAP.CMCI_P: an entry for it, MSR 82Fh
    std::uint64_t generation = 1;
    std::array<std::uint64_t, 4> clock{}; // by enum caisson_clock
    [[nodiscard]] std::span<const RamRegion> ram_view() const { return {ram.data(), ram_count}; }
};

// One vCPU's half of the state; owned by the CPU it runs on.
struct Vcpu {
    Registers registers{};
    const Policy* policy = nullptr;
    std::uint32_t index = 0; // in its partition: the virtual x2APIC ID
    std::uint64_t icr = 0;   // last value written
    std::uint64_t xcr0 = 1;
    std::uint64_t pat = pat_reset;
    Uart16550 uart;
    LoopGuard guard;
    Counters counters;
};

enum class ExitKind : std::uint8_t {
    cpuid,
    hypercall,
    port,
    msr_read,
    msr_write,
    xsetbv,
    cache,            // WBINVD, INVD
    bus_lock,         // after the instruction, and nothing else
    counter,          // RDPMC
    forbidden,        // VMRUN VMLOAD VMSAVE CLGI STGI SKINIT INVLPGA MONITOR MWAIT RSM VMXON ...: #UD
    exception,        // #DB, #AC: intercepted only so that their delivery cannot loop; given back
    control_register, // MOV to one that VMX watches: `control_register`, `value`
    machine_check,
    host_event,   // NMI or INTR: for the hypervisor, not about the guest
    nested_fault, // `gpa`
    shutdown,
    invalid,    // VMEXIT_INVALID, failed VM entry
    unexpected, // detail = exit code
};

struct Exit {
    ExitKind kind = ExitKind::unexpected;
    std::uint8_t cpl = 0;
    bool bus_lock = false;        // the guest asserted one as well, whatever `kind` is (VMX)
    std::uint8_t vector = 0;      // exception
    bool has_error_code = false;  // exception
    std::uint32_t error_code = 0; // exception
    std::uint8_t control_register = 0;
    PortAccess port{};         // port
    base::GuestPhysAddr gpa{}; // nested_fault
    std::uint64_t detail = 0;  // unexpected
    std::uint64_t value = 0;   // control_register
    std::uint64_t rip = 0, rsp = 0;
    std::uint64_t cr0 = 0, cr4 = 0;
    std::uint64_t efer = 0; // as the VMCB holds it
};

// The guest's registers already hold the result where one is due. `advance` says whether the instruction is
// skipped.
enum class ActionKind : std::uint8_t {
    resume,
    inject,         // exception `vector`, with `error_code` if `has_error_code`
    write_msr,      // WRMSR(msr, value) on this CPU
    read_lapic,     // EDX:EAX = the register of this CPU's APIC whose x2APIC MSR is `msr`
    write_lapic,    // the same register = value
    read_tsc,       // EDX:EAX = the guest's TSC
    set_efer,       // value, to which the vendor layer adds SVME
    set_pat,        // value
    set_cr0_shadow, // value: the instruction, done again, then passes
    set_xcr0,       // XSETBV(0, value)
    send_ipi,       // ipi
    console_bytes,  // `count` bytes of `value`, first in the low byte; a hypercall then returns how many were
                    // taken in RAX
    console_range,  // [gpa, gpa + count): RAX = bytes taken
    audit_range,    // [gpa, gpa + count): RAX = 0 or -CAISSON_ERROR_RATE
    entropy,        // RDI RSI RDX R10 = 32 random bytes; RAX is 0 already
    read_counter,   // RAX = value of counter `value` (enum caisson_counter) summed over the partition's vCPUs
    lane_ring,      // RAX is 0 already; link `value`
    lane_listen,    // likewise; `vector` on vCPU `count`, which must have been started; vector 0: silent
    lane_state,     // RAX = the other end's generation, link `value`
    finish,         // the payload ended: status, exit_kind
    host_event,     // an NMI or interrupt for the hypervisor
    machine_check,  // the hardware's word, not the guest's: look at the banks
    stop,           // end the generation for `refusal`
};

struct Action {
    ActionKind kind = ActionKind::resume;
    bool advance = false;
    bool report = false;          // `refusal` is due for an audit record now
    bool report_bus_lock = false; // so is a bus lock that came with the exit
    Refusal refusal = Refusal::none;
    bool from_uart = false;     // console_bytes of a port write: RAX stays as it is
    bool errors_stream = false; // console_range: to stream 2
    bool has_error_code = false;
    std::uint8_t vector = 0;
    std::uint8_t status = 0;
    std::uint8_t exit_kind = 0;
    std::uint32_t error_code = 0;
    std::uint32_t msr = 0;
    std::uint64_t value = 0;
    base::GuestPhysAddr gpa{};
    std::uint64_t count = 0;
    Ipi ipi{};
};

[[nodiscard]] Action decide(Vcpu& vcpu, const Exit& exit);

// Instead of an Action of decide() that this CPU answered with #GP: what it lacks, the guest lacks. Nothing has changed.
[[nodiscard]] Action faulted(Vcpu& vcpu, const Exit& exit, ActionKind attempted);

// For the parts of decide(): the answer is complete, skip the instruction; and counting a refusal, whose rule becomes an
// action.
constexpr Action done() {
    return {.advance = true};
}
[[nodiscard]] Action refuse(Vcpu& vcpu, Refusal kind);

// VERSION and unknown numbers at CPL 0, answered on the spot: true = done, skip the instruction. False: call
// decide().
inline bool quick_hypercall(Vcpu& vcpu, std::uint8_t cpl) {
    if (cpl != 0) [[unlikely]]
        return false;
    const std::uint64_t number = vcpu.registers.rax;
    if (number == CAISSON_CALL_VERSION) {
        vcpu.registers.rax = CAISSON_ABI_VERSION;
        return true;
    }
    constexpr auto kind = static_cast<std::size_t>(Refusal::hypercall_number);
    Counters& counters = vcpu.counters;
    if (number > CAISSON_CALL_LANE_STATE && counters.by_kind[kind] + 1 < counters.next_report[kind]) {
        ++counters.refusals;
        ++counters.by_kind[kind];
        vcpu.registers.rax = hypercall_error(CAISSON_ERROR_UNKNOWN);
        return true;
    }
    return false;
}

// A ring of a link that is there, at CPL 0: what decide() would answer with lane_ring.
inline bool rings(const Vcpu& vcpu, std::uint8_t cpl) {
    return cpl == 0 && vcpu.registers.rax == CAISSON_CALL_LANE_RING &&
           vcpu.registers.rdi < vcpu.policy->link_count;
}

} // namespace vcpu
