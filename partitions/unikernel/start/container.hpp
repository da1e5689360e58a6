// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/container.hpp - file systems, process 1 and its program, from the startup
// record.
#pragma once

#include "partitions/abi/boot_page.h"

#include <cstddef>
#include <span>

namespace uk::start {

struct ContainerFiles {
    std::span<const std::byte> root;   // EROFS image; empty: none
    std::span<const std::byte> module; // boot page, startup record (direct mode: and root)
};

// `release`: called when the boot stack has been left.
[[noreturn]] void start_container(const caisson_boot_page& boot_page, const ContainerFiles& files,
                                  void (*release)());

} // namespace uk::start
