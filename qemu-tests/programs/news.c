/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/news.c - news COUNT: says what the kernel tells of links and addresses (rtnetlink(7)), so many messages. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    printf("news: %s: %s\n", what, strerror(errno));
    exit(1);
}

int main(int words, char **word) {
    int count = words == 2 ? atoi(word[1]) : 0;
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int group = RTNLGRP_IPV4_IFADDR, fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        fail("netlink");
    printf("news: listens\n");
    fflush(stdout);
    for (int i = 0; i < count; ++i) {
        _Alignas(struct nlmsghdr) char bytes[4096];
        const struct nlmsghdr *head = (const struct nlmsghdr *)bytes;
        ssize_t came = recv(fd, bytes, sizeof bytes, 0);
        char name[IF_NAMESIZE] = "?";
        if (came < (ssize_t)sizeof *head)
            fail("recv");
        if (head->nlmsg_type == RTM_NEWLINK) {
            const struct ifinfomsg *link = NLMSG_DATA(head);
            printf("news: %s %s\n", if_indextoname((unsigned)link->ifi_index, name), link->ifi_flags & IFF_RUNNING ? "runs" : "does not run");
        } else {
            const struct ifaddrmsg *address = NLMSG_DATA(head);
            const struct rtattr *first = IFA_RTA(address);
            unsigned char octets[4] = {0};
            if (first->rta_type == IFA_ADDRESS)
                memcpy(octets, RTA_DATA(first), 4);
            printf("news: %s %s %d.%d.%d.%d/%d\n", if_indextoname(address->ifa_index, name), head->nlmsg_type == RTM_NEWADDR ? "has" : "has no longer",
                   octets[0], octets[1], octets[2], octets[3], address->ifa_prefixlen);
        }
        fflush(stdout);
    }
    return 0;
}
