// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/decide.cpp - from exits to actions; MSRs are in decide_msr.cpp.
#include "hypervisor/core/vcpu/decide.hpp"

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/decide_parts.hpp"

namespace vcpu {
namespace {

constexpr std::uint8_t vector_ud = 6, vector_gp = 13;
constexpr std::uint64_t cr4_osxsave = 1u << 18;
constexpr std::uint64_t cr0_nw = 1u << 29, cr0_cd = 1u << 30;

// A digest of what a guest can change between two exits at the same place.
std::uint64_t fingerprint(const Registers& r, std::uint64_t rsp) {
    std::uint64_t digest = rsp;
    for (const std::uint64_t value : {r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10,
                                      r.r11, r.r12, r.r13, r.r14, r.r15})
        digest = (digest ^ value) * 0x9E3779B97F4A7C15;
    return digest;
}

Action on_hypercall(Vcpu& vcpu, const Exit& exit) {
    if (exit.cpl != 0)
        return refuse(vcpu, Refusal::hypercall_privilege);
    const Policy& policy = *vcpu.policy;
    const Hypercall call = decode_hypercall(vcpu.registers, policy.ram_view());
    std::uint64_t& result = vcpu.registers.rax;
    switch (call.kind) {
    case HypercallKind::version:
        result = CAISSON_ABI_VERSION;
        return done();
    case HypercallKind::clock:
        result = policy.clock[call.selector];
        return done();
    case HypercallKind::counter:
        if (call.selector == CAISSON_COUNTER_GENERATION) {
            result = policy.generation;
            return done();
        }
        return {.kind = ActionKind::read_counter, .advance = true, .value = call.selector};
    case HypercallKind::console_put:
        return {.kind = ActionKind::console_bytes, .advance = true, .value = call.value, .count = call.bytes};
    case HypercallKind::console_write:
        return {.kind = ActionKind::console_range, .advance = true, .gpa = call.gpa, .count = call.bytes};
    case HypercallKind::audit:
        return {.kind = ActionKind::audit_range, .advance = true, .gpa = call.gpa, .count = call.bytes};
    case HypercallKind::entropy:
        result = 0;
        return {.kind = ActionKind::entropy, .advance = true};
    case HypercallKind::exit:
        return {.kind = ActionKind::finish, .status = call.status, .exit_kind = call.exit_kind};
    case HypercallKind::unknown:
        result = hypercall_error(CAISSON_ERROR_UNKNOWN);
        return refuse(vcpu, Refusal::hypercall_number);
    case HypercallKind::bad_argument:
        result = hypercall_error(CAISSON_ERROR_ARGUMENT);
        return refuse(vcpu, Refusal::hypercall_argument);
    }
    return refuse(vcpu, Refusal::unexpected);
}

// The bytes an IN writes: AL, AX or EAX (which clears the upper half, as every 32-bit result does).
void put_in(Registers& registers, std::uint8_t bytes, std::uint32_t value) {
    if (bytes == 1)
        registers.rax = (registers.rax & ~std::uint64_t{0xFF}) | (value & 0xFF);
    else if (bytes == 2)
        registers.rax = (registers.rax & ~std::uint64_t{0xFFFF}) | (value & 0xFFFF);
    else
        registers.rax = value;
}

Action on_port(Vcpu& vcpu, const Exit& exit) {
    const PortAccess& access = exit.port;
    if (access.string)
        return refuse(vcpu, Refusal::port_string);
    const PortClass kind = classify_port(access.port);
    if (kind == PortClass::uart && access.bytes == 1) {
        if (access.in) {
            put_in(vcpu.registers, 1, vcpu.uart.read(access.port));
            return done();
        }
        const auto sent = vcpu.uart.write(access.port, static_cast<std::uint8_t>(vcpu.registers.rax));
        if (!sent)
            return done();
        return {.kind = ActionKind::console_bytes,
                .advance = true,
                .from_uart = true,
                .value = *sent,
                .count = 1};
    }
    if (access.in)
        put_in(vcpu.registers, access.bytes, 0xFFFFFFFF);
    return refuse(vcpu, kind == PortClass::legacy ? Refusal::port_legacy : Refusal::port);
}

Action on_xsetbv(Vcpu& vcpu, const Exit& exit) {
    if ((exit.cr4 & cr4_osxsave) == 0)
        return {.kind = ActionKind::inject, .vector = vector_ud};
    const std::uint64_t value = edx_eax(vcpu.registers);
    if (exit.cpl != 0 || static_cast<std::uint32_t>(vcpu.registers.rcx) != 0 ||
        !xcr0_valid(value, vcpu.policy->cpuid.xcr0_allowed))
        return refuse(vcpu, Refusal::xcr0);
    vcpu.xcr0 = value;
    return {.kind = ActionKind::set_xcr0, .advance = true, .value = value};
}

// VMX: CR4 exits only for bits that are not offered. CR0 exits for NE, CD and NW, which change nothing but what the guest
// reads; the processor checks the rest when the instruction runs again.
Action on_control_register(Vcpu& vcpu, const Exit& exit) {
    const bool inconsistent = (exit.value & cr0_nw) != 0 && (exit.value & cr0_cd) == 0;
    if (exit.control_register != 0 || inconsistent)
        return refuse(vcpu, Refusal::control_register);
    return {.kind = ActionKind::set_cr0_shadow, .value = exit.value};
}

Action dispatch(Vcpu& vcpu, const Exit& exit) {
    switch (exit.kind) {
    case ExitKind::cpuid:
        answer_cpuid(vcpu.policy->cpuid, vcpu.registers, [&] {
            return CpuidState{vcpu.index, exit.cr4, vcpu.xcr0};
        });
        return done();
    case ExitKind::hypercall:
        return on_hypercall(vcpu, exit);
    case ExitKind::port:
        return on_port(vcpu, exit);
    case ExitKind::msr_read:
        return on_msr_read(vcpu, exit);
    case ExitKind::msr_write:
        return on_msr_write(vcpu, exit);
    case ExitKind::xsetbv:
        return on_xsetbv(vcpu, exit);
    case ExitKind::cache:
        return refuse(vcpu, Refusal::cache);
    case ExitKind::bus_lock:
        return refuse(vcpu, Refusal::bus_lock);
    case ExitKind::counter:
        return refuse(vcpu, Refusal::counter);
    case ExitKind::forbidden:
        return refuse(vcpu, Refusal::instruction);
    case ExitKind::exception:
        return {.kind = ActionKind::inject,
                .has_error_code = exit.has_error_code,
                .vector = exit.vector,
                .error_code = exit.error_code};
    case ExitKind::control_register:
        return on_control_register(vcpu, exit);
    case ExitKind::machine_check:
        return {.kind = ActionKind::machine_check};
    case ExitKind::host_event:
        return {.kind = ActionKind::host_event};
    case ExitKind::nested_fault:
        return refuse(vcpu, Refusal::nested_fault);
    case ExitKind::shutdown:
        if (base::weak(base::Weakness::survive_fault))
            return {.kind = ActionKind::inject, .vector = vector_ud};
        return refuse(vcpu, Refusal::shutdown);
    case ExitKind::invalid:
        return refuse(vcpu, Refusal::invalid);
    case ExitKind::unexpected:
        return refuse(vcpu, Refusal::unexpected);
    }
    return refuse(vcpu, Refusal::unexpected);
}

} // namespace

Action refuse(Vcpu& vcpu, Refusal kind) {
    Action action{.report = vcpu.counters.refuse(kind), .refusal = kind};
    switch (rule_of(kind).response) {
    case Response::none:
        break;
    case Response::ignore:
    case Response::error_result:
        action.advance = true;
        break;
    case Response::inject_ud:
        action.kind = ActionKind::inject;
        action.vector = vector_ud;
        break;
    case Response::inject_gp:
        action.kind = ActionKind::inject;
        action.vector = vector_gp;
        action.has_error_code = true;
        break;
    case Response::stop_partition:
        action.kind = ActionKind::stop;
        break;
    }
    return action;
}

Action decide(Vcpu& vcpu, const Exit& exit) {
    const Action action = dispatch(vcpu, exit);
    if (action.kind == ActionKind::inject && !action.advance &&
        vcpu.guard.note(vcpu.counters.exits, exit.rip, fingerprint(vcpu.registers, exit.rsp))) [[unlikely]]
        return refuse(vcpu, Refusal::loop);
    return action;
}

} // namespace vcpu
