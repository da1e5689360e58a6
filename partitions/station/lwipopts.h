/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/station/lwipopts.h - what of lwIP is used, and how large it may grow: ARP and DHCP, and for a container's kernel TCP over
 * IPv4 and IPv6. Datagrams of programs are the kernel's own. One CPU at a time is in it. */
#ifndef CAISSON_LWIPOPTS_H
#define CAISSON_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0 /* the kernel's own, armed while there is a connection (its port.cpp) */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0

/* From the kernel's heap, which has the limit. */
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC caisson_lwip_allocate
#define MEM_CUSTOM_CALLOC caisson_lwip_allocate_cleared
#define MEM_CUSTOM_FREE caisson_lwip_free
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_LINK_HLEN 14

#define LWIP_IPV4 1
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING 1 /* packets wait for an answer, a few of each neighbour */
#define LWIP_SINGLE_NETIF 0
#define LWIP_NETIF_LOOPBACK 0
#define IP_REASSEMBLY 1 /* of frames of a card; packets of wires are whole */
#define IP_REASS_MAX_PBUFS 48 /* the oldest go first */
#define IP_REASS_MAXAGE 5
#define IP_FRAG 0
#define LWIP_RAW 0
#define LWIP_UDP 1 /* DHCP's alone */
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_AUTOIP 0
#define LWIP_IGMP 0
#define LWIP_DNS 1 /* so that DHCP asks for name servers, which the station is told */
#define DNS_MAX_SERVERS 3

#define LWIP_CHECKSUM_CTRL_PER_NETIF 1 /* wires have none */
#define LWIP_CHKSUM_ALGORITHM 3

/* The uplink has no connections of its own, and answers nothing. It speaks IPv4. */
#ifdef CAISSON_LWIP_STATION_ALONE
#define LWIP_TCP 0
#define LWIP_ICMP 0
#define LWIP_IPV6 0
#else
#define LWIP_TCP 1
#define LWIP_ICMP 1
#define LWIP_IPV6 1
#endif
#define LWIP_IPV6_SCOPES 0 /* there is one link */
#define LWIP_IPV6_NUM_ADDRESSES 4 /* of the link, and three more: net::OwnAddresses6 */
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0 /* no fragment comes so far */
#define LWIP_IPV6_MLD LWIP_IPV6
#define LWIP_ND6_NUM_NEIGHBORS 32
#define LWIP_ND6_NUM_DESTINATIONS 32
#define LWIP_ND6_NUM_PREFIXES 5
#define LWIP_ND6_NUM_ROUTERS 3
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS DNS_MAX_SERVERS
#define MEMP_NUM_ND6_QUEUE 20 /* packets that wait for neighbours' answers, all together */
#define TCP_MSS 16344 /* a lane's packet without its headers */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (192 * 1024)
#define TCP_SND_BUF (192 * 1024)
#define TCP_SND_QUEUELEN 1024
#define TCP_SNDLOWAT TCP_MSS
#define TCP_SNDQUEUELOWAT 512
#define TCP_OVERSIZE 0
#define TCP_QUEUE_OOSEQ 1
/* A lane keeps the order: what comes out of it from there is not kept. */
#define TCP_OOSEQ_PBUFS_LIMIT(connection)                                                                    \
    caisson_lwip_kept_out_of_order(                                                                          \
        IP_IS_V6_VAL((connection)->remote_ip) ? 0 : ip_2_ip4(&(connection)->remote_ip)->addr)
#define LWIP_TCP_SACK_OUT 1
#define TCP_LISTEN_BACKLOG 1
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_RTO_TIME 1000
#define TCP_SYNMAXRTX 12 /* seconds until ETIMEDOUT: lwIP does not double the time between SYNs */
#define SO_REUSE 1       /* the kernel's table decides who has which port */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they are about pools, which are not used */

#define LWIP_HOOK_FILENAME "hooks.h"

#endif
