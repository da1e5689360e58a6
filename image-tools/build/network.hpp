// SPDX-License-Identifier: Apache-2.0
// image-tools/build/network.hpp - the manifest's rules as wires of the plan, and as what each container is told of them.
#pragma once

#include "image-tools/build/startup.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/plan/layout.hpp"

#include <vector>

namespace build {

// The wires that the rules ask for: one for each pair, in the order of the first rule of each.
std::vector<plan::WireRequest> wires_of(const manifest::Manifest& manifest);

// Whether a rule gives it a wire, or it has a network card of its own: then its kernel is the one with a network.
bool is_networked(const manifest::Manifest& manifest, const manifest::Partition& partition);

// Peers in the order of the partition's links, the outside, and the rules from its side.
StartupNetwork network_of(const manifest::Manifest& manifest, const manifest::Partition& partition);

} // namespace build
