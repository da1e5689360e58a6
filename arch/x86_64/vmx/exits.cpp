// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/exits.hpp"

#include <array>

namespace vmx {
namespace {

using vcpu::ExitKind;

constexpr std::size_t reasons = 80;

constexpr std::array<ExitKind, reasons> make_kinds() {
    using namespace exit_reason;
    std::array<ExitKind, reasons> kinds{};
    kinds.fill(ExitKind::unexpected);
    kinds[interrupt] = kinds[init] = kinds[preemption_timer] = ExitKind::host_event;
    kinds[triple_fault] = ExitKind::shutdown;
    kinds[cpuid] = ExitKind::cpuid;
    kinds[vmcall] = ExitKind::hypercall;
    kinds[invd] = kinds[wbinvd] = ExitKind::cache;
    kinds[bus_lock] = ExitKind::bus_lock;
    kinds[rdpmc] = ExitKind::counter;
    kinds[control_register] = ExitKind::control_register;
    kinds[io] = ExitKind::port;
    kinds[rdmsr] = ExitKind::msr_read;
    kinds[wrmsr] = ExitKind::msr_write;
    kinds[xsetbv] = ExitKind::xsetbv;
    kinds[ept_violation] = ExitKind::nested_fault;
    for (std::uint32_t reason = vmx_first; reason <= vmx_last; ++reason)
        kinds[reason] = ExitKind::forbidden;
    for (const std::uint32_t reason : {getsec, rsm, mwait, monitor, invept, invvpid, vmfunc, encls, xsaves,
                                       xrstors, pconfig, umwait, tpause})
        kinds[reason] = ExitKind::forbidden;
    return kinds;
}
constexpr std::array<ExitKind, reasons> kinds = make_kinds();

} // namespace

ExitKind kind_of(std::uint32_t reason) {
    if ((reason & exit_reason::entry_failed) != 0)
        return ExitKind::invalid;
    return reason < reasons ? kinds[reason] : ExitKind::unexpected;
}

ExitKind kind_of_interruption(std::uint32_t information) {
    constexpr std::uint8_t vector_db = 1, vector_ac = 17, vector_mc = 18;
    if (interruption_type(information) == type_nmi)
        return ExitKind::host_event;
    const auto vector = static_cast<std::uint8_t>(information);
    if (vector == vector_mc)
        return ExitKind::machine_check;
    return vector == vector_db || vector == vector_ac ? ExitKind::exception : ExitKind::unexpected;
}

std::uint64_t general_register(const vcpu::Registers& registers, unsigned index) {
    const vcpu::Registers& r = registers;
    const std::array<std::uint64_t, 16> in_order{r.rax, r.rcx, r.rdx, r.rbx, 0,     r.rbp, r.rsi, r.rdi,
                                                 r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
    return in_order[index & 15];
}

} // namespace vmx
