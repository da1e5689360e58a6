// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/hypercall.hpp - decoding and checking hypercalls (partitions/abi/hypercall.h).
//
// Pure. Trust: all registers are the guest's. A call that passes names memory inside one of the caller's RAM
// regions, so the caller of decode may open a window over it without further checks.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/state.hpp"
#include "partitions/abi/hypercall.h"

#include <cstdint>
#include <span>

namespace vcpu {

struct RamRegion {
    std::uint64_t gpa = 0, bytes = 0;
};

// [gpa, gpa + bytes) lies inside one region; bytes > 0.
[[nodiscard]] constexpr bool inside_one(std::span<const RamRegion> ram, std::uint64_t gpa,
                                        std::uint64_t bytes) {
    for (const RamRegion& region : ram)
        if (gpa >= region.gpa && gpa - region.gpa < region.bytes)
            return bytes != 0 && bytes <= region.bytes - (gpa - region.gpa) +
                                              (base::weak(base::Weakness::loose_range) ? 1 : 0);
    return false;
}

inline constexpr std::uint64_t console_write_max = 4096;
inline constexpr std::uint64_t audit_text_max = 256;

enum class HypercallKind : std::uint8_t {
    version,
    console_write, // gpa, bytes
    console_put,   // value, bytes
    exit,          // status, exit_kind
    clock,         // selector
    entropy,
    counter, // selector
    audit,   // gpa, bytes
    unknown,
    bad_argument,
};

struct Hypercall {
    HypercallKind kind = HypercallKind::unknown;
    std::uint8_t status = 0;
    std::uint8_t exit_kind = 0; // enum caisson_exit_kind
    std::uint32_t selector = 0; // enum caisson_clock, caisson_counter
    std::uint64_t gpa = 0, bytes = 0, value = 0;
};
[[nodiscard]] Hypercall decode_hypercall(const Registers& registers, std::span<const RamRegion> ram);

constexpr std::uint64_t hypercall_error(unsigned error) {
    return std::uint64_t{0} - error;
}

} // namespace vcpu
