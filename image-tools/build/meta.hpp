// SPDX-License-Identifier: Apache-2.0
// image-tools/build/meta.hpp - the bundle's `meta` section: JSON for people and tools, never read by the
// loader.
#pragma once

#include <string>

namespace manifest {
struct Manifest;
}

namespace build {

struct Prepared;

// {"schema": "caisson.meta/1", ...}: where every partition's content came from. Deterministic.
std::string meta_text(const manifest::Manifest& manifest, const Prepared& prepared);

} // namespace build
