/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/station/arch/cc.h - the environment that lwIP is compiled for. */
#ifndef CAISSON_LWIP_CC_H
#define CAISSON_LWIP_CC_H

#include <limits.h>
#include <stdint.h>

/* lwIP would make it an int. There is no unistd.h here, but a compiler's stdio.h may define the type, as long. */
#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
typedef long ssize_t;

#ifdef __cplusplus
extern "C" {
#endif
uint32_t caisson_lwip_random(void);
void* caisson_lwip_allocate(unsigned long bytes);
void* caisson_lwip_allocate_cleared(unsigned long count, unsigned long bytes);
void caisson_lwip_free(void* memory);
/* Segments of a connection with this address (network byte order; IPv6's: 0) that wait for those before them. */
uint16_t caisson_lwip_kept_out_of_order(uint32_t peer);
__attribute__((noreturn)) void caisson_lwip_failed(const char* what);
#ifdef __cplusplus
}
#endif

#define LWIP_RAND() caisson_lwip_random()
#define LWIP_PLATFORM_DIAG(message) ((void)0)
#define LWIP_PLATFORM_ASSERT(message) caisson_lwip_failed(message)

#endif
