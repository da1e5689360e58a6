// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/decide.cpp - from exits to actions; the local APIC is in lapic.cpp.
#include "hypervisor/core/vcpu/decide.hpp"

#if CAISSON_WEAK
#include "hypervisor/core/vcpu/weak_decision_test.hpp"
#endif

namespace vcpu {
namespace {

constexpr std::uint8_t vector_ud = 6, vector_gp = 13;
constexpr std::uint64_t cr4_osxsave = 1u << 18;
constexpr std::uint64_t apic_base_value = 0xFEE00000 | 1u << 11 | 1u << 10; // enabled, x2APIC
constexpr std::uint64_t apic_boot_cpu = 1u << 8;
constexpr std::uint64_t console_write_max = 4096, console_put_max = 8, exit_status_max = 255;
constexpr std::uint64_t first_lane_vector = 32, last_vector = 255;

// A digest of what a guest can change between two exits at the same place.
std::uint64_t fingerprint(const Registers& r, std::uint64_t rsp) {
    std::uint64_t digest = rsp;
    for (const std::uint64_t value : {r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10,
                                      r.r11, r.r12, r.r13, r.r14, r.r15})
        digest = (digest ^ value) * 0x9E3779B97F4A7C15;
    return digest;
}

// Where a link's rings may go: an interrupt that is no exception, to a vCPU that there is; 0: nowhere.
bool may_listen(const Policy& policy, std::uint64_t vector, std::uint64_t vcpu) {
    const bool deliverable = vector >= first_lane_vector && vector <= last_vector;
    return (vector == 0 || deliverable) && vcpu < policy.vcpu_count;
}

Action on_hypercall(Vcpu& vcpu, const Exit& exit) {
    if (exit.cpl != 0)
        return refuse(vcpu, Refusal::hypercall_privilege);
    const Policy& policy = *vcpu.policy;
    const std::uint64_t first = vcpu.registers.rdi, second = vcpu.registers.rsi;
    std::uint64_t& result = vcpu.registers.rax;
    const auto answer = [&](std::uint64_t value) {
        result = value;
        return done();
    };
    const auto bad_argument = [&] {
        result = hypercall_error(CAISSON_ERROR_ARGUMENT);
        return refuse(vcpu, Refusal::hypercall_argument);
    };
    const auto range = [&](ActionKind kind, std::uint64_t limit) {
        const base::GuestPhysAddr at{first};
        if (second > limit || !inside_one(policy.ram_view(), at, second))
            return bad_argument();
        return Action{.kind = kind, .advance = true, .gpa = at, .count = second};
    };
    switch (result) {
    case CAISSON_CALL_VERSION:
        return answer(CAISSON_ABI_VERSION);
    case CAISSON_CALL_CONSOLE_WRITE:
        return range(ActionKind::console_range, console_write_max);
    case CAISSON_CALL_CONSOLE_WRITE_STREAM: {
        const std::uint64_t stream = vcpu.registers.rdx;
        if (stream != CAISSON_STREAM_OUTPUT && stream != CAISSON_STREAM_ERRORS)
            return bad_argument();
        Action action = range(ActionKind::console_range, console_write_max);
        action.errors_stream = stream == CAISSON_STREAM_ERRORS;
        return action;
    }
    case CAISSON_CALL_CONSOLE_PUT:
        if (second == 0 || second > console_put_max)
            return bad_argument();
        return {.kind = ActionKind::console_bytes, .advance = true, .value = first, .count = second};
    case CAISSON_CALL_EXIT:
        if (first > exit_status_max || second > CAISSON_EXIT_FAULT)
            return bad_argument();
        return {.kind = ActionKind::finish,
                .status = static_cast<std::uint8_t>(first),
                .exit_kind = static_cast<std::uint8_t>(second)};
    case CAISSON_CALL_CLOCK:
        return first < policy.clock.size() ? answer(policy.clock[first]) : bad_argument();
    case CAISSON_CALL_ENTROPY:
        result = 0;
        return {.kind = ActionKind::entropy, .advance = true};
    case CAISSON_CALL_COUNTER:
        if (first == CAISSON_COUNTER_GENERATION)
            return answer(policy.generation);
        if (first > CAISSON_COUNTER_GENERATION)
            return bad_argument();
        return {.kind = ActionKind::read_counter, .advance = true, .value = first};
    case CAISSON_CALL_AUDIT:
        return range(ActionKind::audit_range, audit_text_max);
    case CAISSON_CALL_LANE_RING:
    case CAISSON_CALL_LANE_LISTEN:
    case CAISSON_CALL_LANE_STATE: {
        const std::uint64_t index = vcpu.registers.rdx;
        const bool listen = result == CAISSON_CALL_LANE_LISTEN;
        if (first >= policy.link_count || (listen && !may_listen(policy, second, index)))
            return bad_argument();
        const ActionKind kind = listen                             ? ActionKind::lane_listen
                                : result == CAISSON_CALL_LANE_RING ? ActionKind::lane_ring
                                                                   : ActionKind::lane_state;
        result = 0;
        return {.kind = kind,
                .advance = true,
                .vector = static_cast<std::uint8_t>(second),
                .value = first,
                .count = index};
    }
    default:
        result = hypercall_error(CAISSON_ERROR_UNKNOWN);
        return refuse(vcpu, Refusal::hypercall_number);
    }
}

Action on_msr_read(Vcpu& vcpu, const Exit& exit) {
    const auto index = static_cast<std::uint32_t>(vcpu.registers.rcx);
    const auto answer = [&](std::uint64_t value) {
        set_edx_eax(vcpu.registers, value);
        return done();
    };
    if (is_lapic(index))
        return lapic_read(vcpu, index);
    switch (index) {
    case msr::tsc:
        return {.kind = ActionKind::read_tsc, .advance = true};
    case msr::apic_base:
        return answer(apic_base_value | (vcpu.index == 0 ? apic_boot_cpu : 0));
    case msr::pat:
        return answer(vcpu.pat);
    case msr::efer:
        return answer(exit.efer & ~efer_svme);
    // Constants because kernels look at them without being prepared for #GP.
    case msr::microcode:
        return answer(0);
    case msr::misc_enable:
        return answer(1); // fast strings
    case msr::hwcr:
        return answer(1u << 24); // TscFreqSel: the TSC runs at the P0 frequency
    default:
        return refuse(vcpu, Refusal::msr_read);
    }
}

Action write_efer(Vcpu& vcpu, const Exit& exit, std::uint64_t value) {
    if ((value & ~vcpu.policy->cpuid.efer_allowed) != 0)
        return refuse(vcpu, Refusal::msr_write);
    if (((value ^ exit.efer) & efer_lme) != 0 && (exit.cr0 & cr0_paging) != 0)
        return refuse(vcpu, Refusal::msr_write);
    // LMA is the processor's: what the guest writes there has no effect.
    const std::uint64_t next = (value & ~efer_lma) | (exit.efer & efer_lma);
    return {.kind = ActionKind::set_efer, .advance = true, .value = next};
}

Action on_msr_write(Vcpu& vcpu, const Exit& exit) {
    const auto index = static_cast<std::uint32_t>(vcpu.registers.rcx);
    const std::uint64_t value = edx_eax(vcpu.registers);
    if (is_lapic(index))
        return lapic_write(vcpu, index, value);
    if (index == msr::efer)
        return write_efer(vcpu, exit, value);
    if (index == msr::pat && (value == pat_reset || value == pat_linux)) {
        vcpu.pat = value;
        return {.kind = ActionKind::set_pat, .advance = true, .value = value};
    }
    if (index == msr::tsc_aux && value <= UINT32_MAX && offers_tsc_aux(vcpu.policy->cpuid))
        return {.kind = ActionKind::write_msr, .advance = true, .msr = index, .value = value};
    return refuse(vcpu, Refusal::msr_write);
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
    return {.kind = ActionKind::set_xcr0, .advance = true, .value = value};
}

// VMX: CR4 exits only for bits that are not offered. CR0 exits for NE, CD and NW, which change nothing but what the guest
// reads; the processor checks the rest when the instruction runs again.
Action on_control_register(Vcpu& vcpu, const Exit& exit) {
    const bool inconsistent =
        (exit.value & cr0_not_write_through) != 0 && (exit.value & cr0_cache_disable) == 0;
    if (exit.control_register != 0 || inconsistent)
        return refuse(vcpu, Refusal::control_register);
    return {.kind = ActionKind::set_cr0_shadow, .value = exit.value};
}

Action dispatch(Vcpu& vcpu, const Exit& exit) {
    switch (exit.kind) {
    case ExitKind::cpuid:
        answer_cpuid(vcpu.policy->cpuid, vcpu.registers,
                     {vcpu.index, static_cast<std::uint32_t>(exit.cr4), vcpu.xcr0});
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
    const Response response = rule_of(kind).response;
    Action action{
        .advance = response == Response::skip, .report = vcpu.counters.refuse(kind), .refusal = kind};
    if (response == Response::stop_partition) {
        action.kind = ActionKind::stop;
    } else if (response == Response::inject_ud || response == Response::inject_gp) {
        action.kind = ActionKind::inject;
        action.has_error_code = response == Response::inject_gp;
        action.vector = action.has_error_code ? vector_gp : vector_ud;
    }
    return action;
}

bool inside_one(std::span<const RamRegion> ram, base::GuestPhysAddr gpa, std::uint64_t bytes) {
    for (const RamRegion& region : ram)
        if (const std::uint64_t offset = gpa.value() - region.gpa; offset < region.bytes)
            return bytes != 0 && bytes <= region.bytes - offset;
    return false;
}

namespace {

Action stop_loops(Vcpu& vcpu, const Exit& exit, const Action& action) {
    if (action.kind == ActionKind::inject &&
        vcpu.guard.note(vcpu.counters.exits, exit.rip, fingerprint(vcpu.registers, exit.rsp))) [[unlikely]]
        return refuse(vcpu, Refusal::loop);
    return action;
}

} // namespace

Action decide(Vcpu& vcpu, const Exit& exit) {
#if CAISSON_WEAK
    if (const auto instead = weak_decision(vcpu, exit))
        return *instead;
#endif
    const bool report =
        exit.bus_lock && exit.kind != ExitKind::bus_lock && vcpu.counters.refuse(Refusal::bus_lock);
    Action action = stop_loops(vcpu, exit, dispatch(vcpu, exit));
    action.report_bus_lock = report;
    return action;
}

Action faulted(Vcpu& vcpu, const Exit& exit, ActionKind attempted) {
    const Refusal kind = attempted == ActionKind::read_lapic ? Refusal::msr_read
                         : attempted == ActionKind::set_xcr0 ? Refusal::xcr0
                                                             : Refusal::msr_write;
    return stop_loops(vcpu, exit, refuse(vcpu, kind));
}

} // namespace vcpu
