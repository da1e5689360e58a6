// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/lapic.cpp - the local APIC's registers: a table of rules and the few that are more than a register.
#include "hypervisor/core/vcpu/lapic.hpp"

#include "hypervisor/base/field.hpp"
#include "hypervisor/core/vcpu/decide.hpp"

#include <algorithm>
#include <array>

namespace vcpu {
namespace {

// no: #GP, counted. own: answered by the state kept here. direct: the bitmap's, where the backend has it. mediated: always
// looked at first.
enum class Access : std::uint8_t { no, own, direct, mediated };
using enum Access;

struct Rule {
    std::uint32_t first, last;
    Access read, write;
    std::uint64_t writable = 0;
    std::uint8_t entry = 0; // exists where the local vector table goes up to this one
};

constexpr std::uint64_t vector = 0xFF, status = 1u << 12, remote_irr = 1u << 14, masked = 1u << 16;
// Without the delivery mode: Fixed alone is left.
constexpr std::uint64_t local_vector = vector | status | masked;
// Polarity, trigger mode: of LINT0 and LINT1 alone.
constexpr std::uint64_t pins = 1u << 13 | remote_irr | 1u << 15;
constexpr std::uint64_t periodic = 1u << 17, deadline = 1u << 18;
// The APIC's own: a guest writes back what it read. They are not passed on.
constexpr std::uint64_t read_only = status | remote_irr;
constexpr std::uint32_t timer = 0x832, corrected_machine_check = 0x82F;
constexpr std::uint32_t self_ipi = 0x83F;
constexpr std::uint64_t shorthand_self = 1u << 18;

constexpr std::array<Rule, 20> rules{{
    {msr::x2apic_id, msr::x2apic_id, own, no},
    {0x803, 0x803, direct, no},             // version
    {0x808, 0x808, direct, direct, vector}, // task priority
    {0x80A, 0x80A, direct, no},             // processor priority
    {0x80B, 0x80B, no, direct},             // end of interrupt: 0 alone
    {msr::x2apic_ldr, msr::x2apic_ldr, own, no},
    {0x80F, 0x80F, direct, direct, 0x1FF}, // spurious interrupt vector, software enable
    {0x810, 0x827, direct, no},            // in service, trigger mode, interrupt request
    {0x828, 0x828, direct, direct},        // error status: 0 alone
    {corrected_machine_check, corrected_machine_check, direct, mediated, local_vector, 6},
    {msr::x2apic_icr, msr::x2apic_icr, own, own, ~std::uint64_t{0}}, // resolve_icr() looks
    // The timer has no delivery mode, but QEMU's takes one: as an SMI it would end in the host's SMM.
    {timer, timer, direct, mediated, local_vector | periodic | deadline},
    {0x833, 0x833, direct, mediated, local_vector, 5},     // thermal
    {0x834, 0x834, direct, mediated, local_vector, 4},     // performance counters
    {0x835, 0x836, direct, mediated, local_vector | pins}, // LINT0, LINT1
    {0x837, 0x837, direct, mediated, local_vector},        // error
    {0x838, 0x838, direct, direct, 0xFFFFFFFF},            // timer: initial count
    {0x839, 0x839, direct, no},                            // timer: current count
    {0x83E, 0x83E, direct, direct, 0xB},                   // timer: divider
    {self_ipi, self_ipi, no, direct, vector},
}};

Rule rule_of(std::uint32_t index) {
    const auto* found = std::ranges::find_if(
        rules, [index](const Rule& rule) { return rule.first <= index && index <= rule.last; });
    return found != rules.end() ? *found : Rule{index, index, no, no};
}

// Beyond the bits: what depends on the machine, and combinations.
bool exists(const Policy& policy, const Rule& rule) {
    return rule.entry <= policy.last_local_vector &&
           (rule.first != corrected_machine_check || policy.corrected_machine_check);
}
bool timer_mode_exists(const Policy& policy, std::uint64_t value) {
    return (value & deadline) == 0 || ((value & periodic) == 0 && offers_tsc_deadline(policy.cpuid));
}

// The interrupt command register.
using Vector = base::Field<std::uint64_t, 0, 8>;
using DeliveryMode = base::Field<std::uint64_t, 8, 3>;
using LogicalDestination = base::Field<std::uint64_t, 11>;
using Level = base::Field<std::uint64_t, 14>;
using Trigger = base::Field<std::uint64_t, 15>;
using Shorthand = base::Field<std::uint64_t, 18, 2>;
using Destination = base::Field<std::uint64_t, 32, 32>;
constexpr std::uint64_t reserved_bits = ~(Vector::mask | DeliveryMode::mask | LogicalDestination::mask |
                                          Level::mask | Trigger::mask | Shorthand::mask | Destination::mask);

constexpr std::uint64_t mode_fixed = 0, mode_init = 5, mode_startup = 6;
constexpr std::uint64_t to_self = 1, to_all = 2, to_others = 3;
constexpr std::uint64_t broadcast = 0xFFFFFFFF;
constexpr std::uint8_t first_vector = 16;

std::uint64_t targets_of(std::uint64_t value, std::uint32_t self, std::uint64_t everyone) {
    const std::uint64_t own = std::uint64_t{1} << self;
    const std::uint64_t shorthand = Shorthand::get(value);
    if (shorthand == to_self)
        return own;
    if (shorthand == to_all)
        return everyone;
    if (shorthand == to_others)
        return everyone & ~own;
    const std::uint64_t destination = Destination::get(value);
    if (destination == broadcast)
        return everyone;
    if (LogicalDestination::test(value)) {
        const std::uint64_t cluster = destination >> 16;
        return cluster < max_vcpus / 16 ? ((destination & 0xFFFF) << (cluster * 16)) & everyone : 0;
    }
    return destination < max_vcpus ? (std::uint64_t{1} << destination) & everyone : 0;
}

// The logical ID that x2APIC derives from an ID (MSR 0x80D).
std::uint32_t logical_id(std::uint32_t id) {
    return (id >> 4) << 16 | 1u << (id & 15);
}

} // namespace

Ipi resolve_icr(std::uint64_t value, std::uint32_t self, std::uint32_t count) {
    constexpr Ipi refused{.kind = IpiKind::refused};
    if (self >= count || count > max_vcpus || (value & reserved_bits) != 0)
        return refused;
    const std::uint64_t everyone = ~std::uint64_t{0} >> (max_vcpus - count);
    const std::uint64_t targets = targets_of(value, self, everyone);
    const auto sent = static_cast<std::uint8_t>(Vector::get(value));
    const std::uint64_t mode = DeliveryMode::get(value);
    // Level-triggered de-assert: an old protocol's second half, without effect on any processor since.
    if (mode == mode_init && Trigger::test(value) && !Level::test(value))
        return {};
    const bool to_own = (targets >> self & 1) != 0;
    if (mode == mode_fixed ? sent < first_vector : to_own || (mode != mode_init && mode != mode_startup))
        return refused;
    const IpiKind kind = mode == mode_fixed  ? IpiKind::fixed
                         : mode == mode_init ? IpiKind::init
                                             : IpiKind::startup;
    return {.kind = targets != 0 ? kind : IpiKind::nothing, .vector = sent, .targets = targets};
}

bool lapic_passes(LapicBackend backend, std::uint32_t index, bool write) {
    const Rule rule = rule_of(index);
    return backend == LapicBackend::physical && (write ? rule.write : rule.read) == direct;
}

Action lapic_read(Vcpu& vcpu, std::uint32_t index) {
    const Rule rule = rule_of(index);
    const Access access = rule.read;
    if (access == direct && exists(*vcpu.policy, rule))
        return {.kind = ActionKind::read_lapic, .advance = true, .msr = index};
    if (access != own)
        return refuse(vcpu, Refusal::msr_read);
    set_edx_eax(vcpu.registers, index == msr::x2apic_id    ? vcpu.index
                                : index == msr::x2apic_ldr ? logical_id(vcpu.index)
                                                           : vcpu.icr);
    return done();
}

Action lapic_write(Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
    const Rule rule = rule_of(index);
    if (rule.write == no || (value & ~std::uint64_t{rule.writable}) != 0 || !exists(*vcpu.policy, rule) ||
        (index == timer && !timer_mode_exists(*vcpu.policy, value)))
        return refuse(vcpu, Refusal::msr_write);
    // xAPIC has no register for a self-IPI: it becomes what the ICR's shorthand would send.
    if (rule.write != own && index != self_ipi)
        return {.kind = ActionKind::write_lapic,
                .advance = true,
                .msr = index,
                .value = rule.write == mediated ? value & ~read_only : value};
    const Ipi ipi =
        resolve_icr(index == self_ipi ? shorthand_self | value : value, vcpu.index, vcpu.policy->vcpu_count);
    if (ipi.kind == IpiKind::refused)
        return refuse(vcpu, Refusal::ipi);
    if (index != self_ipi)
        vcpu.icr = value;
    if (ipi.kind == IpiKind::nothing)
        return done();
    return {.kind = ActionKind::send_ipi, .advance = true, .ipi = ipi};
}

} // namespace vcpu
