// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/hypercall.cpp - decoding hypercalls; nothing here acts.
#include "hypervisor/core/vcpu/hypercall.hpp"

namespace vcpu {
namespace {

constexpr std::uint64_t exit_status_max = 255;
constexpr std::uint64_t put_max = 8;

Hypercall range(HypercallKind kind, const Registers& registers, std::uint64_t limit,
                std::span<const RamRegion> ram) {
    const std::uint64_t gpa = registers.rdi;
    const std::uint64_t bytes = registers.rsi;
    if (bytes > limit || !inside_one(ram, gpa, bytes))
        return {.kind = HypercallKind::bad_argument};
    return {.kind = kind, .gpa = gpa, .bytes = bytes};
}

Hypercall selector(HypercallKind kind, std::uint64_t value, std::uint64_t last) {
    if (value > last)
        return {.kind = HypercallKind::bad_argument};
    return {.kind = kind, .selector = static_cast<std::uint32_t>(value)};
}

} // namespace

Hypercall decode_hypercall(const Registers& registers, std::span<const RamRegion> ram) {
    switch (registers.rax) {
    case CAISSON_CALL_VERSION:
        return {.kind = HypercallKind::version};
    case CAISSON_CALL_CONSOLE_WRITE:
        return range(HypercallKind::console_write, registers, console_write_max, ram);
    case CAISSON_CALL_CONSOLE_PUT:
        if (registers.rsi == 0 || registers.rsi > put_max)
            return {.kind = HypercallKind::bad_argument};
        return {.kind = HypercallKind::console_put, .bytes = registers.rsi, .value = registers.rdi};
    case CAISSON_CALL_EXIT:
        if (registers.rdi > exit_status_max || registers.rsi > CAISSON_EXIT_FAULT)
            return {.kind = HypercallKind::bad_argument};
        return {.kind = HypercallKind::exit,
                .status = static_cast<std::uint8_t>(registers.rdi),
                .exit_kind = static_cast<std::uint8_t>(registers.rsi)};
    case CAISSON_CALL_CLOCK:
        return selector(HypercallKind::clock, registers.rdi, CAISSON_CLOCK_WALL_TSC);
    case CAISSON_CALL_ENTROPY:
        return {.kind = HypercallKind::entropy};
    case CAISSON_CALL_COUNTER:
        return selector(HypercallKind::counter, registers.rdi, CAISSON_COUNTER_GENERATION);
    case CAISSON_CALL_AUDIT:
        return range(HypercallKind::audit, registers, audit_text_max, ram);
    default:
        return {.kind = HypercallKind::unknown};
    }
}

} // namespace vcpu
