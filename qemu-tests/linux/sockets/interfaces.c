/* SPDX-License-Identifier: Apache-2.0 */
/* What interfaces, addresses and routes there are: getifaddrs, netlink, ioctl, /proc/net. */
#include "qemu-tests/linux/sockets/sockets.h"
#include <ifaddrs.h>
#include <netdb.h>

/* netlink(7) and rtnetlink(7): musl has no header for them. */
struct sockaddr_nl {
    unsigned short nl_family, pad;
    unsigned nl_pid, nl_groups;
};
struct nlmsghdr {
    unsigned nlmsg_len;
    unsigned short nlmsg_type, nlmsg_flags;
    unsigned nlmsg_seq, nlmsg_pid;
};
enum { NLM_F_REQUEST = 1, NLM_F_MULTI = 2, NLM_F_DUMP = 0x300, NLMSG_DONE = 3, RTM_GETLINK = 18, RTM_GETADDR = 22 };

static void raw(void) {
    TITLE("netlink");
    const int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_nl me = {.nl_family = AF_NETLINK};
    CALL(bind(s, AT(me)));
    socklen_t size = sizeof me;
    CALL(getsockname(s, (struct sockaddr*)&me, &size));
    printf("port ours %d, size %u\n", me.nl_pid == (unsigned)getpid(), size);
    const int t = socket(AF_NETLINK, SOCK_DGRAM, 0);
    CALL(bind(t, AT(me)));
    CALL(socket(AF_NETLINK, SOCK_STREAM, 0));
    CALL(socket(AF_NETLINK, SOCK_RAW, 31));
    CALL(listen(s, 1));
    CALL(accept(s, 0, 0));
    POLLED(s);
    struct {
        struct nlmsghdr head;
        unsigned char family;
        char rest[64];
    } request;
    const int types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETADDR};
    for (int i = 0; i < 3; i++) {
        memset(&request, 0, sizeof request);
        request.head.nlmsg_len = sizeof request.head + (i == 0 ? 16 : 8); /* struct ifinfomsg, struct ifaddrmsg */
        request.head.nlmsg_type = types[i];
        request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        request.head.nlmsg_seq = 7 + i;
        request.family = i == 2 ? AF_INET6 : 0;
        VALUE(send(s, &request, request.head.nlmsg_len, 0) == (long)request.head.nlmsg_len);
        for (int done = 0; !done;) {
            char answer[8192];
            struct sockaddr_nl from;
            size = sizeof from;
            const long got = recvfrom(s, answer, sizeof answer, 0, (struct sockaddr*)&from, &size);
            if (from.nl_pid != 0 || size != sizeof from)
                printf("from %u, size %u\n", from.nl_pid, size);
            for (long at = 0; at + (long)sizeof(struct nlmsghdr) <= got;) {
                const struct nlmsghdr* head = (const void*)(answer + at);
                at += (head->nlmsg_len + 3) & ~3u;
                printf("type %d flags %x sequence %u\n", head->nlmsg_type, head->nlmsg_flags & NLM_F_MULTI, head->nlmsg_seq);
                if (head->nlmsg_type == NLMSG_DONE || got <= 0)
                    done = 1;
            }
        }
    }
    close_all();
}

static void addresses(void) {
    TITLE("getifaddrs");
    struct ifaddrs *all, *one;
    CALL(getifaddrs(&all));
    for (one = all; one; one = one->ifa_next) {
        printf("%s flags %x", one->ifa_name, one->ifa_flags);
        if (!one->ifa_addr) {
            printf(" nothing\n");
            continue;
        }
        char host[64] = "", mask[64] = "";
        const int family = one->ifa_addr->sa_family;
        printf(" family %d", family);
        if (family == AF_INET) {
            inet_ntop(family, &((struct sockaddr_in*)one->ifa_addr)->sin_addr, host, sizeof host);
            inet_ntop(family, &((struct sockaddr_in*)one->ifa_netmask)->sin_addr, mask, sizeof mask);
        } else if (family == AF_INET6) {
            inet_ntop(family, &((struct sockaddr_in6*)one->ifa_addr)->sin6_addr, host, sizeof host);
            inet_ntop(family, &((struct sockaddr_in6*)one->ifa_netmask)->sin6_addr, mask, sizeof mask);
        }
        printf(" %s %s\n", host, mask);
    }
    freeifaddrs(all);
    CALL(if_nametoindex("lo"));
    CALL(if_nametoindex("eth7"));
    char name[IF_NAMESIZE] = "";
    VALUE(if_indextoname(1, name) != 0);
    TEXT(name);
    VALUE(if_indextoname(77, name) != 0);
    struct if_nameindex* names = if_nameindex();
    for (struct if_nameindex* i = names; i && i->if_index; i++)
        printf("%u %s\n", i->if_index, i->if_name);
}

static void requests(void) {
    TITLE("ioctl");
    const int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r;
    memset(&r, 0, sizeof r);
    strcpy(r.ifr_name, "lo");
    CALL(ioctl(s, SIOCGIFFLAGS, &r));
    printf("%x\n", r.ifr_flags);
    CALL(ioctl(s, SIOCGIFADDR, &r));
    printf("%s\n", end_text(&r.ifr_addr, sizeof(struct sockaddr_in)));
    CALL(ioctl(s, SIOCGIFNETMASK, &r));
    printf("%s\n", end_text(&r.ifr_addr, sizeof(struct sockaddr_in)));
    CALL(ioctl(s, SIOCGIFBRDADDR, &r));
    CALL(ioctl(s, SIOCGIFMTU, &r));
    VALUE(r.ifr_mtu);
    CALL(ioctl(s, SIOCGIFHWADDR, &r));
    VALUE(r.ifr_hwaddr.sa_family);
    CALL(ioctl(s, SIOCGIFINDEX, &r));
    VALUE(r.ifr_ifindex);
    CALL(ioctl(s, SIOCGIFMETRIC, &r));
    VALUE(r.ifr_metric);
    strcpy(r.ifr_name, "none");
    CALL(ioctl(s, SIOCGIFFLAGS, &r));
    r.ifr_ifindex = 1;
    CALL(ioctl(s, SIOCGIFNAME, &r));
    TEXT(r.ifr_name);
    char list[200];
    struct ifconf c = {.ifc_len = sizeof list, .ifc_buf = list};
    CALL(ioctl(s, SIOCGIFCONF, &c));
    VALUE(c.ifc_len);
    TEXT(((struct ifreq*)list)->ifr_name);
    c.ifc_len = 10;
    CALL(ioctl(s, SIOCGIFCONF, &c));
    VALUE(c.ifc_len);
    c.ifc_buf = 0;
    CALL(ioctl(s, SIOCGIFCONF, &c));
    VALUE(c.ifc_len);
    CALL(ioctl(s, TCGETS, &c));
    CALL(ioctl(s, SIOCGIFFLAGS, 8));
    close(s);
}

/* A file of /proc/net without what changes: inodes, ports of the ephemeral range. */
static void show(const char* path, int skip_after) {
    FILE* f = fopen(path, "r");
    if (!f) {
        printf("%s: %s\n", path, ename(errno));
        return;
    }
    char line[300];
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (skip_after && strlen(line) > (size_t)skip_after)
            line[skip_after] = 0;
        const char* text = strstr(path, "/udp") && strchr(line, ':') ? strchr(line, ':') : line; /* its number is a hash */
        printf("%s%s\n", path, text);
    }
    fclose(f);
}

int main(void) {
    raw();
    addresses();
    requests();
    TITLE("/proc/net");
    const int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), v = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in a = in4("127.0.0.1", 4500), b = in4("0.0.0.0", 4501);
    struct sockaddr_in6 c = in6("::1", 4502), d = in6("::", 4503);
    bind(s, AT(a));
    listen(s, 5);
    bind(t, AT(c));
    listen(t, 5);
    bind(u, AT(b));
    bind(v, AT(d));
    show("/proc/net/tcp", 89);
    show("/proc/net/tcp6", 137);
    show("/proc/net/udp", 89);
    show("/proc/net/udp6", 137);
    show("/proc/net/if_inet6", 0);
    show("/proc/net/route", 60);
    show("/proc/sys/net/ipv4/ip_local_port_range", 0);
    show("/proc/sys/net/ipv4/tcp_fin_timeout", 0);
    show("/proc/sys/net/core/somaxconn", 0);
    show("/proc/sys/net/core/wmem_default", 0);
    show("/proc/sys/net/unix/max_dgram_qlen", 0);
    show("/proc/sys/net/ipv6/conf/all/disable_ipv6", 0);
    FILE* f = fopen("/proc/net/dev", "r");
    int lines = 0;
    char line[300];
    while (f && fgets(line, sizeof line, f))
        lines++;
    VALUE(lines);
    return 0;
}
