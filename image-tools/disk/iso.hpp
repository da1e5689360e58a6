// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/iso.hpp - a CD whose one purpose is that UEFI starts the FAT volume in it.
//
// Spec: ECMA-119; El Torito 1.0; UEFI 2.10 section 13.3.2.1 (a sector count of 0: to the end of the medium).
#pragma once

#include "image-tools/disk/piece.hpp"

namespace disk {

struct IsoImage {
    std::uint64_t bytes = 0;
    std::uint64_t place = 0; // of the volume
    std::vector<Piece> pieces;
};
IsoImage iso_image(std::uint64_t volume_bytes);

} // namespace disk
