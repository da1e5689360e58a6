// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/uplink.hpp - the partition that has the network card for all containers without one.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

namespace manifest {

// What an uplink is where nobody says otherwise; `spot` is what stands for it in messages.
Partition default_uplink(Spot spot);

// The value of `network.uplink`.
Partition read_uplink(const Binder& binder, const Node& node);

// That the uplink has somebody to serve, and that they can share it.
void check_uplink(const Binder& binder, const Manifest& manifest);

} // namespace manifest
