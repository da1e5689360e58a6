// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/devices.hpp - the manifest's names of PCI functions.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

namespace manifest {

// The value of a partition's `devices`: "pci:8086:10d3#1" (the second with these ids), "pci:0000:00:1f.2" (at that address), or a
// map of one of them as `device` and `firmwareMemory: allow`.
std::vector<DeviceName> read_devices(const Binder& binder, const Node& node);

// One of its items.
DeviceName read_device(const Binder& binder, const Node& node);

// No function is named twice.
void check_devices(const Binder& binder, const Manifest& manifest);

} // namespace manifest
