// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/checked.hpp - arithmetic on untrusted numbers: a result or nothing, never a
// wrap.
//
// Pure.
// Trust:      every argument may come from a guest, firmware or an unverified bundle.
#pragma once

#include <cstdint>

namespace bytes {

// Whether [offset, offset + length) lies inside [0, total).
[[nodiscard]] constexpr bool lies_within(std::uint64_t offset, std::uint64_t length, std::uint64_t total) {
    return offset <= total && length <= total - offset;
}

// How many units of `unit` bytes (> 0) hold `bytes`.
[[nodiscard]] constexpr std::uint64_t units(std::uint64_t bytes, std::uint64_t unit) {
    return bytes / unit + (bytes % unit != 0 ? 1 : 0);
}

} // namespace bytes
