// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/runtime_files.hpp - what a container runtime finds or makes in every root, made where it is missing.
//
// Directories to mount on (/proc, /sys, /dev, the image's VOLUMEs), /tmp, and in /etc what names the machine
// and its mounts. /etc/hosts and /etc/hostname are the unikernel's: they differ by partition, the root does not.
// Spec: OCI runtime specification, "Default Filesystems", "Default Devices"; what runc and Docker do beyond it.
#pragma once

#include "image-tools/rootfs/tree.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rootfs {

// Throws E0422, naming `image`, where something else is in the way, as a runtime would fail at start.
void add_runtime_files(Tree& tree, const std::vector<std::string>& volumes, std::int64_t epoch,
                       const std::string& image);

} // namespace rootfs
