/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/masks.c - Masks that calls set for their duration: sigsuspend, ppoll, pselect, epoll_pwait. */
#include "qemu-tests/linux/check.h"
static volatile int n;
static void h(int s) {
    n++;
    sigset_t m;
    sigprocmask(0, 0, &m);
    printf("in handler: usr1 blocked %d usr2 blocked %d\n", sigismember(&m, SIGUSR1),
           sigismember(&m, SIGUSR2));
}
static void bl(void) {
    sigset_t m;
    sigprocmask(0, 0, &m);
    printf("after: usr1 blocked %d usr2 blocked %d\n", sigismember(&m, SIGUSR1), sigismember(&m, SIGUSR2));
}
int main(void) {
    signal(SIGUSR1, h);
    signal(SIGUSR2, h);
    sigset_t b, e, o;
    sigemptyset(&e);
    sigemptyset(&b);
    sigaddset(&b, SIGUSR1);
    sigprocmask(SIG_BLOCK, &b, 0);
    raise(SIGUSR1);
    sigemptyset(&o);
    sigaddset(&o, SIGUSR2);
    CALL(sigsuspend(&o));
    bl();
    raise(SIGUSR1);
    struct timespec t = {1, 0};
    CALL(ppoll(0, 0, &t, &e));
    bl();
    raise(SIGUSR1);
    CALL(pselect(0, 0, 0, 0, &t, &e));
    bl();
    int ep = epoll_create1(0);
    struct epoll_event ev;
    raise(SIGUSR1);
    CALL(epoll_pwait(ep, &ev, 1, 1000, &e));
    bl();
    t.tv_sec = 0;
    t.tv_nsec = 10000000;
    CALL(ppoll(0, 0, &t, &e));
    bl();
    int p[2];
    pipe(p);
    write(p[1], "a", 1);
    raise(SIGUSR1);
    struct pollfd f = {p[0], POLLIN, 0};
    CALL(ppoll(&f, 1, 0, &e));
    VALUE(n);
    bl();
    sigset_t pe;
    sigpending(&pe);
    VALUE(sigismember(&pe, SIGUSR1));
    CALL(syscall(SYS_ppoll, 0, 0, &t, &e, 4));
    CALL(syscall(SYS_rt_sigsuspend, &e, 4));
    return 0;
}
