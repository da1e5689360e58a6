/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/uplink.h - what an uplink starts with: between the image tool, which writes it behind the boot page where a
 * container has its startup record, and the uplink's kernel. The hypervisor copies it and never looks into it. Version of
 * boot_page.h. */
#ifndef CAISSON_ABI_UPLINK_H
#define CAISSON_ABI_UPLINK_H

#define CAISSON_UPLINK_MAGIC 0x314b4e4c505543ull /* "CUPLNK1" */
#define CAISSON_UPLINK_NAME_SERVERS 3u
#define CAISSON_UPLINK_CONTAINERS 32u /* at most: CAISSON_LINK_MAX, each has a link */

/* The uplink's part of the network, resolved by the image tool. Offsets are from the start of this struct, and everything lies
 * within `total_bytes`; strings end with NUL. IPv4 addresses are numbers, the first octet the highest byte. */
struct caisson_uplink {
    unsigned long long magic;
    unsigned int total_bytes;
    unsigned int flags;           /* 0 */
    unsigned int address, prefix; /* its own in the wires' subnet, bits of the subnet: the containers' gateway */
    unsigned int outside;         /* CAISSON_OUTSIDE_STATIC or _LEASED of startup.h */
    unsigned int outside_address, outside_prefix, gateway;         /* of _STATIC; gateway 0: none */
    unsigned int name_servers[CAISSON_UPLINK_NAME_SERVERS];        /* 0: none; of _LEASED: before those of the lease */
    unsigned int container_count, containers; /* count, offset of struct caisson_uplink_container */
    unsigned int rule_count, rules;           /* count, offset of struct caisson_uplink_rule; in the containers' order */
    unsigned int published_count, published;  /* count, offset of struct caisson_uplink_published */
    unsigned int reserved;
};

/* A container that reaches the outside, or is reached from there. */
struct caisson_uplink_container {
    unsigned int name;       /* string offset */
    unsigned int address;    /* in the wires' subnet */
    unsigned int link;       /* of the wire to it: place in the boot page's list */
    unsigned int rule_count; /* how many rules are its own */
};

/* Who may begin what: all that no rule admits is dropped. */
struct caisson_uplink_rule {
    unsigned short first_port, last_port; /* of the end that does not begin; inbound: the container's */
    unsigned char inbound;                /* 1: the outside begins, 0: the container */
    unsigned char protocol;               /* IP's number of TCP or UDP; 0: every one */
    unsigned short limit;        /* which of the container's rates: rules with the same number share one; 0: none */
    unsigned int network, mask;  /* which addresses of the outside; mask 0: all */
    unsigned long long rate;     /* of a limit: bytes a second each way, all of its rules together */
};

/* A port of the uplink's address that is a container's. */
struct caisson_uplink_published {
    unsigned short outside, inside;
    unsigned char container; /* place in the list */
    unsigned char protocol;  /* IP's number */
    unsigned short reserved;
};

#endif
