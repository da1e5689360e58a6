/* SPDX-License-Identifier: Apache-2.0 */
/* epoll, select and threads that wait on sockets: levels, edges, who is woken. */
#include "qemu-tests/linux/sockets/sockets.h"
#include <sys/sendfile.h>

static void show_events(const char* what, int set) {
    struct epoll_event got[8];
    const int n = epoll_wait(set, got, 8, 50);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++)
        printf(" [%d: %x]", got[i].data.fd, got[i].events);
    printf("\n");
}
static void watch(int set, int s, int name, unsigned events) {
    struct epoll_event e = {events, {.fd = name}};
    CALL(epoll_ctl(set, EPOLL_CTL_ADD, s, &e));
}

static void edges(const char* title, int v[2], unsigned mode) {
    TITLE(title);
    const int set = epoll_create1(0);
    watch(set, v[0], 1, EPOLLIN | EPOLLRDHUP | mode);
    show_events("nothing", set);
    SEND(v[1], "abc", 0);
    show_events("sent", set);
    show_events("again", set);
    RECV(v[0], 1, 0);
    show_events("part read", set);
    SEND(v[1], "d", 0);
    show_events("more sent", set);
    RECV(v[0], 100, 0);
    show_events("all read", set);
    shutdown(v[1], SHUT_WR);
    show_events("shut", set);
    show_events("again", set);
    close(v[1]);
    show_events("closed", set);
    close(set);
    close(v[0]);
}

static void tcp_pair(int v[2], int port) {
    const int l = socket(AF_INET, SOCK_STREAM, 0);
    set(l, SOL_SOCKET, SO_REUSEADDR, 1);
    struct sockaddr_in at = in4("127.0.0.1", port);
    bind(l, AT(at));
    listen(l, 1);
    v[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(v[0], AT(at));
    v[1] = accept(l, 0, 0);
    close(l);
}

static void* echo(void* argument) {
    const int s = *(int*)argument;
    char text[100];
    for (ssize_t got; (got = read(s, text, sizeof text)) > 0;)
        if (write(s, text, got) != got)
            break;
    return 0;
}
static int accepting;
static void* connector(void* argument) {
    sleep_ms(20);
    const struct sockaddr_in* at = argument;
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    connect(s, (const struct sockaddr*)at, sizeof *at);
    send(s, "from the thread", 15, 0);
    sleep_ms(20);
    close(s);
    return 0;
}
static int written, read_back;
static void* drain(void* argument) {
    static char part[5000];
    for (ssize_t got; (got = read(*(int*)argument, part, sizeof part)) > 0;)
        read_back += got;
    return 0;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int v[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    edges("a local stream, levels", v, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    edges("a local stream, edges", v, EPOLLET);
    tcp_pair(v, 4600);
    edges("tcp, levels", v, 0);
    tcp_pair(v, 4601);
    edges("tcp, edges", v, EPOLLET);

    TITLE("room, by edge");
    tcp_pair(v, 4602);
    int set_ = epoll_create1(0);
    watch(set_, v[0], 1, EPOLLOUT | EPOLLET);
    show_events("at first", set_);
    show_events("again", set_);
    static char block[1 << 16];
    fcntl(v[0], F_SETFL, O_NONBLOCK);
    long sent = 0, part;
    while ((part = send(v[0], block, sizeof block, 0)) > 0)
        sent += part;
    show_events("full", set_);
    while (sent > 0 && (part = recv(v[1], block, sizeof block, 0)) > 0)
        sent -= part;
    show_events("empty", set_);
    show_events("again", set_);
    close(v[0]);
    close(v[1]);
    show_events("closed", set_);

    TITLE("a listener in a set, and the connection");
    const int l = socket(AF_INET, SOCK_STREAM, 0);
    set(l, SOL_SOCKET, SO_REUSEADDR, 1);
    struct sockaddr_in at = in4("127.0.0.1", 4603);
    bind(l, AT(at));
    listen(l, 10);
    watch(set_, l, 2, EPOLLIN | EPOLLET);
    show_events("nobody", set_);
    const int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    watch(set_, c, 3, EPOLLIN | EPOLLOUT | EPOLLET);
    show_events("not connected", set_);
    CALL(connect(c, AT(at)));
    sleep_ms(10);
    struct epoll_event got[8];
    int seen = 0;
    for (int i = 0, n = epoll_wait(set_, got, 8, 100); i < n; i++)
        seen |= got[i].data.fd == 2 ? 1 : got[i].events == EPOLLOUT ? 2 : 4;
    VALUE(seen);
    const int n = accept(l, 0, 0);
    show_events("accepted", set_);
    SEND(n, "hello", 0);
    show_events("sent", set_);
    struct linger hard = {1, 0};
    setsockopt(n, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(n);
    show_events("reset", set_);
    close(c);
    close(set_);

    TITLE("an echo in a thread");
    pthread_t thread;
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    pthread_create(&thread, 0, echo, &v[1]);
    for (int i = 0; i < 3; i++) {
        SEND(v[0], "around", 0);
        RECV(v[0], 6, MSG_WAITALL);
    }
    shutdown(v[0], SHUT_WR);
    pthread_join(thread, 0);
    close(v[0]);
    close(v[1]);
    tcp_pair(v, 4604);
    pthread_create(&thread, 0, echo, &v[1]);
    for (int i = 0; i < 3; i++) {
        SEND(v[0], "around", 0);
        RECV(v[0], 6, MSG_WAITALL);
    }
    shutdown(v[0], SHUT_WR);
    pthread_join(thread, 0);
    close(v[0]);
    close(v[1]);

    TITLE("accept waits");
    pthread_create(&thread, 0, connector, &at);
    accepting = accept(l, 0, 0);
    RECV(accepting, 100, MSG_WAITALL);
    RECV(accepting, 100, 0);
    pthread_join(thread, 0);

    TITLE("a write that waits for its reader");
    for (int kind = 0; kind < 2; kind++) {
        if (kind)
            tcp_pair(v, 4605);
        else
            socketpair(AF_UNIX, SOCK_STREAM, 0, v);
        read_back = 0;
        pthread_create(&thread, 0, drain, &v[1]);
        static char large[3 << 20];
        written = write(v[0], large, sizeof large);
        shutdown(v[0], SHUT_WR);
        pthread_join(thread, 0);
        printf("%d %d\n", written, read_back);
        close(v[0]);
        close(v[1]);
    }

    TITLE("sendfile and splice to a socket");
    const int f = open("/etc/data", O_RDONLY);
    tcp_pair(v, 4606);
    off_t place = 10;
    CALL(sendfile(v[0], f, &place, 20));
    RECV(v[1], 100, 0);
    VALUE(place);
    CALL(sendfile(v[0], f, 0, 5));
    RECV(v[1], 100, 0);
    int p[2];
    pipe(p);
    write(p[1], "through a pipe", 14);
    CALL(splice(p[0], 0, v[0], 0, 100, 0));
    RECV(v[1], 100, 0);
    SEND(v[0], "and back", 0);
    sleep_ms(10);
    CALL(splice(v[1], 0, p[1], 0, 100, 0));
    char text[20] = "";
    CALL(read(p[0], text, 20));
    TEXT(text);
    CALL(splice(v[1], 0, v[0], 0, 1, 0));
    return 0;
}
