// SPDX-License-Identifier: Apache-2.0
// loader/uefi/pe_image.hpp - the two formats that the UEFI loader looks into: its own PE file as firmware loaded it, and
// the hypervisor's ELF in one of its sections.
//
// Pure.
// Trust:      the file's maker; every offset is checked all the same.
// Spec:       Microsoft PE format; System V ABI, "Object Files"; hypervisor/kernel/link.ld.in.
#pragma once

#include "hypervisor/core/bytes/reader.hpp"

#include <string_view>

namespace loader::uefi {

using Bytes = std::span<const std::byte>;

// The section of that name (at most 8 letters) in a loaded PE image, at its true length; empty where there is none.
[[nodiscard]] Bytes find_section(Bytes image, std::string_view name);

// What the hypervisor's ELF needs: bytes from its first to its last segment, all of it in one piece at a multiple of 2 MiB.
struct ElfShape {
    std::uint64_t bytes = 0;
    std::uint64_t entry = 0; // the 64-bit entry, from where the image lies on
};
// Nothing where it is no ELF64, larger than 2 MiB, damaged, or has no note that names the entry.
[[nodiscard]] std::optional<ElfShape> shape_of(Bytes elf);
// Copies the segments to `room` of shape_of(elf)->bytes and clears the rest of it.
void place(Bytes elf, std::span<std::byte> room);

} // namespace loader::uefi
