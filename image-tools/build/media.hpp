// SPDX-License-Identifier: Apache-2.0
// image-tools/build/media.hpp - what a machine's own firmware starts, made of a bundle and its loader: one UEFI application, a
// disk (GPT, one EFI system partition) or a CD.
//
// Invariants: the same bundle and loader give the same bytes; GUIDs and serial numbers come from the bundle's id.
#pragma once

#include "image-tools/build/build.hpp"
#include "image-tools/disk/authenticode.hpp"

namespace build {

// Whether a name asks for such a file, by its ending: .efi .img .iso
bool is_medium(const std::filesystem::path& file);

// What media are made of: a bundle that is complete, and the loader with its keys.
struct MediumSource {
    std::string name; // of the appliance
    std::filesystem::path bundle;
    const std::array<std::uint8_t, 32>& bundle_id;
    const disk::Signer* signer; // for Secure Boot, or null
    std::int64_t signed_at;     // seconds since 1970
    const std::string& loader;
    const bundle::Library& library;
};
// The manifest's, or nothing. Throws what Signer::load throws, at its place.
std::optional<disk::Signer> secure_boot_signer(const manifest::Manifest& manifest);

// Throws E0804 where the bundle is too large for the file.
void write_medium(const std::filesystem::path& file, const MediumSource& source);

} // namespace build
