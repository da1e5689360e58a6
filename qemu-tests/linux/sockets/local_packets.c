/* SPDX-License-Identifier: Apache-2.0 */
/* Local datagrams and records. */
#include "qemu-tests/linux/sockets/sockets.h"

static void datagrams(void) {
    TITLE("datagrams");
    const int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
    POLLED(a);
    struct sockaddr_un na = un("@a"), nb = un("@b");
    CALL(bind(a, (struct sockaddr*)&na, un_size));
    CALL(listen(a, 1));
    CALL(accept(a, 0, 0));
    SEND(b, "x", 0);
    CALL(sendto(b, "one", 3, 0, (struct sockaddr*)&na, un_size));
    CALL(bind(b, (struct sockaddr*)&nb, un_size));
    CALL(sendto(b, "second", 6, 0, (struct sockaddr*)&na, un_size));
    CALL(sendto(b, "", 0, 0, (struct sockaddr*)&na, un_size));
    POLLED(a);
    char text[20] = "";
    struct sockaddr_un from;
    socklen_t size = sizeof from;
    CALL(recvfrom(a, text, sizeof text, 0, (struct sockaddr*)&from, &size));
    VALUE(size);
    int left;
    CALL(ioctl(a, FIONREAD, &left));
    VALUE(left);
    RECV(a, 3, MSG_PEEK);
    RECV(a, 3, MSG_PEEK | MSG_TRUNC);
    size = sizeof from;
    CALL(recvfrom(a, text, 2, 0, (struct sockaddr*)&from, &size));
    printf("from %s\n", end_text(&from, size));
    RECV(a, 10, 0);
    RECV(a, 10, MSG_DONTWAIT);
    CALL(connect(b, (struct sockaddr*)&na, un_size));
    PEER(b);
    SEND(b, "connected", 0);
    RECV(a, 10, 0);
    CALL(connect(a, (struct sockaddr*)&nb, un_size));
    CALL(sendto(c, "stranger", 8, 0, (struct sockaddr*)&na, un_size));
    CALL(connect(c, (struct sockaddr*)&na, un_size));
    SEND(a, "x", MSG_OOB);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CALL(connect(a, &none, sizeof none));
    PEER(a);
    CALL(sendto(c, "stranger", 8, 0, (struct sockaddr*)&na, un_size));
    RECV(a, 10, 0);
    CALL(shutdown(a, SHUT_RD));
    CALL(sendto(c, "x", 1, 0, (struct sockaddr*)&na, un_size));
    RECV(a, 10, 0);
    RECV(a, 10, MSG_DONTWAIT);
    POLLED(a);
    CALL(close(a));
    POLLED(b);
    SEND(b, "x", 0);
    SEND(b, "x", 0);
    CALL(sendto(c, "x", 1, 0, (struct sockaddr*)&na, un_size));
    static char large[300000];
    int v[2];
    CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, v));
    CALL(send(v[0], large, 212960, MSG_DONTWAIT));
    CALL(send(v[0], large, 212961, MSG_DONTWAIT));
    CALL(recv(v[1], large, sizeof large, MSG_DONTWAIT));
    CALL(send(v[0], large, 70000, MSG_DONTWAIT));
    CALL(recv(v[1], large, 100, MSG_TRUNC));
    CALL(close(v[1]));
    SEND(v[0], "x", 0);
    SEND(v[0], "x", 0);
    RECV(v[0], 10, MSG_DONTWAIT);
}

static void limits(void) {
    TITLE("how many fit");
    int v[2], n = 0;
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, v);
    while (send(v[0], "x", 1, 0) == 1)
        n++;
    printf("%d of one byte, then %s\n", n, ename(errno));
    POLLED(v[0]);
    RECV(v[1], 10, 0);
    POLLED(v[0]);
    SEND(v[0], "x", 0);
    while (recv(v[1], &n, 1, 0) == 1)
        ;
    POLLED(v[0]);
    const int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un na = un("@full");
    bind(a, (struct sockaddr*)&na, un_size);
    n = 0;
    while (sendto(b, "x", 1, 0, (struct sockaddr*)&na, un_size) == 1)
        n++;
    printf("%d unconnected, then %s\n", n, ename(errno));
    CALL(connect(b, (struct sockaddr*)&na, un_size));
    POLLED(b);
    RECV(a, 10, 0);
    POLLED(b);
    SEND(b, "x", 0);
    SEND(b, "x", 0);
    SET(v[0], SOL_SOCKET, SO_SNDBUF, 1000);
    OPTION(v[0], SOL_SOCKET, SO_SNDBUF);
    n = 0;
    while (send(v[0], "x", 1, 0) == 1)
        n++;
    printf("%d of one byte, then %s\n", n, ename(errno));
}

static void records(void) {
    TITLE("records");
    int v[2];
    CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v));
    SEND(v[0], "first", 0);
    SEND(v[0], "second", MSG_EOR);
    int left;
    CALL(ioctl(v[1], FIONREAD, &left));
    VALUE(left);
    RECV(v[1], 3, 0);
    RECV(v[1], 100, MSG_WAITALL);
    CALL(shutdown(v[0], SHUT_WR));
    RECV(v[1], 100, MSG_DONTWAIT);
    POLLED(v[1]);
    SEND(v[0], "x", MSG_NOSIGNAL);
    CALL(close(v[0]));
    SEND(v[1], "x", MSG_NOSIGNAL);
    POLLED(v[1]);
    close(v[1]);
    const int s = socket(AF_UNIX, SOCK_SEQPACKET, 0), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), d = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a = un("/tmp/records");
    RECV(c, 10, MSG_DONTWAIT);
    SEND(c, "x", 0);
    POLLED(c);
    CALL(bind(s, (struct sockaddr*)&a, un_size));
    CALL(listen(s, 2));
    CALL(connect(d, (struct sockaddr*)&a, un_size));
    CALL(connect(c, (struct sockaddr*)&a, un_size));
    SEND(c, "before", 0);
    const int n = accept(s, 0, 0);
    RECV(n, 100, 0);
    SEND(n, "answer", 0);
    RECV(c, 100, 0);
    struct sockaddr_un none = un("@none");
    CALL(sendto(c, "x", 1, 0, (struct sockaddr*)&none, un_size));
    SEND(c, "unread", 0);
    CALL(close(n));
    RECV(c, 100, MSG_DONTWAIT);
    RECV(c, 100, MSG_DONTWAIT);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    datagrams();
    limits();
    records();
    return 0;
}
