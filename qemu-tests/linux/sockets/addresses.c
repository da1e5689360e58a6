/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have which address and port, in both families, and who is reached. */
#include "qemu-tests/linux/sockets/sockets.h"

static int bound(int type, int family, const char* address, int port, int reuse, int only) {
    const int s = socket(family, type, 0);
    if (reuse)
        set(s, SOL_SOCKET, reuse == 1 ? SO_REUSEADDR : SO_REUSEPORT, 1);
    if (only >= 0)
        set(s, IPPROTO_IPV6, IPV6_V6ONLY, only);
    const struct sockaddr_in a = in4(address, port);
    const struct sockaddr_in6 b = in6(address, port);
    errno = 0;
    const int result = family == AF_INET ? bind(s, AT(a)) : bind(s, AT(b));
    printf("bind %s %s:%d reuse %d only %d -> %s\n", type == SOCK_STREAM ? "tcp" : "udp", address, port, reuse, only,
           result < 0 ? ename(errno) : "ok");
    if (result < 0) {
        close(s);
        return -1;
    }
    return s;
}

static void conflicts(int type, int port) {
    const char* v4[] = {"0.0.0.0", "127.0.0.1", "127.0.0.2"};
    const char* v6[] = {"::", "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0"};
    printf("-- conflicts of %s\n", type == SOCK_STREAM ? "tcp" : "udp");
    for (int reuse = 0; reuse < 3; reuse++) {
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                const int a = bound(type, AF_INET, v4[i], port, reuse, -1), b = bound(type, AF_INET, v4[j], port, reuse, -1);
                close(a);
                close(b);
            }
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 3; j++)
                for (int only = 0; only < 2; only++) {
                    const int a = bound(type, AF_INET6, v6[i], port, reuse, only),
                              b = bound(type, AF_INET, v4[j], port, reuse, -1);
                    close(a);
                    close(b);
                }
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                const int a = bound(type, AF_INET6, v6[i], port, reuse, 0), b = bound(type, AF_INET6, v6[j], port, reuse, 0);
                close(a);
                close(b);
            }
    }
}

static void listeners(void) {
    TITLE("two bound, one listens");
    const int a = bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4100, 1, -1), b = bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4100, 1, -1);
    CALL(listen(a, 1));
    CALL(listen(b, 1));
    bound(SOCK_STREAM, AF_INET, "0.0.0.0", 4100, 1, -1);
    bound(SOCK_STREAM, AF_INET, "127.0.0.5", 4100, 1, -1);
    close_all();
    TITLE("a server that comes again");
    int l = bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4101, 0, -1), c = socket(AF_INET, SOCK_STREAM, 0);
    listen(l, 1);
    struct sockaddr_in at = in4("127.0.0.1", 4101);
    CALL(connect(c, AT(at)));
    int n = accept(l, 0, 0);
    close(l);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4101, 0, -1);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4101, 1, -1);
    CALL(close(n)); /* first to close: it keeps the port for a minute */
    sleep_ms(10);
    CALL(close(c));
    sleep_ms(10);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4101, 0, -1);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4101, 1, -1);
    close_all();
    l = bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4102, 1, -1);
    c = socket(AF_INET, SOCK_STREAM, 0);
    listen(l, 1);
    at = in4("127.0.0.1", 4102);
    connect(c, AT(at));
    n = accept(l, 0, 0);
    close(l);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4102, 0, -1);
    l = bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4102, 1, -1);
    CALL(listen(l, 1));
    close(n);
    sleep_ms(10);
    close(c);
    close(l);
    sleep_ms(10);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4102, 0, -1);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4102, 1, -1);
    close_all();
    TITLE("the other side closes first");
    l = bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4103, 0, -1);
    c = socket(AF_INET, SOCK_STREAM, 0);
    listen(l, 1);
    at = in4("127.0.0.1", 4103);
    connect(c, AT(at));
    n = accept(l, 0, 0);
    close(c);
    sleep_ms(10);
    close(n);
    close(l);
    sleep_ms(10);
    bound(SOCK_STREAM, AF_INET, "127.0.0.1", 4103, 0, -1);
    close_all();
    TITLE("listening without a name");
    l = socket(AF_INET, SOCK_STREAM, 0);
    CALL(listen(l, 1));
    OWN(l);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    CALL(listen(l, 1));
    OWN(l);
    close_all();
}

/* Which of several listeners is reached. */
static void reach(void) {
    TITLE("who is reached");
    const int any6 = bound(SOCK_STREAM, AF_INET6, "::", 4110, 0, 0), any4 = bound(SOCK_STREAM, AF_INET, "0.0.0.0", 4111, 0, -1),
              one6 = bound(SOCK_STREAM, AF_INET6, "::1", 4111, 0, 0), only6 = bound(SOCK_STREAM, AF_INET6, "::", 4112, 0, 1);
    listen(any6, 5);
    listen(any4, 5);
    listen(one6, 5);
    listen(only6, 5);
    fcntl(any6, F_SETFL, O_NONBLOCK);
    const char* to[] = {"127.0.0.1", "127.1.2.3", "0.0.0.0"};
    for (int port = 4110; port < 4113; port++)
        for (int i = 0; i < 3; i++) {
            const int c = socket(AF_INET, SOCK_STREAM, 0);
            const struct sockaddr_in at = in4(to[i], port);
            errno = 0;
            const int result = connect(c, AT(at));
            printf("%s:%d -> %s\n", to[i], port, result < 0 ? ename(errno) : "ok");
            OWN(c);
            PEER(c);
            close(c);
        }
    const char* to6[] = {"::1", "::ffff:127.0.0.1", "::"};
    for (int port = 4110; port < 4113; port++)
        for (int i = 0; i < 3; i++) {
            const int c = socket(AF_INET6, SOCK_STREAM, 0);
            const struct sockaddr_in6 at = in6(to6[i], port);
            errno = 0;
            const int result = connect(c, AT(at));
            printf("[%s]:%d -> %s\n", to6[i], port, result < 0 ? ename(errno) : "ok");
            OWN(c);
            PEER(c);
            close(c);
        }
    for (int n; (n = accept(any6, 0, 0)) >= 0;) {
        OWN(n);
        PEER(n);
        close(n);
    }
    const int outside = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 far = in6("2001:db8::1", 80);
    CALL(connect(outside, AT(far)));
    far = in6("::ffff:192.0.2.1", 80);
    CALL(connect(outside, AT(far)));
    CALL(connect(outside, (struct sockaddr*)&far, 20));
    const struct sockaddr_in wrong = in4("127.0.0.1", 4110);
    CALL(connect(outside, AT(wrong)));
    CALL(bind(outside, AT(wrong)));
    OPTION(outside, IPPROTO_IPV6, IPV6_V6ONLY);
    far = in6("::1", 0);
    CALL(bind(outside, AT(far)));
    SET(outside, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    OWN(outside);
    close_all();
}

static void families(void) {
    TITLE("families and types");
    CALL(close(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)));
    CALL(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    CALL(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    CALL(socket(AF_INET, SOCK_SEQPACKET, 0));
    CALL(socket(AF_INET, 0, 0));
    CALL(socket(AF_INET, 11, 0));
    CALL(socket(99, SOCK_STREAM, 0));
    CALL(socket(-1, SOCK_STREAM, 0));
    CALL(socket(0, SOCK_STREAM, 0));
    CALL(socket(AF_UNIX, SOCK_STREAM, 2));
    CALL(socket(AF_UNIX, 4, 0));
    CALL(socket(AF_INET, SOCK_STREAM | 0x4000000, 0));
    CALL(bind(0, 0, 0));
    CALL(bind(99, 0, 0));
    CALL(listen(0, 0));
    CALL(accept(0, 0, 0));
    CALL(send(0, "x", 1, 0));
    CALL(getsockname(0, 0, 0));
    CALL(shutdown(0, 0));
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    VALUE(fcntl(s, F_GETFL));
    VALUE(fcntl(s, F_GETFD));
    CALL(shutdown(s, 3));
    CALL(shutdown(s, -1));
    struct sockaddr_storage a;
    socklen_t size = 3;
    CALL(getsockname(s, (struct sockaddr*)&a, &size));
    VALUE(size);
    size = -1;
    CALL(getsockname(s, (struct sockaddr*)&a, &size));
    CALL(syscall(SYS_getsockname, s, 8, 8));
    CALL(bind(s, (struct sockaddr*)8, 16));
    CALL(bind(s, (struct sockaddr*)&a, 129));
    CALL(bind(s, (struct sockaddr*)&a, -1));
    struct sockaddr_in old = in4("0.0.0.0", 0);
    old.sin_family = AF_UNSPEC;
    CALL(bind(s, AT(old)));
    OWN(s);
    close_all();
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    conflicts(SOCK_STREAM, 4200);
    conflicts(SOCK_DGRAM, 4300);
    listeners();
    reach();
    families();
    return 0;
}
