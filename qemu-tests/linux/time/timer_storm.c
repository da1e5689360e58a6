/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/time/timer_storm.c - A timer of the shortest period whose signal is blocked or ignored: the program must still get on. */
#include "qemu-tests/linux/check.h"
int main(void) {
    sigset_t b;
    sigemptyset(&b);
    sigaddset(&b, SIGUSR1);
    sigprocmask(SIG_BLOCK, &b, 0);
    timer_t t;
    struct sigevent se;
    memset(&se, 0, sizeof se);
    se.sigev_notify = SIGEV_SIGNAL;
    se.sigev_signo = SIGUSR1;
    timer_create(CLOCK_MONOTONIC, &se, &t);
    struct itimerspec s = {{0, 1}, {0, 1}};
    CALL(timer_settime(t, 0, &s, 0));
    long long a = now_ms();
    volatile long x = 0;
    for (long i = 0; i < 20000000; i++)
        x++;
    long long e = now_ms() - a;
    printf("%s\n", e < 5000 ? "got on" : "hardly");
    if (e >= 5000)
        printf("%lld ms\n", e);
    struct itimerspec z = {{0, 0}, {0, 0}};
    timer_settime(t, 0, &z, 0);
    struct itimerval iv = {{0, 1}, {0, 1}};
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &iv, 0);
    a = now_ms();
    for (long i = 0; i < 20000000; i++)
        x++;
    e = now_ms() - a;
    printf("%s\n", e < 5000 ? "got on" : "hardly");
    return 0;
}
