/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/startup.h - what a container starts with: between the image tool, which writes it behind the boot page, and the
 * unikernel. The hypervisor copies it like the rest of a payload and never looks into it. Version of boot_page.h. */
#ifndef CAISSON_ABI_STARTUP_H
#define CAISSON_ABI_STARTUP_H

#define CAISSON_STARTUP_MAGIC 0x31545241545343ull /* "CSTART1" */
#define CAISSON_NAME_SERVERS 3u
#define CAISSON_TIME_SERVERS 3u

/* The container's start, resolved by the image tool. Offsets are from the start of this struct; every string ends
 * with NUL; arrays of unsigned int offsets. Everything lies within `total_bytes`. */
struct caisson_startup {
    unsigned long long magic;
    unsigned int total_bytes;
    unsigned int flags; /* CAISSON_STARTUP_... */
    unsigned int argc,
        argv; /* count, offset of the array of string offsets; argv[0] as Docker would pass it */
    unsigned int envc, envp;
    unsigned int working_dir; /* string offset; "/" when the image has none */
    unsigned int hostname;    /* string offset */
    unsigned int user_id, group_id;
    unsigned int group_count, groups; /* supplementary: count, offset of unsigned int ids */
    unsigned int stop_signal;         /* number */
    unsigned int stop_timeout_ms;
    unsigned int tmpfs_count, tmpfs;   /* count, offset of struct caisson_tmpfs */
    unsigned long long writable_limit; /* bytes of overlay, tmpfs not counted */
    unsigned long long capabilities;   /* its bounding set: bit N is capability N */
    unsigned int pids;                 /* the most processes and threads */
    unsigned int init, init_bytes;     /* offset and size of the program that runs as PID 1; 0: argv itself */
    unsigned int outside6;             /* offset of struct caisson_outside6; 0: its card speaks no IPv6 */
    unsigned int filter_count, filter; /* policy of system calls: instructions of classic BPF, offset; 0: none */
    unsigned int program_count, programs; /* CAISSON_STARTUP_ONLY_LISTED: count, offset of the array of paths' offsets */
    /* Its network; no peers: none. IPv4 addresses are numbers, the first octet the highest byte. */
    unsigned int address, prefix;   /* its own address, bits of the subnet */
    unsigned int peer_count, peers; /* count, offset of struct caisson_peer */
    unsigned int rule_count, rules; /* count, offset of struct caisson_rule */
    /* The outside, by the first of its devices that is a network card which the unikernel knows, or by the uplink. */
    unsigned int outside;                   /* CAISSON_OUTSIDE_... */
    unsigned int outside_address, outside_prefix, gateway; /* of _STATIC; gateway 0: none. Of _UPLINK: the uplink's address */
    unsigned int name_servers[CAISSON_NAME_SERVERS];       /* addresses; 0: none */
    unsigned int published_count, published; /* count, offset of struct caisson_published */
    unsigned int time_servers[CAISSON_TIME_SERVERS]; /* whom the wall clock follows (SNTP); 0: none */
    unsigned short time_ports[CAISSON_TIME_SERVERS];
    unsigned short outside_link; /* of _UPLINK: the wire to it, a place in the boot page's list */
};

#define CAISSON_OUTSIDE_NONE 0u
#define CAISSON_OUTSIDE_STATIC 1u
#define CAISSON_OUTSIDE_LEASED 2u /* by DHCP */
#define CAISSON_OUTSIDE_UPLINK 3u /* over the wire to the uplink, from the own address in the wires' subnet */

#define CAISSON_OUTSIDE6_ADVERTISED 1u /* addresses, routers and name servers as routers tell of them */
#define CAISSON_OUTSIDE6_WRITTEN 2u

/* IPv6 on the outside, by a network card. Addresses are 16 bytes as in packets; all zero: none. */
struct caisson_outside6 {
    unsigned int way;                /* CAISSON_OUTSIDE6_... */
    unsigned int rule_count, rules;  /* count, offset of struct caisson_rule6 */
    unsigned int reserved;
    unsigned char address[16];       /* of _WRITTEN; its subnet has 64 bits */
    unsigned char gateway[16];       /* of _WRITTEN */
    unsigned char name_servers[CAISSON_NAME_SERVERS][16]; /* at the places where `name_servers` above has none */
};

/* As struct caisson_rule, of IPv6 and the outside. That one is about IPv4. */
struct caisson_rule6 {
    unsigned short first_port, last_port; /* of the end that does not begin */
    unsigned char inbound;                /* 1: the outside begins, 0: this partition */
    unsigned char protocol;               /* IP's number of TCP or UDP; 0: every one */
    unsigned char prefix;                 /* bits of `network`, at most 128; 0: all of IPv6 */
    unsigned char reserved;
    unsigned char network[16];
};

/* A port that has another number outside. */
struct caisson_published {
    unsigned short outside, inside;
    unsigned char protocol; /* IP's number */
    unsigned char reserved[3];
};

/* A partition at the other end of a wire. */
struct caisson_peer {
    unsigned int name; /* string offset */
    unsigned int address;
    unsigned int link; /* place in the boot page's list */
};

/* Who may begin what: all that no rule admits is dropped. */
struct caisson_rule {
    unsigned short first_port, last_port; /* of the end that does not begin */
    unsigned char peer;                   /* place in the list of peers; their count: the outside */
    unsigned char inbound;                /* 1: the peer begins, 0: this partition */
    unsigned char protocol;               /* IP's number of TCP or UDP; 0: every one */
    unsigned char reserved;
    unsigned int network, mask; /* which addresses of the outside; mask 0: all of IPv4 */
};

/* What the program of `init` tells the unikernel, which makes notes of it: prctl(CAISSON_PRCTL_TELL, what, a, b) of PID 1 alone.
 * EAGAIN: too many notes, later there is room again. */
#define CAISSON_PRCTL_TELL 0x43535453
#define CAISSON_TELL_HEALTH 0 /* a: CAISSON_HEALTH_... */
#define CAISSON_TELL_PROBE 1  /* a: which, b: error number of its connect; 0: connected */
#define CAISSON_HEALTH_STARTING 0
#define CAISSON_HEALTH_HEALTHY 1
#define CAISSON_HEALTH_UNHEALTHY 2

#define CAISSON_STARTUP_READ_ONLY 1u         /* no writable overlay: EROFS */
#define CAISSON_STARTUP_NO_NEW_PRIVILEGES 2u /* as prctl(PR_SET_NO_NEW_PRIVS) by PID 1 */
#define CAISSON_STARTUP_RECORD_CALLS 4u      /* SECCOMP_RET_LOG is the record of calls that were made, no denial */
#define CAISSON_STARTUP_ONLY_LISTED 8u         /* nothing is run but the files of `programs`, as the root image has them */

struct caisson_tmpfs {
    unsigned int path;       /* string offset, absolute */
    unsigned int mode;       /* 01777 by default */
    unsigned long long size; /* bytes */
};

#endif
