// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/area.hpp - where a CPU's stacks and windows lie in the hypervisor's tables; boot only.
//
// Each CPU has 8 MiB from per_cpu_base on: stacks with a hole below each, then its windows.
#pragma once

#include "hypervisor/base/address.hpp"

namespace hv {

inline constexpr std::uint64_t per_cpu_base = 0x7000'0000'0000;
inline constexpr std::uint64_t per_cpu_stride = std::uint64_t{8} << 20;

struct StackPlace {
    std::uint64_t offset; // in the CPU's 8 MiB; the page below is never mapped
    std::uint64_t pages;
};
inline constexpr StackPlace main_stack{0x1000, 4}, nmi_stack{0x6000, 1}, double_fault_stack{0x8000, 2},
    machine_check_stack{0xb000, 2};
inline constexpr std::uint64_t stack_pages =
    main_stack.pages + nmi_stack.pages + double_fault_stack.pages + machine_check_stack.pages;

constexpr std::uint64_t window_offset(unsigned slot) {
    return (slot + 1) * base::large_page_size;
}

constexpr std::uint64_t cpu_area(std::uint32_t cpu) {
    return per_cpu_base + cpu * per_cpu_stride;
}
constexpr std::uint64_t stack_top(std::uint32_t cpu, StackPlace stack) {
    return cpu_area(cpu) + stack.offset + stack.pages * base::page_size;
}

} // namespace hv
