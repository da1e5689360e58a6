// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/tests.hpp - `tests`: what `caisson test` looks for.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

#include <vector>

namespace manifest {

std::vector<Test> read_tests(const Binder& binder, const Node& node);

// What tests and partitions mean together: names the partition where there is only one, and each test that has no name.
// Throws E0309, E0310.
void check_tests(const Binder& binder, Manifest& manifest);

} // namespace manifest
