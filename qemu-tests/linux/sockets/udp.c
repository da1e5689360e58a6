/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams over the loopback. */
#include "qemu-tests/linux/sockets/sockets.h"

static void receive_message(int s, size_t room) {
    char control[300], text[100] = "";
    struct sockaddr_storage from;
    struct iovec part = {text, 50};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    const long got = recvmsg(s, &message, MSG_DONTWAIT);
    if (got < 0) {
        printf("recvmsg: %s\n", ename(errno));
        return;
    }
    printf("recvmsg: %ld \"%s\" from %s, control %ld flags %x", got, text, end_text(&from, message.msg_namelen),
           (long)message.msg_controllen, message.msg_flags);
    for (struct cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        printf(" [level %d type %d length %ld", head->cmsg_level, head->cmsg_type, (long)head->cmsg_len);
        int number;
        memcpy(&number, CMSG_DATA(head), sizeof number);
        if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo information;
            memcpy(&information, CMSG_DATA(head), sizeof information);
            printf(": interface %d local %x to %x", information.ipi_ifindex, ntohl(information.ipi_spec_dst.s_addr), ntohl(information.ipi_addr.s_addr));
        } else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo information;
            char host[64];
            memcpy(&information, CMSG_DATA(head), sizeof information);
            printf(": interface %d to %s", information.ipi6_ifindex, inet_ntop(AF_INET6, &information.ipi6_addr, host, sizeof host));
        } else if ((head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_TTL) ||
                   (head->cmsg_level == IPPROTO_IPV6 && (head->cmsg_type == IPV6_HOPLIMIT || head->cmsg_type == IPV6_TCLASS))) {
            printf(": %d", number);
        }
        printf("]");
    }
    printf("\n");
}

static void plain(void) {
    TITLE("plain");
    const int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    POLLED(a);
    OWN(a);
    PEER(a);
    RECV(a, 10, MSG_DONTWAIT);
    SEND(b, "x", 0);
    OWN(b);
    CALL(listen(a, 1));
    CALL(accept(a, 0, 0));
    struct sockaddr_in na = in4("127.0.0.1", 4400), nb = in4("127.0.0.1", 4401), none = in4("127.0.0.1", 4402);
    CALL(bind(a, AT(na)));
    CALL(sendto(b, "one", 3, 0, AT(na)));
    OWN(b);
    CALL(sendto(b, "", 0, 0, AT(na)));
    CALL(sendto(b, "third", 5, 0, AT(na)));
    POLLED(a);
    int left;
    CALL(ioctl(a, FIONREAD, &left));
    VALUE(left);
    RECV(a, 2, MSG_PEEK | MSG_TRUNC);
    RECV(a, 2, 0);
    RECV(a, 10, 0);
    receive_message(a, 300);
    receive_message(a, 300);
    SEND(b, "x", MSG_OOB);
    CALL(sendto(b, "x", 1, MSG_OOB, AT(na)));
    RECV(a, 1, MSG_OOB | MSG_DONTWAIT);
    RECV(a, 1, MSG_ERRQUEUE | MSG_DONTWAIT);
    na.sin_port = 0;
    CALL(sendto(b, "x", 1, 0, AT(na)));
    na = in4("127.0.0.1", 4400);
    CALL(sendto(b, "x", 1, 0, (struct sockaddr*)&na, 4));
    na.sin_family = AF_INET6;
    CALL(sendto(b, "x", 1, 0, AT(na)));
    na.sin_family = AF_UNSPEC;
    CALL(sendto(b, "unspecified", 11, 0, AT(na)));
    RECV(a, 20, MSG_DONTWAIT);
    na.sin_family = AF_INET;
    struct sockaddr_in far = in4("192.0.2.1", 53);
    CALL(sendto(b, "x", 1, 0, AT(far)));
    CALL(connect(b, AT(far)));
    far = in4("255.255.255.255", 53);
    CALL(sendto(b, "x", 1, 0, AT(far)));
    SET(b, SOL_SOCKET, SO_BROADCAST, 1);
    CALL(sendto(b, "x", 1, 0, AT(far)));
    far = in4("224.0.0.1", 53);
    static char large[70000];
    CALL(sendto(b, large, 65507, 0, AT(na)));
    CALL(recv(a, large, sizeof large, MSG_DONTWAIT));
    CALL(sendto(b, large, 65508, 0, AT(na)));
    CALL(sendto(b, large, 65536, 0, AT(na)));
    TITLE("nobody there");
    CALL(sendto(b, "x", 1, 0, AT(none)));
    CALL(sendto(b, "x", 1, 0, AT(none)));
    OPTION(b, SOL_SOCKET, SO_ERROR);
    CALL(connect(b, AT(none)));
    PEER(b);
    OWN(b);
    SEND(b, "x", 0);
    show_poll("refused", b, 100);
    SEND(b, "x", 0);
    SEND(b, "x", 0);
    RECV(b, 1, MSG_DONTWAIT);
    RECV(b, 1, MSG_DONTWAIT);
    SEND(b, "x", 0);
    OPTION(b, SOL_SOCKET, SO_ERROR);
    OPTION(b, SOL_SOCKET, SO_ERROR);
    TITLE("connected");
    struct sockaddr off = {.sa_family = AF_UNSPEC};
    CALL(connect(b, &off, sizeof off));
    PEER(b);
    OWN(b);
    CALL(connect(b, AT(na)));
    const int c = socket(AF_INET, SOCK_DGRAM, 0);
    CALL(bind(c, AT(nb)));
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    getsockname(b, (struct sockaddr*)&own, &size);
    CALL(sendto(c, "stranger", 8, 0, AT(own)));
    RECV(b, 10, MSG_DONTWAIT);
    CALL(sendto(a, "peer", 4, 0, AT(own)));
    RECV(b, 10, MSG_DONTWAIT);
    CALL(sendto(b, "elsewhere", 9, 0, AT(nb)));
    RECV(c, 10, MSG_DONTWAIT);
    CALL(shutdown(c, SHUT_RD));
    CALL(shutdown(b, SHUT_RD));
    POLLED(b);
    RECV(b, 10, 0);
    RECV(b, 10, MSG_DONTWAIT);
    CALL(shutdown(b, SHUT_WR));
    SEND(b, "x", 0);
    POLLED(b);
    close_all();
}

static void ancillary(void) {
    TITLE("beside the bytes");
    const int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in any = in4("0.0.0.0", 4410), to = in4("127.0.0.7", 4410);
    CALL(bind(a, AT(any)));
    SET(a, IPPROTO_IP, IP_PKTINFO, 1);
    SET(a, IPPROTO_IP, IP_RECVTTL, 1);
    CALL(sendto(b, "to seven", 8, 0, AT(to)));
    receive_message(a, 300);
    CALL(sendto(b, "little room", 11, 0, AT(to)));
    receive_message(a, 30);
    CALL(sendto(b, "no room", 7, 0, AT(to)));
    receive_message(a, 0);
    const int s = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 any6 = in6("::", 4411), to6 = in6("::1", 4411), mapped = in6("::ffff:127.0.0.9", 4411);
    CALL(bind(s, AT(any6)));
    SET(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    CALL(sendto(t, "six", 3, 0, AT(to6)));
    receive_message(s, 300);
    CALL(sendto(t, "mapped", 6, 0, AT(mapped)));
    receive_message(s, 300);
    to = in4("127.0.0.1", 4411);
    CALL(sendto(b, "four", 4, 0, AT(to)));
    receive_message(s, 300);
    OWN(t);
    SET(a, IPPROTO_IP, IP_PKTINFO, 0);
    SET(a, IPPROTO_IP, IP_RECVTTL, 0);
    SET(a, SOL_SOCKET, SO_TIMESTAMP, 1);
    to = in4("127.0.0.1", 4410);
    CALL(sendto(b, "when", 4, 0, AT(to)));
    receive_message(a, 300);
    SET(a, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    CALL(sendto(b, "when", 4, 0, AT(to)));
    receive_message(a, 300);
    close_all();
}

static void many(void) {
    TITLE("many at once");
    const int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = in4("127.0.0.1", 4420);
    bind(a, AT(to));
    connect(b, AT(to));
    struct iovec parts[4] = {{"one", 3}, {"two!", 4}, {"three", 5}, {0, 1}};
    struct mmsghdr out[4];
    memset(out, 0, sizeof out);
    for (int i = 0; i < 4; i++) {
        out[i].msg_hdr.msg_iov = &parts[i];
        out[i].msg_hdr.msg_iovlen = 1;
    }
    CALL(sendmmsg(b, out, 4, 0));
    printf("%u %u %u\n", out[0].msg_len, out[1].msg_len, out[2].msg_len);
    CALL(sendmmsg(b, out + 3, 1, 0));
    CALL(sendmmsg(b, out, 0, 0));
    char text[5][10];
    struct iovec rooms[5];
    struct mmsghdr in[5];
    memset(in, 0, sizeof in);
    memset(text, 0, sizeof text);
    for (int i = 0; i < 5; i++) {
        rooms[i] = (struct iovec){text[i], i == 1 ? 2 : 9};
        in[i].msg_hdr.msg_iov = &rooms[i];
        in[i].msg_hdr.msg_iovlen = 1;
    }
    CALL(recvmmsg(a, in, 5, MSG_DONTWAIT, 0));
    for (int i = 0; i < 3; i++)
        printf("%u \"%s\" flags %x\n", in[i].msg_len, text[i], in[i].msg_hdr.msg_flags);
    CALL(recvmmsg(a, in, 5, MSG_DONTWAIT, 0));
    CALL(sendmmsg(b, out, 2, 0));
    CALL(recvmmsg(a, in, 5, MSG_WAITFORONE, 0));
    struct timespec bad = {0, 2000000000};
    CALL(recvmmsg(a, in, 5, MSG_DONTWAIT, &bad));
    TITLE("a full receiver");
    SET(a, SOL_SOCKET, SO_RCVBUF, 1);
    OPTION(a, SOL_SOCKET, SO_RCVBUF);
    int n = 0;
    for (int i = 0; i < 50; i++)
        n += send(b, "x", 1, MSG_DONTWAIT) == 1;
    VALUE(n);
    n = 0;
    while (recv(a, text[0], 10, MSG_DONTWAIT) == 1)
        n++;
    VALUE(n > 0 && n < 10);
    close_all();
}

/* One item of so many bytes goes along. */
static void with_item(int s, int type, int value, size_t bytes) {
    char control[CMSG_SPACE(8)] = "";
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(bytes)};
    struct cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = IPPROTO_IPV6;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(head), &value, sizeof value);
    CALL(sendmsg(s, &message, 0));
}

static void hops(void) {
    TITLE("what goes along with a datagram of IPv6");
    const int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 to = in6("::1", 4440);
    bind(a, AT(to));
    connect(b, AT(to));
    SET(a, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    SET(a, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    SEND(b, "usual", 0);
    receive_message(a, 300);
    SET(b, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7);
    SET(b, IPPROTO_IPV6, IPV6_TCLASS, 0x40);
    SEND(b, "the socket's", 0);
    receive_message(a, 300);
    static const int values[] = {0, 1, 33, 255, -1, 256, -2};
    for (int i = 0; i < 7; i++) {
        with_item(b, IPV6_HOPLIMIT, values[i], sizeof(int));
        receive_message(a, 300);
        with_item(b, IPV6_TCLASS, values[i], sizeof(int));
        receive_message(a, 300);
    }
    with_item(b, IPV6_HOPLIMIT, 3, sizeof(int) + 1);
    receive_message(a, 300);
    close_all();
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    plain();
    ancillary();
    many();
    hops();
    return 0;
}
