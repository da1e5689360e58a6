// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/partition.hpp - one entry of the manifest's `partitions`.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

namespace manifest {

// What the keys say, each by itself and together. Throws what is wrong with it; binder.map() keeps what is wrong with one key.
Partition read_partition(const Binder& binder, const Entry& entry);

} // namespace manifest
