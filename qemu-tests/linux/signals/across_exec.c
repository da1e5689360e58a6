/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/across_exec.c - What execve keeps of signals and timers: ignored ones, the mask, what is pending, alarm; and what not. */
#include "qemu-tests/linux/check.h"
static void h(int s) {
    printf("handler %d\n", s);
}
int main(int c, char** v) {
    if (c == 1) {
        signal(SIGUSR1, h);
        signal(SIGUSR2, SIG_IGN);
        sigset_t b;
        sigemptyset(&b);
        sigaddset(&b, SIGHUP);
        sigaddset(&b, SIGUSR1);
        sigprocmask(SIG_BLOCK, &b, 0);
        raise(SIGHUP);
        static char st[65536];
        stack_t ss = {st, 0, sizeof st};
        sigaltstack(&ss, 0);
        timer_t t;
        struct sigevent se;
        memset(&se, 0, sizeof se);
        se.sigev_notify = SIGEV_SIGNAL;
        se.sigev_signo = SIGTERM;
        timer_create(CLOCK_MONOTONIC, &se, &t);
        struct itimerspec s = {{0, 0}, {0, 300000000}};
        timer_settime(t, 0, &s, 0);
        alarm(1);
        umask(033);
        setenv("A", "b", 1);
        execl("/proc/self/exe", "self", "two", (char*)0);
        perror("exec");
        return 1;
    }
    struct sigaction a;
    sigaction(SIGUSR1, 0, &a);
    VALUE(a.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, 0, &a);
    VALUE(a.sa_handler == SIG_IGN);
    sigset_t p;
    sigpending(&p);
    VALUE(sigismember(&p, SIGHUP));
    sigprocmask(0, 0, &p);
    VALUE(sigismember(&p, SIGHUP));
    VALUE(sigismember(&p, SIGUSR1));
    stack_t o;
    sigaltstack(0, &o);
    VALUE(o.ss_flags);
    signal(SIGALRM, h);
    TEXT(getenv("A"));
    VALUE(umask(0));
    TEXT(v[0]);
    long long t = now_ms();
    pause();
    printf("%d\n", now_ms() - t < 1200);
    return 6;
}
