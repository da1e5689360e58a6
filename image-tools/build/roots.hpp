// SPDX-License-Identifier: Apache-2.0
// image-tools/build/roots.hpp - the root images of an appliance: each image is flattened once, whoever starts from it, and not
// at all where what is known of it will do.
#pragma once

#include "image-tools/build/build.hpp"

namespace build {

// Thrown where a root image would have to be made, and the target has no place for it.
struct RootsAreNotKnown {};

// Fills in what depends on the images' roots: their sizes, startup records, warnings. In a bundle the roots lie one after the
// other, in the order of the partitions that first have them.
void add_roots(const manifest::Manifest& manifest, Prepared& prepared, const RootTarget& target,
               const Observer& observer);

// Of partitions that start from an image: how many have the same one as `item`.
std::size_t users_of(const Prepared& prepared, const PreparedPartition& item);

} // namespace build
