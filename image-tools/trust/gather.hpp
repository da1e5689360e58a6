// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/gather.hpp - an image's signatures, from its registry or layout, and the verdict on it.
#pragma once

#include "image-tools/oci/image.hpp"
#include "image-tools/registry/images.hpp"
#include "image-tools/trust/signature.hpp"

namespace trust {

// What the cache has of signatures does where it satisfies the policy, unless `ask` is always; else the registry is asked.
// `reference`: as the manifest has it, its path resolved; `image`: what it was found to be. Throws E0513, and what
// registry::Images::attached() does.
Verdict judge_image(const Policy& policy, const oci::Reference& reference, const oci::Image& image,
                    registry::Images& images, registry::Ask ask = registry::Ask::when_missing);

} // namespace trust
