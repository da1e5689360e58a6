/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/sockets/sockets.h - addresses and short ways for the programs here. */
#ifndef CAISSON_LINUX_SOCKETS_H
#define CAISSON_LINUX_SOCKETS_H
#include "qemu-tests/linux/check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in in4(const char* address, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    return to;
}
static struct sockaddr_in6 in6(const char* address, int port) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, address, &to.sin6_addr);
    return to;
}
#define AT(address) (struct sockaddr*)&(address), sizeof(address)
/* "path", or "@name" for an abstract one; the length is in un_size. */
static socklen_t un_size;
static struct sockaddr_un un(const char* name) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy(to.sun_path, name);
    if (name[0] == '@') {
        to.sun_path[0] = 0;
        un_size = offsetof(struct sockaddr_un, sun_path) + strlen(name);
    } else {
        un_size = sizeof to;
    }
    return to;
}
/* An end as text: "127.0.0.1:80", a port of the ephemeral range as "*". */
static const char* end_text(const void* address, socklen_t size) {
    static char text[200];
    const struct sockaddr* any = address;
    if (size < 2) {
        snprintf(text, sizeof text, "nothing (%u)", size);
    } else if (any->sa_family == AF_INET) {
        const struct sockaddr_in* in = address;
        char host[64];
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        const int port = ntohs(in->sin_port);
        if (port >= 32768)
            snprintf(text, sizeof text, "%s:* (%u)", host, size);
        else
            snprintf(text, sizeof text, "%s:%d (%u)", host, port, size);
    } else if (any->sa_family == AF_INET6) {
        const struct sockaddr_in6* in = address;
        char host[64];
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        const int port = ntohs(in->sin6_port);
        if (port >= 32768)
            snprintf(text, sizeof text, "[%s]:* (%u)", host, size);
        else
            snprintf(text, sizeof text, "[%s]:%d (%u)", host, port, size);
    } else if (any->sa_family == AF_UNIX) {
        const struct sockaddr_un* local = address;
        const unsigned bytes = size - 2;
        char name[120] = "";
        memcpy(name, local->sun_path, bytes > 108 ? 108 : bytes);
        if (bytes > 0 && name[0] == 0)
            name[0] = '@';
        if (bytes == 6 && name[0] == '@') /* of the kernel's choice */
            strcpy(name, "@*");
        snprintf(text, sizeof text, "unix '%s' (%u)", name, size);
    } else {
        snprintf(text, sizeof text, "family %d (%u)", any->sa_family, size);
    }
    return text;
}
static void show_end(const char* what, int s, int peer) {
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    socklen_t size = sizeof address;
    errno = 0;
    if ((peer ? getpeername : getsockname)(s, (struct sockaddr*)&address, &size) < 0)
        printf("%s: %s\n", what, ename(errno));
    else
        printf("%s: %s\n", what, end_text(&address, size));
}
#define OWN(s) show_end("own " #s, s, 0)
#define PEER(s) show_end("peer " #s, s, 1)
static void close_all(void) { syscall(SYS_close_range, 3, ~0u, 0); }
static int port_of(int s) {
    struct sockaddr_in6 address;
    socklen_t size = sizeof address;
    getsockname(s, (struct sockaddr*)&address, &size);
    return ntohs(address.sin6_port);
}
/* What poll says, by name. */
static void show_poll(const char* what, int s, int ms) {
    struct pollfd p = {s, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0};
    poll(&p, 1, ms);
    printf("poll %s:%s%s%s%s%s%s%s\n", what, p.revents & POLLIN ? " IN" : "", p.revents & POLLPRI ? " PRI" : "",
           p.revents & POLLOUT ? " OUT" : "", p.revents & POLLERR ? " ERR" : "", p.revents & POLLHUP ? " HUP" : "",
           p.revents & POLLNVAL ? " NVAL" : "", p.revents & POLLRDHUP ? " RDHUP" : "");
}
#define POLLED(s) show_poll(#s, s, 0)
static int option(int s, int level, int name) {
    int value = -12345;
    socklen_t size = sizeof value;
    return getsockopt(s, level, name, &value, &size) < 0 ? -errno : value;
}
#define OPTION(s, level, name) printf("%s of %s = %d\n", #name, #s, option(s, level, name))
static int set(int s, int level, int name, int value) { return setsockopt(s, level, name, &value, sizeof value); }
#define SET(s, level, name, value) CALL(set(s, level, name, value))
/* What a receive gives: a number, an error, and the text. */
static void show_receive(const char* what, int s, size_t most, int flags) {
    char text[300];
    if (most > sizeof text - 1)
        most = sizeof text - 1;
    errno = 0;
    const ssize_t got = recv(s, text, most, flags);
    const int error = errno;
    if (got < 0) {
        printf("%s -> %s\n", what, ename(error));
        return;
    }
    text[got < (ssize_t)most ? got : (ssize_t)most] = 0;
    printf("%s -> %ld \"%s\"\n", what, (long)got, text);
}
#define RECV(s, most, flags) show_receive("recv(" #s ", " #most ", " #flags ")", s, most, flags)
#define SEND(s, text, flags) CALL(send(s, text, strlen(text), flags))
#endif
