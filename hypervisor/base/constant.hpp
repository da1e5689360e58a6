// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/constant.hpp - data of the hypervisor that boot writes and nobody after it.
//
// It lies in pages of its own (kernel/link.ld), which are mapped read-only before the first guest runs: a later store is a
// page fault, which ends the machine. All of it is zero in the image.
#pragma once

#if CAISSON_FREESTANDING
#define CAISSON_CONSTANT_AFTER_BOOT [[gnu::section(".bss.constant")]]
#else
#define CAISSON_CONSTANT_AFTER_BOOT
#endif
