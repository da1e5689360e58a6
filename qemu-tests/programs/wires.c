/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/wires.c - two programs that talk over a network: what works, and what each refusal is called.
 *   wires serve            echoes TCP and UDP on port 7000 until a datagram says "end"
 *   wires ask NAME         uses that server, and tries what it may not */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { port = 7000, closed_port = 7001, forbidden_port = 7002, large = 16384, bulk = 1 << 20 };

static void fail(const char *what) {
    printf("wires: %s: %s\n", what, strerror(errno));
    exit(1);
}
static struct sockaddr_in at(struct in_addr address, int number) {
    struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons((unsigned short)number), .sin_addr = address};
    return out;
}
static int open_socket(int type) {
    int fd = socket(AF_INET, type, 0);
    if (fd < 0)
        fail("socket");
    return fd;
}
static void send_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t went = send(fd, bytes, count, MSG_NOSIGNAL);
        if (went <= 0)
            fail("send");
        bytes += went;
        count -= (size_t)went;
    }
}
static void receive_all(int fd, char *bytes, size_t count) {
    while (count > 0) {
        ssize_t came = recv(fd, bytes, count, 0);
        if (came <= 0)
            fail(came == 0 ? "the connection ended early" : "recv");
        bytes += came;
        count -= (size_t)came;
    }
}

static void serve_connection(int fd) {
    static char buffer[65536];
    unsigned long long all = 0;
    ssize_t came;
    char text[32];
    while ((came = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        all += (unsigned long long)came;
        if (buffer[0] != 'q') /* quiet: only counted */
            send_all(fd, buffer, (size_t)came);
    }
    if (came < 0)
        fail("recv");
    snprintf(text, sizeof text, "%020llu", all);
    send_all(fd, text, 20);
    printf("wires: served %llu bytes\n", all);
    close(fd);
}

static int serve(void) {
    struct in_addr any = {htonl(INADDR_ANY)};
    struct sockaddr_in own = at(any, port), from;
    char buffer[large];
    int one = 1, stream = open_socket(SOCK_STREAM), datagrams = open_socket(SOCK_DGRAM);
    setsockopt(stream, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(stream, (struct sockaddr *)&own, sizeof own) != 0 || listen(stream, 5) != 0 ||
        bind(datagrams, (struct sockaddr *)&own, sizeof own) != 0)
        fail("bind");
    for (;;) {
        struct pollfd wait[2] = {{stream, POLLIN, 0}, {datagrams, POLLIN, 0}};
        socklen_t size = sizeof from;
        ssize_t came;
        if (poll(wait, 2, 60000) <= 0)
            fail("poll");
        if (wait[0].revents != 0) {
            int fd = accept(stream, (struct sockaddr *)&from, &size);
            if (fd < 0)
                fail("accept");
            printf("wires: connection from %s\n", inet_ntoa(from.sin_addr));
            serve_connection(fd);
            continue;
        }
        came = recvfrom(datagrams, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
        if (came < 0)
            fail("recvfrom");
        if (came == 3 && memcmp(buffer, "end", 3) == 0) {
            printf("wires: was told to end\n");
            return 0;
        }
        if (sendto(datagrams, buffer, (size_t)came, 0, (struct sockaddr *)&from, size) != came)
            fail("sendto");
    }
}

static void expect_refused(struct in_addr address, int number, int error, const char *name) {
    struct sockaddr_in to = at(address, number);
    int fd = open_socket(SOCK_STREAM);
    int result = connect(fd, (struct sockaddr *)&to, sizeof to);
    printf("wires: %s: %s\n", name, result == 0 ? "connected" : errno == error ? "as expected" : strerror(errno));
    close(fd);
}

static int ask(const char *name) {
    static char out[bulk], in[bulk];
    struct addrinfo hint = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    struct in_addr address, nobody, outside;
    struct sockaddr_in to, own;
    socklen_t size = sizeof own;
    int fd, i, one = 1;
    inet_aton("100.64.77.200", &nobody);
    inet_aton("198.51.100.1", &outside);
    if (getaddrinfo(name, "7000", &hint, &found) != 0)
        fail("the name is not known");
    address = ((struct sockaddr_in *)found->ai_addr)->sin_addr;
    printf("wires: %s is %s\n", name, inet_ntoa(address));
    to = at(address, port);
    for (i = 0;; ++i) { /* the other end may still be starting */
        fd = open_socket(SOCK_STREAM);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
            break;
        if (errno != ECONNREFUSED || i == 500)
            fail("connect");
        close(fd);
        usleep(10000);
    }
    if (getsockname(fd, (struct sockaddr *)&own, &size) != 0)
        fail("getsockname");
    printf("wires: connected from %s\n", inet_ntoa(own.sin_addr));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (i = 0; i < bulk; ++i)
        out[i] = (char)('r' + i % 7 * (i >> 8) % 11);
    for (i = 0; i < 100; ++i) {
        send_all(fd, out + i, 1);
        receive_all(fd, in, 1);
        if (in[0] != out[i])
            fail("a byte came back as another");
    }
    for (i = 0; i < 20; ++i) {
        send_all(fd, out, large);
        receive_all(fd, in, large);
        if (memcmp(in, out, large) != 0)
            fail("bytes came back as others");
    }
    printf("wires: echoed\n");
    shutdown(fd, SHUT_WR);
    receive_all(fd, in, 20);
    printf("wires: the other end counted %.20s, then %zd\n", in, recv(fd, in, 1, 0));
    close(fd);

    fd = open_socket(SOCK_STREAM);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect again");
    memset(out, 'q', sizeof out);
    for (i = 0; i < 4; ++i)
        send_all(fd, out, bulk);
    shutdown(fd, SHUT_WR);
    receive_all(fd, in, 20);
    printf("wires: of 4 MiB the other end counted %.20s\n", in);
    close(fd);

    expect_refused(address, closed_port, ECONNREFUSED, "a port where nobody listens");
    expect_refused(address, forbidden_port, EACCES, "a port without a rule");
    expect_refused(nobody, port, EHOSTUNREACH, "an address that nobody has");
    expect_refused(outside, port, ENETUNREACH, "the outside");

    fd = open_socket(SOCK_DGRAM);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 || send(fd, out, 9000, 0) != 9000 || recv(fd, in, bulk, 0) != 9000)
        fail("a datagram");
    printf("wires: a datagram came back, a larger one: %s\n", send(fd, out, 20000, 0) < 0 ? strerror(errno) : "sent");
    to = at(address, closed_port);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 || send(fd, out, 1, 0) != 1)
        fail("a datagram to a closed port");
    printf("wires: a datagram to nobody: %s\n", recv(fd, in, bulk, 0) < 0 ? strerror(errno) : "answered");
    to = at(address, port);
    if (sendto(fd, "end", 3, 0, (struct sockaddr *)&to, sizeof to) != 3)
        fail("end");
    printf("wires: done\n");
    return 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    if (argc == 3 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2]);
    return 2;
}
