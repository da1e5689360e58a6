// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/ipi.cpp - ICR destinations and delivery modes, resolved within one partition.
#include "hypervisor/core/vcpu/ipi.hpp"

#include "hypervisor/base/field.hpp"

namespace vcpu {
namespace {

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

} // namespace

Ipi resolve_icr(std::uint64_t value, std::uint32_t self, std::uint32_t count) {
    constexpr Ipi refused{.kind = IpiKind::refused};
    if (self >= count || count > max_vcpus || (value & reserved_bits) != 0)
        return refused;
    const std::uint64_t everyone = count == max_vcpus ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    const std::uint64_t own = std::uint64_t{1} << self;
    const std::uint64_t targets = targets_of(value, self, everyone);
    const auto vector = static_cast<std::uint8_t>(Vector::get(value));

    const std::uint64_t mode = DeliveryMode::get(value);
    if (mode == mode_fixed) {
        if (vector < first_vector)
            return refused;
        return {
            .kind = targets != 0 ? IpiKind::fixed : IpiKind::nothing, .vector = vector, .targets = targets};
    }
    if (mode == mode_init) {
        // Level-triggered de-assert: an old protocol's second half, without effect on any processor since.
        if (Trigger::test(value) && !Level::test(value))
            return {};
        if ((targets & own) != 0)
            return refused;
        return {.kind = targets != 0 ? IpiKind::init : IpiKind::nothing, .targets = targets};
    }
    if (mode == mode_startup) {
        if ((targets & own) != 0)
            return refused;
        return {
            .kind = targets != 0 ? IpiKind::startup : IpiKind::nothing, .vector = vector, .targets = targets};
    }
    return refused;
}

} // namespace vcpu
