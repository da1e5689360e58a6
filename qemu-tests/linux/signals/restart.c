/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/restart.c - Every blocking call interrupted by a handler, with and without SA_RESTART: result, time, rest. */
#include "qemu-tests/linux/check.h"
static volatile int hits;
static pthread_t mt;
static int wr = -1;
static void h(int s) {
    hits++;
}
static void* poker(void* a) {
    int ms = (long)a;
    sleep_ms(ms);
    pthread_kill(mt, SIGUSR1);
    sleep_ms(150);
    if (wr >= 0)
        write(wr, "x", 1);
    return 0;
}
static void set(int flags) {
    struct sigaction a = {.sa_handler = h, .sa_flags = flags};
    sigaction(SIGUSR1, &a, 0);
    hits = 0;
}
#define DO(label, flags, call)                                                                               \
    do {                                                                                                     \
        set(flags);                                                                                          \
        pthread_t t;                                                                                         \
        wr = -1;                                                                                             \
        pthread_create(&t, 0, poker, (void*)100L);                                                           \
        long long b = now_ms();                                                                              \
        errno = 0;                                                                                           \
        long r = (call);                                                                                     \
        int e = errno;                                                                                       \
        long long d = now_ms() - b;                                                                          \
        printf("%s %s -> %ld %s hits %d after %s\n", label, flags ? "restart" : "plain", r,                  \
               r < 0 ? ename(e) : "", hits,                                                                  \
               about(d, d < 200   ? 100                                                                      \
                        : d < 350 ? 250                                                                      \
                                  : 400));                                                                   \
        pthread_join(t, 0);                                                                                  \
    } while (0)
#define DOW(label, flags, fd, call)                                                                          \
    do {                                                                                                     \
        set(flags);                                                                                          \
        pthread_t t;                                                                                         \
        wr = fd;                                                                                             \
        pthread_create(&t, 0, poker, (void*)100L);                                                           \
        long long b = now_ms();                                                                              \
        errno = 0;                                                                                           \
        long r = (call);                                                                                     \
        int e = errno;                                                                                       \
        long long d = now_ms() - b;                                                                          \
        printf("%s %s -> %ld %s hits %d after %s\n", label, flags ? "restart" : "plain", r,                  \
               r < 0 ? ename(e) : "", hits, about(d, d < 200 ? 100 : 250));                                  \
        pthread_join(t, 0);                                                                                  \
    } while (0)
int main(void) {
    mt = pthread_self();
    int p[2];
    pipe(p);
    char c;
    int fl[2] = {0, SA_RESTART};
    for (int i = 0; i < 2; i++) {
        int f = fl[i];
        DOW("read pipe", f, p[1], read(p[0], &c, 1));
        {
            int q = 0;
            ioctl(p[0], FIONREAD, &q);
            if (q)
                read(p[0], &c, 1);
        }
        struct timespec ts = {0, 300000000}, rem = {9, 9};
        DO("nanosleep", f, nanosleep(&ts, &rem));
        printf("rem %d %s\n", (int)rem.tv_sec, about(rem.tv_nsec / 1000000, 200));
        DO("poll", f, poll(0, 0, 300));
        struct timeval tv = {0, 300000};
        DO("select", f, select(0, 0, 0, 0, &tv));
        printf("tv left %s\n", about(tv.tv_usec / 1000, 200));
        int fu = 0;
        struct timespec ft = {0, 300000000};
        DO("futex wait with timeout", f, syscall(SYS_futex, &fu, 0 | 128, 0, &ft, 0, 0));
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_nsec += 300000000;
        if (at.tv_nsec >= 1000000000) {
            at.tv_sec++;
            at.tv_nsec -= 1000000000;
        }
        DO("futex bitset absolute", f, syscall(SYS_futex, &fu, 9 | 128, 0, &at, 0, -1));
        int e = epoll_create1(0);
        struct epoll_event ev;
        DO("epoll_wait", f, epoll_wait(e, &ev, 1, 300));
        sigset_t s;
        sigemptyset(&s);
        sigaddset(&s, SIGUSR2);
        struct timespec st = {0, 300000000};
        DO("sigtimedwait", f, sigtimedwait(&s, 0, &st));
        DO("pause", f, pause());
        sigset_t em;
        sigemptyset(&em);
        DO("sigsuspend", f, sigsuspend(&em));
        int ef = eventfd(0, 0);
        uint64_t v = 1;
        wr = -1;
        set(f);
        {
            pthread_t t;
            pthread_create(&t, 0, poker, (void*)100L);
            int fl2 = f;
            if (!fl2) {
                errno = 0;
                long r = read(ef, &v, 8);
                printf("eventfd -> %ld %s\n", r, ename(errno));
            }
            pthread_join(t, 0);
        }
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_nsec += 300000000;
        if (at.tv_nsec >= 1000000000) {
            at.tv_sec++;
            at.tv_nsec -= 1000000000;
        }
        DO("clock_nanosleep abs", f, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0));
        struct timespec rt = {0, 300000000};
        sem_t sem;
        sem_init(&sem, 0, 0);
        struct timespec ab;
        clock_gettime(CLOCK_REALTIME, &ab);
        ab.tv_nsec += 300000000;
        if (ab.tv_nsec >= 1000000000) {
            ab.tv_sec++;
            ab.tv_nsec -= 1000000000;
        }
        DO("sem_timedwait", f, sem_timedwait(&sem, &ab));
        struct timespec pt = {0, 300000000};
        DO("ppoll", f, ppoll(0, 0, &pt, 0));
        if (0)
            (void)rt;
        char big[70000];
        memset(big, 0, 70000);
        int q[2];
        pipe(q);
        set(f);
        {
            pthread_t t;
            wr = -1;
            pthread_create(&t, 0, poker, (void*)100L);
            fcntl(q[1], F_SETFL, 0);
            if (!f) {
                errno = 0;
                long r = write(q[1], big, 70000);
                printf("big write -> %ld hits %d\n", r, hits);
            }
            pthread_join(t, 0);
        }
    }
    return 0;
}
