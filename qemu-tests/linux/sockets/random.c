/* SPDX-License-Identifier: Apache-2.0 */
/* Random calls on a few sockets: `random SEEDS [FIRST [STEPS]]`. Nothing waits, so what each call gives is a matter of the
 * calls before it. Messages are small: what buffers hold is not compared. */
#include "qemu-tests/linux/sockets/sockets.h"

enum { SLOTS = 8, PORTS = 3 };
static int slots[SLOTS], domains[SLOTS], types[SLOTS], asked[SLOTS];
static uint32_t state;
static unsigned any(unsigned below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}
static const int kinds[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_STREAM},   {AF_INET6, SOCK_STREAM},
                               {AF_UNIX, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},    {AF_INET6, SOCK_DGRAM},
                               {AF_UNIX, SOCK_DGRAM},  {AF_UNIX, SOCK_SEQPACKET}};
enum { KINDS = sizeof kinds / sizeof *kinds };
static int base_port;

/* One of few addresses, mostly of the socket's own family. */
static socklen_t address(int domain, int type, struct sockaddr_storage* to, const char** text) {
    static char said[64];
    memset(to, 0, sizeof *to);
    *text = said;
    const int port = base_port + (int)any(PORTS);
    if (any(30) == 0 && type == SOCK_STREAM)
        domain = domain == AF_INET ? AF_INET6 : AF_INET;
    if (any(40) == 0) {
        snprintf(said, sizeof said, "unspecified");
        return sizeof(struct sockaddr_in);
    }
    if (domain == AF_INET) {
        const char* hosts[] = {"127.0.0.1", "127.0.0.1", "0.0.0.0", "127.0.0.2"};
        const char* host = hosts[any(4)];
        const struct sockaddr_in in = in4(host, port);
        memcpy(to, &in, sizeof in);
        snprintf(said, sizeof said, "%s:+%d", host, port - base_port);
        return sizeof in;
    }
    if (domain == AF_INET6) {
        const char* hosts[] = {"::1", "::1", "::", "::ffff:127.0.0.1"};
        /* datagrams of both families through one socket depend on more than this program knows */
        const char* host = hosts[any(type == SOCK_DGRAM ? 3 : 4)];
        const struct sockaddr_in6 in = in6(host, port);
        memcpy(to, &in, sizeof in);
        snprintf(said, sizeof said, "[%s]:+%d", host, port - base_port);
        return sizeof in;
    }
    char name[40];
    snprintf(name, sizeof name, "%srandom%d", any(2) ? "@" : "/tmp/", port);
    const struct sockaddr_un local = un(name);
    memcpy(to, &local, sizeof local);
    snprintf(said, sizeof said, "%crandom+%d", name[0], port - base_port);
    return un_size;
}
static void result(const char* what, int slot, const char* more, long got, int error) {
    if (got < 0)
        printf("%s %d %s -> %s\n", what, slot, more, ename(error));
    else
        printf("%s %d %s -> %ld\n", what, slot, more, got);
}
#define RESULT(what, more, call)                                                                             \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        const long got_ = (call);                                                                            \
        result(what, slot, more, got_ > 0 && what[0] == '=' ? 0 : got_, errno);                              \
    } while (0)

static void take(int slot, int s, int domain, int type) {
    if (slots[slot] >= 0)
        close(slots[slot]);
    slots[slot] = s;
    domains[slot] = domain;
    types[slot] = type;
    asked[slot] = 0;
    if (s >= 0)
        fcntl(s, F_SETFL, O_NONBLOCK);
}
static int free_slot(void) {
    for (int i = 0; i < SLOTS; i++)
        if (slots[i] < 0)
            return i;
    return -1;
}

static void make(int slot) {
    const int* kind = kinds[any(KINDS)];
    char more[32];
    snprintf(more, sizeof more, "%d/%d", kind[0], kind[1]);
    if (kind[0] == AF_UNIX && any(2)) {
        const int other = free_slot();
        int v[2];
        if (other >= 0 && other != slot) {
            socketpair(AF_UNIX, kind[1], 0, v);
            take(slot, v[0], AF_UNIX, kind[1]);
            take(other, v[1], AF_UNIX, kind[1]);
            printf("pair %d %d %s\n", slot, other, more);
            return;
        }
    }
    take(slot, socket(kind[0], kind[1], 0), kind[0], kind[1]);
    if (any(4))
        set(slots[slot], SOL_SOCKET, SO_REUSEADDR, 1);
    printf("socket %d %s\n", slot, more);
}
static void accept_into(int slot) {
    const int other = free_slot();
    if (other < 0)
        return;
    struct sockaddr_storage from;
    memset(&from, 0, sizeof from);
    socklen_t size = sizeof from;
    errno = 0;
    const int s = accept4(slots[slot], (struct sockaddr*)&from, &size, SOCK_NONBLOCK);
    result("accept", slot, s < 0 ? "" : end_text(&from, size), s < 0 ? -1 : other, errno);
    if (s >= 0)
        take(other, s, domains[slot], types[slot]);
}
static void receive(int slot) {
    static const int flags[] = {0, 0, 0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_PEEK | MSG_TRUNC};
    char text[600] = "", more[64];
    struct sockaddr_storage from;
    memset(&from, 0, sizeof from);
    int flag = flags[any(8)];
    if (domains[slot] == AF_UNIX && types[slot] == SOCK_STREAM)
        flag &= ~(
            MSG_OOB |
            MSG_WAITALL); /* the first is not there (docs/compatibility.md), the second also takes an error */
    struct iovec part = {text, 1 + any(any(3) ? 500 : 5)};
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    snprintf(more, sizeof more, "%zu %x", part.iov_len, flag);
    errno = 0;
    const ssize_t got = recvmsg(slots[slot], &message, flag | MSG_DONTWAIT);
    const int error = errno;
    result("receive", slot, more, got, error);
    if (got >= 0)
        printf("  from %s flags %x \"%.*s\"\n", end_text(&from, message.msg_namelen),
               message.msg_flags & ~MSG_DONTWAIT,
               flag & MSG_TRUNC && types[slot] == SOCK_STREAM ? 0 : (int)(got < 20 ? got : 20), text);
}
static void send_from(int slot, int step) {
    char text[400], more[100];
    memset(text, 'a' + step % 26, sizeof text);
    const size_t bytes = any(6) == 0 ? 0 : any(any(2) ? 300 : 4) + 1;
    const int urgent = any(8) == 0 && (domains[slot] != AF_UNIX || types[slot] != SOCK_STREAM) ? MSG_OOB : 0;
    const int flags = urgent | MSG_NOSIGNAL | MSG_DONTWAIT;
    struct sockaddr_storage to;
    const char* said = "";
    socklen_t size = 0;
    if (any(types[slot] == SOCK_DGRAM ? 2 : 12) == 0)
        size = address(domains[slot], types[slot], &to, &said);
    snprintf(more, sizeof more, "%zu %x %s", bytes, flags & MSG_OOB, said);
    RESULT("send", more,
           size ? sendto(slots[slot], text, bytes, flags, (struct sockaddr*)&to, size)
                : send(slots[slot], text, bytes, flags));
}
static void options(int slot) {
    static const struct {
        int level, name, of_inet;
    } all[] = {{SOL_SOCKET, SO_ERROR, 0},
               {SOL_SOCKET, SO_ERROR, 0},
               {SOL_SOCKET, SO_TYPE, 0},
               {SOL_SOCKET, SO_ACCEPTCONN, 0},
               {SOL_SOCKET, SO_REUSEADDR, 0},
               {SOL_SOCKET, SO_REUSEPORT, 0},
               {SOL_SOCKET, SO_KEEPALIVE, 0},
               {SOL_SOCKET, SO_OOBINLINE, 0},
               {SOL_SOCKET, SO_BROADCAST, 0},
               {SOL_SOCKET, SO_PASSCRED, 0},
               {SOL_SOCKET, SO_RCVLOWAT, 0},
               {SOL_SOCKET, SO_DOMAIN, 0},
               {IPPROTO_TCP, TCP_NODELAY, 1},
               {IPPROTO_TCP, TCP_CORK, 1},
               {IPPROTO_TCP, TCP_KEEPIDLE, 1},
               {IPPROTO_TCP, TCP_DEFER_ACCEPT, 1},
               {IPPROTO_TCP, 77, 0},
               {IPPROTO_IP, IP_TTL, 1},
               {IPPROTO_IP, IP_TOS, 1},
               {IPPROTO_IPV6, IPV6_V6ONLY, 1},
               {IPPROTO_IP, IP_RECVERR, 1},
               {IPPROTO_IPV6, IPV6_TCLASS, 1},
               {SOL_SOCKET, 200, 0}};
    const unsigned which = any(sizeof all / sizeof *all);
    char more[64];
    if (all[which].of_inet && domains[slot] == AF_UNIX && any(4))
        return;
    const int value = (int)any(4) - (any(10) == 0);
    if (any(2) && all[which].name != TCP_DEFER_ACCEPT && all[which].name != TCP_CORK &&
        all[which].name != SO_RCVLOWAT) {
        snprintf(more, sizeof more, "%d/%d = %d", all[which].level, all[which].name, value);
        RESULT("set", more, set(slots[slot], all[which].level, all[which].name, value));
    } else {
        snprintf(more, sizeof more, "%d/%d: %d", all[which].level, all[which].name,
                 option(slots[slot], all[which].level, all[which].name));
        RESULT("get", more, 0);
    }
}
static void step(int number) {
    const int slot = (int)any(SLOTS);
    if (slots[slot] < 0 || any(25) == 0) {
        make(slot);
        return;
    }
    const int s = slots[slot];
    struct sockaddr_storage at;
    const char* said;
    socklen_t size;
    switch (any(16)) {
    case 0:
        size = address(domains[slot], types[slot], &at, &said);
        RESULT("bind", said, bind(s, (struct sockaddr*)&at, size));
        break;
    case 1:
        if (asked[slot])
            break; /* a socket that was refused may listen on some releases of Linux, not on others (6.18) */
        RESULT("listen", "", listen(s, 5));
        break;
    case 2:
    case 3:
        size = address(domains[slot], types[slot], &at, &said);
        if (domains[slot] != AF_UNIX && types[slot] == SOCK_STREAM &&
            port_of(s) == ntohs(((struct sockaddr_in*)&at)->sin_port))
            break; /* with itself: what it sends is held back as an acknowledgement's time will have it */
        RESULT("connect", said, connect(s, (struct sockaddr*)&at, size));
        asked[slot] |= domains[slot] != AF_UNIX && types[slot] == SOCK_STREAM;
        break;
    case 4:
    case 5:
        accept_into(slot);
        break;
    case 6:
    case 7:
    case 8:
        send_from(slot, number);
        break;
    case 9:
    case 10:
        receive(slot);
        break;
    case 11: {
        /* a TCP socket that is shut down before it is connected keeps some of it: nobody does that */
        struct sockaddr_storage peer;
        socklen_t room = sizeof peer;
        if (domains[slot] != AF_UNIX && types[slot] == SOCK_STREAM &&
            getpeername(s, (struct sockaddr*)&peer, &room) < 0)
            break;
        const int how = (int)any(3);
        char more[8];
        snprintf(more, sizeof more, "%d", how);
        RESULT("shutdown", more, shutdown(s, how));
        break;
    }
    case 12:
        printf("%d ", slot);
        show_end("own", s, 0);
        printf("%d ", slot);
        show_end("peer", s, 1);
        break;
    case 13:
        options(slot);
        break;
    case 14: {
        int bytes = -1, mark = -1;
        errno = 0;
        const int got = ioctl(s, FIONREAD, &bytes), error = errno;
        result("waiting", slot, "", got < 0 ? -1 : bytes, error);
        if (domains[slot] != AF_UNIX && types[slot] == SOCK_STREAM && ioctl(s, SIOCATMARK, &mark) == 0)
            printf("  at mark %d\n", mark);
        break;
    }
    default:
        close(s);
        slots[slot] = -1;
        printf("close %d\n", slot);
    }
    if (slots[slot] >= 0) {
        char name[8];
        snprintf(name, sizeof name, "%d", slot);
        show_poll(name, slots[slot], 0);
    }
}

int main(int count, char** arguments) {
    const int seeds = count > 1 ? atoi(arguments[1]) : 1, first = count > 2 ? atoi(arguments[2]) : 1,
              steps = count > 3 ? atoi(arguments[3]) : 300;
    signal(SIGPIPE, SIG_IGN);
    for (int seed = first; seed < first + seeds; seed++) {
        printf("== seed %d\n", seed);
        state = (uint32_t)seed * 2654435761u;
        base_port = 2000 + seed % 4000 * PORTS; /* of its own: what lingers of another seed is not met */
        memset(slots, -1, sizeof slots);
        for (int i = 0; i < steps; i++)
            step(i);
        close_all();
    }
    return 0;
}
