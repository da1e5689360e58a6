/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/station/hooks.h - where lwIP asks us. */
#ifndef CAISSON_LWIP_HOOKS_H
#define CAISSON_LWIP_HOOKS_H

#include <lwip/ip_addr.h>

#ifdef __cplusplus
extern "C" {
#endif
/* The first sequence number of a connection: RFC 6528. */
u32_t caisson_lwip_sequence(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote,
                            u16_t remote_port);
#if LWIP_IPV6
/* The router that is written down; none: those that advertise themselves. */
const ip6_addr_t* caisson_lwip_router(const ip6_addr_t* target);
#endif
#ifdef __cplusplus
}
#endif
#define LWIP_HOOK_TCP_ISN caisson_lwip_sequence
#if LWIP_IPV6
#define LWIP_HOOK_ND6_GET_GW(netif, target) caisson_lwip_router(target)
#endif

#endif
