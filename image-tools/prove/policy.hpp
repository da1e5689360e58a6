// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/policy.hpp - what a guest may reach without an exit, said once more from docs/hypervisor.md (rules 8, 13,
// 18) and docs/abi.md, not from the hypervisor's code.
#pragma once

#include "image-tools/prove/intended.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace prove {

inline constexpr std::size_t msr_map_bytes = 8192, port_map_bytes = 3 * 4096;

// Nothing: the map is exactly the policy's. Spec: APM vol. 2 15.11, 15.10.
[[nodiscard]] std::optional<std::string> msr_map_problem(std::span<const std::uint8_t, msr_map_bytes> map,
                                                         bool& x2apic);
[[nodiscard]] std::optional<std::string> port_map_problem(std::span<const std::uint8_t, port_map_bytes> map);
// Names what does not exit although it must.
[[nodiscard]] std::optional<std::string> intercept_problem(const std::array<std::uint32_t, 6>& intercepts);

} // namespace prove
