// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/weak_decision_test.hpp - the one override of the vCPU's policy: what caisson_weak.elf decides instead of
// decide.cpp and lapic.cpp, weakness by weakness (qemu-tests/weak/weaknesses.txt). No product build includes it.
#pragma once

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/decide.hpp"

#include <optional>

namespace vcpu {

// A hypercall that names a range, taken for good.
inline std::optional<Action> weak_range(const Vcpu& vcpu) {
    const Registers& r = vcpu.registers;
    const base::GuestPhysAddr at{r.rdi};
    const auto ram = vcpu.policy->ram_view();
    const bool note = r.rax == CAISSON_CALL_AUDIT, stream = r.rax == CAISSON_CALL_CONSOLE_WRITE_STREAM;
    if (!note && !stream && r.rax != CAISSON_CALL_CONSOLE_WRITE)
        return {};
    const bool one_too_far = !inside_one(ram, at, r.rsi) && inside_one(ram, at, r.rsi - 1);
    const bool crossed = base::weak("crossed_streams") && !note && inside_one(ram, at, r.rsi);
    if (!(base::weak("any_length") && !note) && !(base::weak("any_stream") && stream) &&
        !(base::weak("loose_range") && one_too_far) && !crossed)
        return {};
    return Action{.kind = note ? ActionKind::audit_range : ActionKind::console_range,
                  .advance = true,
                  .errors_stream = (stream && r.rdx == CAISSON_STREAM_ERRORS) != crossed,
                  .gpa = at,
                  .count = r.rsi};
}

// A link's rings as any vector.
inline std::optional<Action> weak_listen(Vcpu& vcpu) {
    const Registers& r = vcpu.registers;
    if (r.rax != CAISSON_CALL_LANE_LISTEN || r.rdi >= vcpu.policy->link_count ||
        r.rdx >= vcpu.policy->vcpu_count || !base::weak("any_vector"))
        return {};
    vcpu.registers.rax = 0;
    return Action{.kind = ActionKind::lane_listen,
                  .advance = true,
                  .vector = static_cast<std::uint8_t>(r.rsi),
                  .value = r.rdi,
                  .count = r.rdx};
}

inline std::optional<Action> weak_msr_write(Vcpu& vcpu) {
    const auto index = static_cast<std::uint32_t>(vcpu.registers.rcx);
    const std::uint64_t value = edx_eax(vcpu.registers);
    const bool local_vector = index == 0x82F || (index >= 0x832 && index <= 0x837);
    if (local_vector && base::weak("any_delivery"))
        return Action{.kind = ActionKind::write_lapic, .advance = true, .msr = index, .value = value};
    if (index == msr::efer && (value & ~vcpu.policy->cpuid.efer_allowed) != 0 && base::weak("any_efer"))
        return done();
    if (index == msr::pat && base::weak("any_pat")) {
        vcpu.pat = value;
        return Action{.kind = ActionKind::set_pat, .advance = true, .value = value};
    }
    if (index == msr::tsc && base::weak("writable_tsc"))
        return done();
    return {};
}

inline std::optional<Action> weak_decision(Vcpu& vcpu, const Exit& exit) {
    if (exit.kind == ExitKind::hypercall && exit.cpl == 0) {
        const auto listen = weak_listen(vcpu);
        return listen ? listen : weak_range(vcpu);
    }
    if (exit.kind == ExitKind::msr_write)
        return weak_msr_write(vcpu);
    if (exit.kind == ExitKind::shutdown && base::weak("survive_fault"))
        return Action{.kind = ActionKind::inject, .vector = 6}; // #UD
    return {};
}

} // namespace vcpu
