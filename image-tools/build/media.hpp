// SPDX-License-Identifier: Apache-2.0
// image-tools/build/media.hpp - what a machine's own firmware starts, made of a bundle and its loader: one UEFI application, a
// disk (GPT, one EFI system partition) or a CD.
//
// Invariants: the same bundle and loader give the same bytes; GUIDs and serial numbers come from the bundle's id.
#pragma once

#include "image-tools/build/build.hpp"
#include "image-tools/disk/authenticode.hpp"

namespace build {

// What stands on the medium of a board's scan where others have their bundle (hypervisor/core/board/kept_scan.hpp): with room for
// the scan's description, or, where nothing can be written, without.
std::string scan_file(bool with_room);
bool is_scan_file(const files::FileRange& file);

// Whether a name asks for such a file, by its ending: .efi .img .iso
bool is_medium(const std::filesystem::path& file);

// What media are made of: a bundle that is complete, and the loader with its keys.
struct MediumSource {
    std::string name; // of the file that holds the bundle
    std::filesystem::path bundle;
    const std::array<std::uint8_t, 32>& bundle_id;
    const disk::Signer* signer; // for Secure Boot, or null
    std::int64_t signed_at;     // seconds since 1970
    const std::string& loader;
    const bundle::Library& library;
    // Of a disk: how many appliances of this size its system partition has room for, and a partition for data (whole MiB).
    std::uint32_t slots = 1;
    std::uint64_t data_bytes = 0;
    const char* starter = "caisson-efi.elf"; // of the library: what firmware starts
};
// The manifest's, or nothing. Throws what Signer::load throws, at its place.
std::optional<disk::Signer> secure_boot_signer(const manifest::Manifest& manifest);

// Throws E0804 where the bundle is too large for the file.
void write_medium(const std::filesystem::path& file, const MediumSource& source);

} // namespace build
