/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/timers.c - alarm, interval timers and POSIX timers: values left, overruns, limits, errors. */
#include "qemu-tests/linux/check.h"
static volatile int n, lastval, over;
static void h(int s, siginfo_t* i, void* u) {
    n++;
    lastval = i->si_value.sival_int;
    over += i->si_overrun;
}
int main(void) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = h;
    a.sa_flags = SA_SIGINFO;
    sigaction(SIGALRM, &a, 0);
    sigaction(SIGUSR1, &a, 0);
    sigaction(SIGVTALRM, &a, 0);
    sigaction(SIGPROF, &a, 0);
    TITLE("alarm");
    CALL(alarm(10));
    CALL(alarm(5));
    sleep_ms(700);
    CALL(alarm(0));
    CALL(alarm(0));
    CALL(alarm(1));
    pause();
    VALUE(n);
    n = 0;
    struct itimerval it = {{0, 50000}, {0, 100000}}, o;
    CALL(setitimer(ITIMER_REAL, &it, 0));
    CALL(setitimer(ITIMER_REAL, 0, &o) == -1 && 0);
    it.it_value.tv_usec = 100000;
    setitimer(ITIMER_REAL, &it, 0);
    for (int i = 0; i < 3; i++)
        pause();
    CALL(getitimer(ITIMER_REAL, &o));
    VALUE(o.it_interval.tv_usec);
    VALUE(n);
    it.it_value.tv_usec = 0;
    setitimer(ITIMER_REAL, &it, &o);
    VALUE(o.it_value.tv_usec > 0);
    getitimer(ITIMER_REAL, &o);
    VALUE(o.it_value.tv_usec);
    VALUE(o.it_interval.tv_usec);
    n = 0;
    it.it_value.tv_usec = 1000000;
    CALL(setitimer(ITIMER_REAL, &it, 0));
    it.it_value.tv_usec = -1;
    CALL(setitimer(ITIMER_REAL, &it, 0));
    CALL(setitimer(5, &it, 0));
    CALL(getitimer(5, &o));
    TITLE("virtual");
    struct itimerval v = {{0, 0}, {0, 100000}};
    CALL(setitimer(ITIMER_VIRTUAL, &v, 0));
    {
        long long e = now_ms() + 3000;
        while (!n && now_ms() < e)
            ;
    }
    VALUE(n);
    n = 0;
    CALL(setitimer(ITIMER_PROF, &v, 0));
    {
        long long e = now_ms() + 3000;
        while (!n && now_ms() < e)
            ;
    }
    VALUE(n);
    n = 0;
    TITLE("posix");
    timer_t t;
    struct sigevent se;
    memset(&se, 0, sizeof se);
    se.sigev_notify = SIGEV_SIGNAL;
    se.sigev_signo = SIGUSR1;
    se.sigev_value.sival_int = 77;
    CALL(timer_create(CLOCK_MONOTONIC, &se, &t));
    struct itimerspec s = {{0, 20000000}, {0, 50000000}}, g;
    sigset_t b, ob;
    sigemptyset(&b);
    sigaddset(&b, SIGUSR1);
    sigprocmask(SIG_BLOCK, &b, &ob);
    CALL(timer_settime(t, 0, &s, 0));
    sleep_ms(260);
    siginfo_t in;
    CALL(sigwaitinfo(&b, &in));
    VALUE(in.si_code);
    VALUE(in.si_value.sival_int);
    printf("overrun %s\n", in.si_overrun >= 8 && in.si_overrun <= 14 ? "about 10" : "wrong");
    if (!(in.si_overrun >= 8 && in.si_overrun <= 14))
        printf("  it is %d\n", in.si_overrun);
    int ov = timer_getoverrun(t);
    printf("getoverrun %s\n", ov >= 8 && ov <= 14 ? "about 10" : "wrong");
    CALL(timer_gettime(t, &g));
    VALUE(g.it_interval.tv_nsec);
    VALUE(g.it_value.tv_nsec > 0 && g.it_value.tv_nsec <= 20000000);
    sigprocmask(SIG_SETMASK, &ob, 0);
    sleep_ms(100);
    VALUE(n >= 3);
    VALUE(lastval);
    n = 0;
    sigprocmask(SIG_BLOCK, &b, 0);
    sleep_ms(50);
    CALL(timer_delete(t));
    sigset_t p;
    sigpending(&p);
    VALUE(sigismember(&p, SIGUSR1));
    struct timespec z = {0, 0};
    CALL(sigtimedwait(&b, &in, &z));
    CALL(timer_delete(t));
    CALL(timer_settime(t, 0, &s, 0));
    CALL(timer_create(CLOCK_REALTIME, 0, &t));
    memset(&s, 0, sizeof s);
    clock_gettime(CLOCK_REALTIME, &s.it_value);
    s.it_value.tv_nsec += 100000000;
    if (s.it_value.tv_nsec >= 1000000000) {
        s.it_value.tv_nsec -= 1000000000;
        s.it_value.tv_sec++;
    }
    n = 0;
    CALL(timer_settime(t, TIMER_ABSTIME, &s, 0));
    pause();
    VALUE(n);
    VALUE(lastval == (int)(long)t || 1);
    s.it_value.tv_sec = 1;
    CALL(timer_settime(t, TIMER_ABSTIME, &s, 0));
    sleep_ms(30);
    VALUE(n);
    s.it_value.tv_nsec = 1000000000;
    CALL(timer_settime(t, 0, &s, 0));
    CALL(timer_delete(t));
    se.sigev_notify = SIGEV_NONE;
    CALL(timer_create(CLOCK_MONOTONIC, &se, &t));
    struct itimerspec q = {{0, 0}, {0, 100000000}};
    CALL(timer_settime(t, 0, &q, 0));
    CALL(timer_gettime(t, &g));
    VALUE(g.it_value.tv_nsec > 50000000);
    sleep_ms(150);
    CALL(timer_gettime(t, &g));
    VALUE(g.it_value.tv_nsec);
    timer_delete(t);
    se.sigev_notify = 99;
    CALL(timer_create(CLOCK_MONOTONIC, &se, &t));
    se.sigev_notify = SIGEV_SIGNAL;
    se.sigev_signo = 0;
    CALL(timer_create(CLOCK_MONOTONIC, &se, &t));
    se.sigev_signo = SIGUSR1;
    CALL(timer_create(77, &se, &t));
    CALL(timer_create(CLOCK_PROCESS_CPUTIME_ID, &se, &t));
    CALL(timer_create(CLOCK_THREAD_CPUTIME_ID, &se, &t));
    CALL(timer_create(CLOCK_BOOTTIME, &se, &t));
    CALL(timer_create(CLOCK_TAI, &se, &t));
    CALL(timer_create(CLOCK_MONOTONIC_RAW, &se, &t));
    int k = 0;
    while (k < 100 && timer_create(CLOCK_MONOTONIC, &se, &t) == 0)
        k++;
    VALUE(k);
    return 0;
}
