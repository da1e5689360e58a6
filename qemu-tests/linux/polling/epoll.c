/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/epoll.c - epoll: edges, one shot, errors, dup and close, nesting, fairness. */
#include "qemu-tests/linux/check.h"
static void sh(int e, int ms) {
    struct epoll_event v[8];
    int n = epoll_wait(e, v, 8, ms);
    printf("   -> %d:", n);
    for (int i = 0; i < n; i++)
        printf(" [%d %x]", v[i].data.fd, v[i].events);
    puts(n < 0 ? ename(errno) : "");
}
static int ctl(int e, int op, int fd, unsigned ev, int d) {
    struct epoll_event v = {ev, {.fd = d}};
    return epoll_ctl(e, op, fd, &v);
}
int main(void) {
    int e = epoll_create1(EPOLL_CLOEXEC), p[2], q[2];
    pipe2(p, O_NONBLOCK);
    pipe2(q, O_NONBLOCK);
    char b[100000];
    CALL(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
    sh(e, 0);
    write(p[1], "abc", 3);
    sh(e, 0);
    sh(e, 0);
    read(p[0], b, 1);
    sh(e, 0);
    read(p[0], b, 9);
    sh(e, 0);
    TITLE("edge");
    CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2));
    sh(e, 0);
    write(p[1], "abc", 3);
    sh(e, 0);
    sh(e, 0);
    read(p[0], b, 1);
    sh(e, 0);
    write(p[1], "d", 1);
    sh(e, 0);
    sh(e, 0);
    CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 3));
    sh(e, 0);
    sh(e, 0);
    read(p[0], b, 100);
    sh(e, 0);
    write(p[1], "x", 1);
    read(p[0], b, 1);
    sh(e, 0);
    TITLE("out edge");
    CALL(ctl(e, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 4));
    sh(e, 0);
    sh(e, 0);
    write(p[1], "x", 1);
    sh(e, 0);
    long n = 0, r;
    while ((r = write(p[1], b, 4096)) > 0)
        n += r;
    printf("filled %ld %s\n", n, ename(errno));
    sh(e, 0);
    read(p[0], b, 100);
    sh(e, 0);
    read(p[0], b, 4096);
    sh(e, 0);
    read(p[0], b, 99999);
    sh(e, 0);
    sh(e, 0);
    CALL(ctl(e, EPOLL_CTL_DEL, p[1], 0, 0));
    TITLE("oneshot");
    while (read(p[0], b, 99999) > 0)
        ;
    CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 5));
    write(p[1], "a", 1);
    sh(e, 0);
    write(p[1], "a", 1);
    sh(e, 0);
    CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 6));
    sh(e, 0);
    sh(e, 0);
    CALL(ctl(e, EPOLL_CTL_MOD, p[0], 0, 7));
    sh(e, 0);
    close(p[1]);
    sh(e, 0);
    TITLE("errors");
    CALL(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_MOD, q[0], EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_DEL, q[0], EPOLLIN, 1));
    CALL(ctl(e, 9, q[0], EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_ADD, e, EPOLLIN, 1));
    CALL(ctl(q[0], EPOLL_CTL_ADD, q[1], EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_ADD, 99, EPOLLIN, 1));
    CALL(ctl(99, EPOLL_CTL_ADD, q[0], EPOLLIN, 1));
    int f = open("/etc/data", O_RDONLY), d = open("/etc", O_RDONLY), nu = open("/dev/null", O_RDWR),
        ur = open("/dev/urandom", O_RDONLY), zr = open("/dev/zero", O_RDONLY);
    CALL(ctl(e, EPOLL_CTL_ADD, f, EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_ADD, d, EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_ADD, nu, EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_ADD, zr, EPOLLIN, 1));
    CALL(ctl(e, EPOLL_CTL_ADD, ur, EPOLLIN, 8));
    CALL(epoll_ctl(e, EPOLL_CTL_ADD, q[0], 0));
    struct epoll_event v[2];
    CALL(epoll_wait(e, v, 0, 0));
    CALL(epoll_wait(e, v, -1, 0));
    CALL(epoll_wait(q[0], v, 1, 0));
    CALL(epoll_wait(e, (void*)8, 1, 0));
    CALL(epoll_create(0));
    CALL(epoll_create1(7));
    CALL(epoll_wait(99, v, 1, 0));
    CALL(ctl(e, EPOLL_CTL_DEL, ur, 0, 0));
    TITLE("dup and close");
    int g = epoll_create1(0);
    int x = dup(q[0]);
    CALL(ctl(g, EPOLL_CTL_ADD, q[0], EPOLLIN, 1));
    CALL(ctl(g, EPOLL_CTL_ADD, x, EPOLLIN, 2));
    write(q[1], "z", 1);
    {
        struct epoll_event w[4];
        VALUE(epoll_wait(g, w, 4, 0));
    }
    close(q[0]);
    {
        struct epoll_event w[4];
        VALUE(epoll_wait(g, w, 4, 0));
    }
    close(x);
    sh(g, 0);
    TITLE("nested");
    int in = epoll_create1(0), out = epoll_create1(0), ef = eventfd(0, EFD_NONBLOCK);
    CALL(ctl(in, EPOLL_CTL_ADD, ef, EPOLLIN, 5));
    CALL(ctl(out, EPOLL_CTL_ADD, in, EPOLLIN, 6));
    sh(out, 0);
    uint64_t one = 1;
    write(ef, &one, 8);
    sh(out, 0);
    sh(in, 0);
    struct pollfd pf = {in, POLLIN, 0};
    CALL(poll(&pf, 1, 0));
    VALUE(pf.revents);
    read(ef, &one, 8);
    CALL(poll(&pf, 1, 0));
    CALL(ctl(in, EPOLL_CTL_ADD, out, EPOLLIN, 1));
    TITLE("exclusive");
    CALL(ctl(out, EPOLL_CTL_ADD, ef, EPOLLIN | EPOLLEXCLUSIVE, 1));
    CALL(ctl(out, EPOLL_CTL_MOD, ef, EPOLLIN | EPOLLEXCLUSIVE, 1));
    CALL(ctl(in, EPOLL_CTL_MOD, ef, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE, 1));
    TITLE("fairness");
    int k = epoll_create1(0);
    int pp[3][2];
    for (int i = 0; i < 3; i++) {
        pipe(pp[i]);
        ctl(k, EPOLL_CTL_ADD, pp[i][0], EPOLLIN, i);
        write(pp[i][1], "a", 1);
    }
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        struct epoll_event w;
        if (epoll_wait(k, &w, 1, 0) == 1)
            seen |= 1 << w.data.fd;
    }
    VALUE(seen);
    long long t = now_ms();
    CALL(epoll_wait(out, v, 1, 80));
    printf("%s\n", about(now_ms() - t, 80));
    struct timespec ts = {0, 50000000};
    CALL(syscall(441, out, v, 1, &ts, 0, 8));
    TITLE("many at once");
    static struct epoll_event many[400];
    int m = epoll_create1(0);
    for (int i = 0; i < 300; i++)
        ctl(m, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN, i);
    CALL(epoll_wait(m, many, 400, 0));
    VALUE(many[0].data.fd * 1000 + many[299].data.fd);
    CALL(epoll_wait(m, many, 130, 0));
    CALL(epoll_wait(m, many, 400, 0));
    VALUE(many[0].data.fd * 1000 + many[299].data.fd);
    CALL(epoll_wait(m, many, INT_MAX / 12, 0));
    CALL(epoll_wait(m, many, INT_MAX / 12 + 1, 0));
    TITLE("room for two");
    char* two = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(two + 4096, 4096);
    int edges = epoll_create1(0);
    for (int i = 0; i < 5; i++)
        ctl(edges, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN | EPOLLET, i);
    CALL(epoll_wait(edges, (void*)(two + 4096), 5, 0));
    CALL(epoll_wait(edges, (void*)(two + 4096 - 2 * sizeof *v), 5, 0));
    CALL(epoll_wait(edges, many, 5, 0));
    VALUE(many[0].data.fd * 100 + many[1].data.fd * 10 + many[2].data.fd);
    CALL(epoll_wait(edges, many, 5, 0));
    return 0;
}
