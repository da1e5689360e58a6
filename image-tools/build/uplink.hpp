// SPDX-License-Identifier: Apache-2.0
// image-tools/build/uplink.hpp - what the uplink is told of the containers behind it (partitions/abi/uplink.h).
#pragma once

#include "image-tools/manifest/manifest.hpp"

#include <cstdint>
#include <vector>

namespace build {

// The record's bytes, of a manifest that has an uplink. Throws E0802 when it is larger than CAISSON_STARTUP_MAX.
std::vector<std::uint8_t> encode_uplink(const manifest::Manifest& manifest);

} // namespace build
