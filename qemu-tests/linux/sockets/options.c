/* SPDX-License-Identifier: Apache-2.0 */
/* Options: what they are at first, what they take, what they say then. */
#include "qemu-tests/linux/sockets/sockets.h"

struct named {
    int level, name;
    const char* text;
};
#define O(level, name) {level, name, #name}
static const struct named numbers[] = {
    O(SOL_SOCKET, SO_DEBUG), O(SOL_SOCKET, SO_REUSEADDR), O(SOL_SOCKET, SO_TYPE), O(SOL_SOCKET, SO_ERROR), O(SOL_SOCKET, SO_DONTROUTE),
    O(SOL_SOCKET, SO_BROADCAST), O(SOL_SOCKET, SO_KEEPALIVE), O(SOL_SOCKET, SO_OOBINLINE), O(SOL_SOCKET, SO_NO_CHECK), O(SOL_SOCKET, SO_PRIORITY),
    O(SOL_SOCKET, SO_REUSEPORT), O(SOL_SOCKET, SO_PASSCRED), O(SOL_SOCKET, SO_SNDLOWAT), O(SOL_SOCKET, SO_TIMESTAMP),
    O(SOL_SOCKET, SO_ACCEPTCONN), O(SOL_SOCKET, SO_PROTOCOL), O(SOL_SOCKET, SO_DOMAIN), O(SOL_SOCKET, SO_MARK), O(SOL_SOCKET, 999),
    O(IPPROTO_IP, IP_TOS), O(IPPROTO_IP, IP_TTL), O(IPPROTO_IP, IP_PKTINFO), O(IPPROTO_IP, IP_MTU_DISCOVER), O(IPPROTO_IP, IP_RECVERR),
    O(IPPROTO_IP, IP_RECVTTL), O(IPPROTO_IP, IP_RECVTOS), O(IPPROTO_IP, IP_FREEBIND), O(IPPROTO_IP, IP_TRANSPARENT), O(IPPROTO_IP, IP_MULTICAST_TTL), O(IPPROTO_IP, IP_MULTICAST_LOOP),
    O(IPPROTO_IP, IP_MTU),
    O(IPPROTO_IPV6, IPV6_UNICAST_HOPS), O(IPPROTO_IPV6, IPV6_MULTICAST_HOPS), O(IPPROTO_IPV6, IPV6_MULTICAST_LOOP), O(IPPROTO_IPV6, IPV6_V6ONLY),
    O(IPPROTO_IPV6, IPV6_RECVPKTINFO), O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT), O(IPPROTO_IPV6, IPV6_TCLASS),
    O(IPPROTO_TCP, TCP_NODELAY), O(IPPROTO_TCP, TCP_MAXSEG), O(IPPROTO_TCP, TCP_CORK), O(IPPROTO_TCP, TCP_KEEPIDLE), O(IPPROTO_TCP, TCP_KEEPINTVL),
    O(IPPROTO_TCP, TCP_KEEPCNT), O(IPPROTO_TCP, TCP_SYNCNT), O(IPPROTO_TCP, TCP_LINGER2), O(IPPROTO_TCP, TCP_DEFER_ACCEPT), O(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    O(IPPROTO_TCP, TCP_QUICKACK), O(IPPROTO_TCP, TCP_USER_TIMEOUT), O(IPPROTO_TCP, 200), O(IPPROTO_UDP, UDP_CORK), O(77, 1)};

static void table(const char* title, int family, int type) {
    TITLE(title);
    const int s = socket(family, type, 0);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const int before = option(s, numbers[i].level, numbers[i].name);
        printf("%s: %d\n", numbers[i].text, before);
        const int values[] = {1, 0, 7, -1, 70000};
        for (unsigned j = 0; j < 5; j++) {
            errno = 0;
            const int result = set(s, numbers[i].level, numbers[i].name, values[j]);
            if (result < 0)
                printf("  %d -> %s\n", values[j], ename(errno));
            else
                printf("  %d -> %d\n", values[j], option(s, numbers[i].level, numbers[i].name));
        }
    }
    close(s);
}

static void forms(void) {
    TITLE("sizes of values");
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    char small[2] = {1, 0};
    int number = 1;
    CALL(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, small, 1));
    CALL(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, small, 0));
    CALL(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &number, -1));
    CALL(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, (void*)8, 4));
    CALL(setsockopt(s, IPPROTO_IP, IP_TTL, small, 1));
    OPTION(s, IPPROTO_IP, IP_TTL);
    CALL(setsockopt(s, IPPROTO_IP, IP_TTL, &number, 0));
    CALL(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, small, 1));
    socklen_t size = 1;
    CALL(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, small, &size));
    VALUE(size);
    size = 0;
    CALL(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, small, &size));
    VALUE(size);
    size = -1;
    CALL(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, small, &size));
    size = 100;
    char much[100];
    CALL(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, much, &size));
    VALUE(size);
    size = 1;
    CALL(getsockopt(s, IPPROTO_IP, IP_TTL, small, &size));
    printf("%d, size %u\n", small[0], size);
    CALL(getsockopt(0, SOL_SOCKET, SO_TYPE, much, &size));
    CALL(getsockopt(99, SOL_SOCKET, SO_TYPE, much, &size));
    struct linger l = {1, 5};
    CALL(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
    CALL(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4));
    memset(&l, 0, sizeof l);
    size = sizeof l;
    CALL(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &size));
    printf("%d %d %u\n", l.l_onoff, l.l_linger, size);
    TITLE("buffers");
    for (int kind = 0; kind < 2; kind++) {
        const int u = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0), name = kind ? SO_SNDBUF : SO_RCVBUF;
        OPTION(u, SOL_SOCKET, name);
        OPTION(d, SOL_SOCKET, name);
        SET(u, SOL_SOCKET, name, 0);
        OPTION(u, SOL_SOCKET, name);
        SET(u, SOL_SOCKET, name, 10000);
        OPTION(u, SOL_SOCKET, name);
        SET(u, SOL_SOCKET, kind ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, 1 << 20);
        OPTION(u, SOL_SOCKET, name);
    }
    TITLE("names of algorithms and interfaces");
    CALL(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    CALL(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8));
    CALL(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    CALL(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "eth7", 5));
    CALL(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
    TITLE("groups");
    const int d = socket(AF_INET, SOCK_DGRAM, 0), d6 = socket(AF_INET6, SOCK_DGRAM, 0);
    struct ip_mreq group = {{htonl(0xE0000105)}, {htonl(INADDR_LOOPBACK)}};
    CALL(setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    CALL(setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    CALL(setsockopt(d, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
    CALL(setsockopt(d, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
    group.imr_interface.s_addr = 0;
    CALL(setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    group.imr_interface.s_addr = htonl(0x0A000001);
    CALL(setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    group.imr_multiaddr.s_addr = htonl(0x7F000001);
    CALL(setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    CALL(setsockopt(d, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, 4));
    struct in_addr from = {htonl(INADDR_LOOPBACK)};
    CALL(setsockopt(d, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from));
    from.s_addr = htonl(0x0A000001);
    CALL(setsockopt(d, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from));
    struct ipv6_mreq group6 = {.ipv6mr_interface = 1};
    inet_pton(AF_INET6, "ff02::5", &group6.ipv6mr_multiaddr);
    CALL(setsockopt(d6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group6, sizeof group6));
    group6.ipv6mr_interface = 77;
    CALL(setsockopt(d6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group6, sizeof group6));
    close_all();
}

int main(void) {
    table("tcp", AF_INET, SOCK_STREAM);
    table("tcp 6", AF_INET6, SOCK_STREAM);
    table("udp", AF_INET, SOCK_DGRAM);
    table("udp 6", AF_INET6, SOCK_DGRAM);
    table("local", AF_UNIX, SOCK_STREAM);
    forms();
    return 0;
}
