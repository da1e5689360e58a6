// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/network.hpp - the manifest's rules of who may talk to whom.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

namespace manifest {

// The value of `network`.
Network read_network(const Binder& binder, const Node& node);

// What rules mean together: names are partitions', a pair is one-way or not, and a one-way wire is not gone round.
void check_rules(const Binder& binder, const Manifest& manifest);

} // namespace manifest
