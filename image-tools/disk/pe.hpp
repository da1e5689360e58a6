// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/pe.hpp - UEFI applications: our loader, the hypervisor and a bundle (or the name of one) in one PE32+ file.
//
// Invariants: the same inputs give the same bytes; nothing lies between or after the sections that Authenticode would not
//             cover.
// Spec:       Microsoft PE format; UEFI 2.10 section 2.1.1; SBAT: github.com/rhboot/shim, SBAT.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disk {

inline constexpr std::uint64_t largest_embedded_bundle = 64u << 20;

struct Application {
    std::string loader;     // caisson-efi.elf
    std::string hypervisor; // caisson.elf with its keys, without what is not loaded
    std::string bundle;     // empty: read from `path`
    std::string path;       // ASCII, from the root of the device: \EFI\caisson\NAME.bundle
    std::string version;    // of this tool
};

// Throws E0706 where the loader is not this project's.
std::string efi_application(const Application& parts);

// The section of that name at its true length, out of a PE file.
std::optional<std::string_view> section_of(std::string_view file, std::string_view name);

// The checksum of the optional header: 16-bit words added with carry, itself as 0, plus the file's length.
std::uint32_t pe_checksum(std::string_view file);

} // namespace disk
