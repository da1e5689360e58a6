// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/layout.hpp - where things are in the kernel's half of the address space.
#pragma once

#include <cstdint>

namespace uk::machine {

inline constexpr std::uint64_t lowest_user = 0x10000; // what a program may map: mmap_min_addr

inline constexpr std::uint64_t kernel_base = 0xffffffff80000000; // the image, at its physical address + this
[[nodiscard]] inline std::uint64_t image_physical(const char* symbol) {
    return reinterpret_cast<std::uint64_t>(symbol) - kernel_base;
}
inline constexpr std::uint64_t direct_map = 0xffff800000000000; // RAM and root image, never executable
inline constexpr std::uint64_t stack_window =
    0xffffffffc0000000; // kernel stacks with a guard page below each
inline constexpr std::uint64_t stack_slot_bytes = 16384;
inline constexpr std::uint64_t stack_pages = 3;
inline constexpr std::uint64_t stack_slots = 4096; // 64 MiB of window: the most threads

} // namespace uk::machine
