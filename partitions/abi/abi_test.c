/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/abi_test.c - the headers compile alone as C, and the layouts are what the documents say. */
#include "partitions/abi/boot_page.h"
#include "partitions/abi/startup.h"
#include "partitions/abi/console.h"
#include "partitions/abi/hypercall.h"
#include "partitions/abi/lane.h"
#include "partitions/abi/uplink.h"

_Static_assert(sizeof(struct caisson_boot_page) == 4096, "boot page is one page");
_Static_assert(sizeof(struct caisson_device) == 144, "device");
_Static_assert(sizeof(struct caisson_startup) == 200, "startup record");
_Static_assert(sizeof(struct caisson_tmpfs) == 16, "tmpfs entry");
_Static_assert(sizeof(struct caisson_published) == 8, "published port");
_Static_assert(sizeof(struct caisson_rule) == 16, "rule");
_Static_assert(sizeof(struct caisson_outside6) == 96, "IPv6 outside");
_Static_assert(sizeof(struct caisson_rule6) == 24, "rule of IPv6");
_Static_assert(sizeof(struct caisson_link) == 88, "link");
_Static_assert(sizeof(struct caisson_uplink) == 80, "uplink");
_Static_assert(sizeof(struct caisson_uplink_rule) == 24, "rule of the uplink");
_Static_assert(__builtin_offsetof(struct caisson_lane, ring) == CAISSON_LANE_HEADER_BYTES, "lane header");
_Static_assert(__builtin_offsetof(struct caisson_lane_header, head) == 64, "lane header, first line");
_Static_assert(__builtin_offsetof(struct caisson_lane_header, read) == 128, "lane header, second line");
_Static_assert(CAISSON_GPA_STARTUP + CAISSON_STARTUP_MAX == CAISSON_GPA_BOOT_END, "boot area");

/* The table in docs/abi.md. */
#define AT(field, offset) _Static_assert(__builtin_offsetof(struct caisson_boot_page, field) == (offset), #field)
AT(magic, 0);
AT(abi_version, 8);
AT(flags, 12);
AT(partition_id, 16);
AT(vcpu_count, 20);
AT(generation, 24);
AT(tsc_hz, 32);
AT(apic_timer_hz, 40);
AT(wall_ns, 48);
AT(wall_tsc, 56);
AT(memory_bytes, 64);
AT(root_gpa, 72);
AT(root_bytes, 80);
AT(startup_offset, 88);
AT(startup_bytes, 92);
AT(entropy_seed, 96);
AT(partition_name, 160);
AT(watchdog_ms, 192);
AT(heartbeat, 200);
AT(stop_request, 208);
AT(link_count, 216);
AT(device_count, 220);
AT(links, 240);
AT(devices, 3056);
#undef AT
