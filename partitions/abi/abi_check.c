/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/abi_check.c - the headers compile alone as C, and the layouts are what the documents say. */
#include "partitions/abi/boot_page.h"
#include "partitions/abi/console.h"
#include "partitions/abi/hypercall.h"

_Static_assert(sizeof(struct caisson_boot_page) == 4096, "boot page is one page");
_Static_assert(sizeof(struct caisson_startup) == 112, "startup record");
_Static_assert(sizeof(struct caisson_tmpfs) == 16, "tmpfs entry");
_Static_assert(CAISSON_GPA_STARTUP + CAISSON_STARTUP_MAX == CAISSON_GPA_BOOT_END, "boot area");
