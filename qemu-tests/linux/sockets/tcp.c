/* SPDX-License-Identifier: Apache-2.0 */
/* TCP over the loopback: connections, states, ends and errors as a program sees them. */
#include "qemu-tests/linux/sockets/sockets.h"

static int state_of(int s) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? -1 : info.tcpi_state;
}
#define STATE(s) printf("state of %s: %d\n", #s, state_of(s))
static int listener(int port, int backlog) {
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    set(s, SOL_SOCKET, SO_REUSEADDR, 1);
    const struct sockaddr_in at = in4("127.0.0.1", port);
    if (bind(s, AT(at)) < 0 || listen(s, backlog) < 0)
        printf("no listener at %d: %s\n", port, ename(errno));
    return s;
}
/* Two ends of a connection. */
static void pair(int l, int v[2]) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    getsockname(l, (struct sockaddr*)&at, &size);
    v[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(v[0], AT(at));
    v[1] = accept(l, 0, 0);
}

static void beginnings(void) {
    TITLE("beginnings");
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    POLLED(s);
    OWN(s);
    PEER(s);
    STATE(s);
    RECV(s, 1, MSG_DONTWAIT);
    SEND(s, "x", MSG_NOSIGNAL);
    CALL(accept(s, 0, 0));
    CALL(shutdown(s, SHUT_RD));
    POLLED(s);
    struct sockaddr_in at = in4("127.0.0.1", 4001);
    CALL(connect(s, (struct sockaddr*)&at, 4));
    at.sin_family = AF_INET6;
    CALL(connect(s, AT(at)));
    CALL(bind(s, AT(at)));
    at = in4("127.0.0.1", 4001);
    const int c = socket(AF_INET, SOCK_STREAM, 0);
    CALL(connect(c, AT(at)));
    POLLED(c);
    OPTION(c, SOL_SOCKET, SO_ERROR);
    CALL(connect(c, AT(at)));
    const int l = socket(AF_INET, SOCK_STREAM, 0);
    at = in4("10.1.2.3", 4001);
    CALL(bind(l, AT(at)));
    at = in4("127.0.0.1", 4001);
    CALL(bind(l, AT(at)));
    OWN(l);
    CALL(bind(l, AT(at)));
    CALL(connect(c, AT(at)));
    CALL(listen(l, 1));
    STATE(l);
    OPTION(l, SOL_SOCKET, SO_ACCEPTCONN);
    POLLED(l);
    RECV(l, 1, MSG_DONTWAIT);
    SEND(l, "x", MSG_NOSIGNAL);
    CALL(connect(l, AT(at)));
    fcntl(l, F_SETFL, O_NONBLOCK);
    CALL(accept(l, 0, 0));
    CALL(connect(c, AT(at)));
    POLLED(l);
    POLLED(c);
    STATE(c);
    PEER(c);
    OWN(c);
    CALL(connect(c, AT(at)));
    CALL(listen(c, 1));
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    CALL(syscall(SYS_accept4, l, 0, 0, 0x1234));
    const int n = accept4(l, (struct sockaddr*)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    printf("from %s\n", end_text(&from, size));
    VALUE(fcntl(n, F_GETFL) & O_NONBLOCK);
    VALUE(fcntl(n, F_GETFD));
    OWN(n);
    PEER(n);
    VALUE(port_of(c) == ntohs(from.sin_port));
    SEND(c, "hello", 0);
    RECV(n, 100, MSG_PEEK);
    RECV(n, 3, MSG_TRUNC);
    int left = 0;
    CALL(ioctl(n, FIONREAD, &left));
    VALUE(left);
    RECV(n, 100, 0);
    RECV(n, 100, 0);
    CALL(sendto(n, "to", 2, 0, AT(at)));
    RECV(c, 100, 0);
    struct sockaddr_in unused;
    size = sizeof unused;
    SEND(n, "named", 0);
    char text[10];
    CALL(recvfrom(c, text, 10, 0, (struct sockaddr*)&unused, &size));
    VALUE(size);
    CALL(close(l));
    SEND(c, "the listener is gone", 0);
    RECV(n, 100, 0);
    at = in4("192.0.2.1", 80);
    const int o = socket(AF_INET, SOCK_STREAM, 0);
    CALL(connect(o, AT(at)));
    at = in4("127.0.0.1", 0);
    CALL(connect(o, AT(at)));
    close_all();
}

static void non_blocking(void) {
    TITLE("without waiting");
    struct sockaddr_in at = in4("127.0.0.1", 4002);
    const int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CALL(connect(c, AT(at)));
    show_poll("refused", c, 1000);
    OPTION(c, SOL_SOCKET, SO_ERROR);
    OPTION(c, SOL_SOCKET, SO_ERROR);
    POLLED(c);
    CALL(connect(c, AT(at)));
    CALL(connect(c, AT(at)));
    show_poll("refused", c, 1000);
    CALL(connect(c, AT(at)));
    const int l = listener(4002, 5);
    CALL(connect(c, AT(at)));
    show_poll("connected", c, 1000);
    CALL(connect(c, AT(at)));
    CALL(connect(c, AT(at)));
    OPTION(c, SOL_SOCKET, SO_ERROR);
    const int n = accept(l, 0, 0);
    RECV(c, 1, 0);
    SEND(n, "x", 0);
    show_poll("readable", c, 1000);
    RECV(c, 1, 0);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CALL(connect(c, &none, sizeof none));
    PEER(c);
    RECV(n, 1, 0);
    const int d = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CALL(connect(d, AT(at)));
    show_poll("connected", d, 1000);
    SEND(d, "early", 0);
    const int m = accept(l, 0, 0);
    RECV(m, 10, 0);
    close_all();
}

static void ends(void) {
    int v[2];
    const int l = listener(4003, 10);
    TITLE("half closed");
    pair(l, v);
    CALL(shutdown(v[0], SHUT_WR));
    show_poll("reader", v[1], 100);
    STATE(v[1]);
    POLLED(v[0]);
    SEND(v[0], "x", MSG_NOSIGNAL);
    RECV(v[1], 10, 0);
    SEND(v[1], "answer", 0);
    RECV(v[0], 10, 0);
    CALL(shutdown(v[1], SHUT_WR));
    show_poll("both", v[0], 100);
    STATE(v[0]);
    STATE(v[1]);
    POLLED(v[1]);
    RECV(v[0], 10, 0);
    PEER(v[0]);
    CALL(shutdown(v[0], SHUT_RDWR));
    SEND(v[1], "x", MSG_NOSIGNAL);
    OPTION(v[0], SOL_SOCKET, SO_ERROR);
    close(v[0]);
    close(v[1]);
    TITLE("closed, then written to");
    pair(l, v);
    CALL(close(v[1]));
    show_poll("closed", v[0], 100);
    STATE(v[0]);
    SEND(v[0], "first", MSG_NOSIGNAL);
    show_poll("reset", v[0], 100);
    STATE(v[0]);
    SEND(v[0], "second", MSG_NOSIGNAL);
    RECV(v[0], 10, 0);
    OPTION(v[0], SOL_SOCKET, SO_ERROR);
    close(v[0]);
    TITLE("closed with unread data");
    pair(l, v);
    SEND(v[0], "unread", 0);
    SEND(v[1], "still there", 0);
    CALL(close(v[1]));
    show_poll("reset", v[0], 100);
    STATE(v[0]);
    RECV(v[0], 100, 0);
    RECV(v[0], 100, 0);
    RECV(v[0], 100, 0);
    SEND(v[0], "x", MSG_NOSIGNAL);
    PEER(v[0]);
    OWN(v[0]);
    close(v[0]);
    TITLE("an error that a write finds");
    pair(l, v);
    SEND(v[0], "unread", 0);
    CALL(close(v[1]));
    SEND(v[0], "x", MSG_NOSIGNAL);
    SEND(v[0], "x", MSG_NOSIGNAL);
    close(v[0]);
    TITLE("linger 0");
    pair(l, v);
    struct linger hard = {1, 0};
    CALL(setsockopt(v[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    SEND(v[1], "sent before", 0);
    CALL(close(v[1]));
    show_poll("reset", v[0], 100);
    OPTION(v[0], SOL_SOCKET, SO_ERROR);
    RECV(v[0], 100, 0);
    RECV(v[0], 100, 0);
    close(v[0]);
    TITLE("shut for reading");
    pair(l, v);
    CALL(shutdown(v[0], SHUT_RD));
    POLLED(v[0]);
    RECV(v[0], 10, 0);
    SEND(v[1], "after", 0);
    RECV(v[0], 10, 0);
    RECV(v[0], 10, 0);
    STATE(v[1]);
    TITLE("listeners");
    CALL(shutdown(l, SHUT_RD));
    POLLED(l);
    CALL(accept(l, 0, 0));
    STATE(l);
    CALL(listen(l, 1));
    STATE(l);
    close(v[0]);
    close(v[1]);
    v[0] = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = in4("127.0.0.1", 4003);
    CALL(connect(v[0], AT(at)));
    SEND(v[0], "never accepted", 0);
    CALL(close(l));
    show_poll("not accepted", v[0], 100);
    RECV(v[0], 10, 0);
    RECV(v[0], 10, 0);
    close_all();
    TITLE("gone before it is accepted");
    const int k = listener(4013, 5);
    at = in4("127.0.0.1", 4013);
    v[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(v[0], AT(at));
    SEND(v[0], "bye", 0);
    close(v[0]);
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    v[1] = accept(k, (struct sockaddr*)&from, &size);
    printf("from %s\n", end_text(&from, size));
    STATE(v[1]);
    RECV(v[1], 10, 0);
    RECV(v[1], 10, 0);
    v[0] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(v[0], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    connect(v[0], AT(at));
    close(v[0]);
    size = sizeof from;
    v[1] = accept(k, (struct sockaddr*)&from, &size);
    printf("from %s\n", end_text(&from, size));
    PEER(v[1]);
    RECV(v[1], 10, 0);
    RECV(v[1], 10, 0);
    close_all();
}

static void much(void) {
    TITLE("more than fits");
    int v[2];
    const int l = listener(4004, 1);
    pair(l, v);
    static char block[1 << 16];
    fcntl(v[0], F_SETFL, O_NONBLOCK);
    long sent = 0, got = 0, part;
    while ((part = send(v[0], block, sizeof block, 0)) > 0)
        sent += part;
    printf("then %s, more than 64 KiB: %d\n", ename(errno), sent > 65536);
    POLLED(v[0]);
    while (got < sent && (part = recv(v[1], block, sizeof block, 0)) > 0)
        got += part;
    VALUE(sent == got);
    show_poll("room again", v[0], 1000);
    SET(v[1], SOL_SOCKET, SO_RCVLOWAT, 10);
    SEND(v[0], "12345", 0);
    show_poll("below the mark", v[1], 20);
    SEND(v[0], "67890", 0);
    RECV(v[1], 100, 0);
    SET(v[1], SOL_SOCKET, SO_RCVLOWAT, 0);
    OPTION(v[1], SOL_SOCKET, SO_RCVLOWAT);
    close_all();
}

static void urgent(void) {
    TITLE("urgent");
    int v[2], mark = -1;
    const int l = listener(4005, 1);
    pair(l, v);
    RECV(v[1], 1, MSG_OOB);
    SEND(v[0], "abc", 0);
    SEND(v[0], "dEf" + 0, MSG_OOB);
    show_poll("urgent", v[1], 100);
    SEND(v[0], "gh", 0);
    sleep_ms(10);
    CALL(ioctl(v[1], FIONREAD, &mark));
    VALUE(mark);
    CALL(ioctl(v[1], SIOCATMARK, &mark));
    VALUE(mark);
    RECV(v[1], 1, MSG_OOB | MSG_PEEK);
    RECV(v[1], 100, 0);
    CALL(ioctl(v[1], SIOCATMARK, &mark));
    VALUE(mark);
    RECV(v[1], 10, MSG_OOB);
    RECV(v[1], 10, MSG_OOB);
    POLLED(v[1]);
    RECV(v[1], 100, 0);
    CALL(ioctl(v[1], SIOCATMARK, &mark));
    VALUE(mark);
    RECV(v[1], 10, MSG_OOB);
    TITLE("urgent, inline");
    SET(v[1], SOL_SOCKET, SO_OOBINLINE, 1);
    SEND(v[0], "12", 0);
    SEND(v[0], "3", MSG_OOB);
    SEND(v[0], "45", 0);
    sleep_ms(10);
    RECV(v[1], 10, MSG_OOB);
    RECV(v[1], 100, 0);
    CALL(ioctl(v[1], SIOCATMARK, &mark));
    VALUE(mark);
    RECV(v[1], 100, 0);
    TITLE("urgent, by select");
    set(v[1], SOL_SOCKET, SO_OOBINLINE, 0);
    fd_set except, readable;
    FD_ZERO(&except);
    FD_ZERO(&readable);
    FD_SET(v[1], &except);
    FD_SET(v[1], &readable);
    SEND(v[0], "!", MSG_OOB);
    sleep_ms(10);
    struct timeval none = {0, 0};
    CALL(select(v[1] + 1, &readable, 0, &except, &none));
    VALUE(FD_ISSET(v[1], &except) != 0);
    VALUE(FD_ISSET(v[1], &readable) != 0);
    RECV(v[1], 1, MSG_OOB);
    close_all();
}

static void backlog(void) {
    TITLE("backlog");
    const int l = listener(4006, 1);
    struct sockaddr_in at = in4("127.0.0.1", 4006);
    int c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        CALL(connect(c[i], AT(at)));
    }
    sleep_ms(20);
    POLLED(c[0]);
    POLLED(c[1]);
    POLLED(c[3]);
    STATE(c[0]);
    STATE(c[1]);
    STATE(c[3]);
    CALL(connect(c[3], AT(at)));
    SEND(c[3], "x", MSG_NOSIGNAL);
    RECV(c[3], 1, 0);
    PEER(c[3]);
    const int n = accept(l, 0, 0), m = accept(l, 0, 0);
    VALUE(n >= 0 && m >= 0);
    show_poll("after a place was free", c[3], 8000);
    close_all();
}

static void deferred(void) {
    TITLE("accepted with the first data");
    const int l = listener(4007, 5), c = socket(AF_INET, SOCK_STREAM, 0);
    SET(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
    OPTION(l, IPPROTO_TCP, TCP_DEFER_ACCEPT);
    struct sockaddr_in at = in4("127.0.0.1", 4007);
    CALL(connect(c, AT(at)));
    show_poll("nothing sent", l, 50);
    SEND(c, "now", 0);
    show_poll("sent", l, 1000);
    const int n = accept(l, 0, 0);
    RECV(n, 10, 0);
    SET(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
    const int silent = socket(AF_INET, SOCK_STREAM, 0);
    const long long start = now_ms();
    CALL(connect(silent, AT(at)));
    show_poll("nothing sent for a second", l, 5000);
    printf("waited %s\n", about(now_ms() - start, 1000));
    const int m = accept4(l, 0, 0, SOCK_NONBLOCK);
    RECV(m, 10, 0);
    close_all();
}

static void timeouts(void) {
    TITLE("time-outs");
    int v[2];
    const int l = listener(4008, 5);
    pair(l, v);
    struct timeval t = {0, 60000};
    CALL(setsockopt(v[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    CALL(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    long long start = now_ms();
    RECV(v[0], 1, 0);
    CALL(accept(l, 0, 0));
    printf("waited %s\n", about(now_ms() - start, 120));
    SEND(v[1], "part", 0);
    start = now_ms();
    RECV(v[0], 10, MSG_WAITALL);
    printf("waited %s\n", about(now_ms() - start, 60));
    close_all();
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    beginnings();
    non_blocking();
    ends();
    much();
    urgent();
    backlog();
    deferred();
    timeouts();
    return 0;
}
