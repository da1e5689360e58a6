// SPDX-License-Identifier: Apache-2.0
// image-tools/build/embedded_bill.hpp - the bundle's `sbom` section: what caisson sbom says of it, signed with the rest.
#pragma once

#include <string>

namespace manifest {
struct Manifest;
}

namespace build {

struct BundleContent;

// CycloneDX 1.5 of all partitions, from root images that are written already; the same bytes that `caisson sbom --as cyclonedx`
// makes of the bundle.
std::string embedded_bill(const manifest::Manifest& manifest, const BundleContent& content,
                          const std::string& meta);

} // namespace build
