/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/signalfd.c - Signals that are read as records of a file. */
#include "qemu-tests/linux/check.h"
#include <sys/signalfd.h>
static void* later(void* x) {
    sleep_ms(20);
    kill(getpid(), SIGUSR2);
    return 0;
}
static void show(int f) {
    struct signalfd_siginfo i[4];
    memset(i, 0, sizeof i);
    long got = read(f, i, sizeof i);
    if (got < 0)
        printf("   %s\n", ename(errno));
    for (int k = 0; k < got / (int)sizeof *i; k++)
        printf("   signal %u code %d pid %d uid %u int %d ptr %llu\n", i[k].ssi_signo, i[k].ssi_code, i[k].ssi_pid == (unsigned)getpid(), i[k].ssi_uid,
               i[k].ssi_int, (unsigned long long)i[k].ssi_ptr);
}
int main(void) {
    sigset_t s, t;
    char b[200];
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigaddset(&s, SIGUSR2);
    sigaddset(&s, SIGRTMIN + 1);
    sigaddset(&s, SIGKILL);
    sigprocmask(SIG_BLOCK, &s, 0);
    TITLE("errors");
    CALL(syscall(SYS_signalfd4, -1, &s, 4, 0));
    CALL(syscall(SYS_signalfd4, -1, &s, 8, 1));
    CALL(syscall(SYS_signalfd4, -1, (void*)8, 8, 0));
    CALL(syscall(SYS_signalfd4, 0, &s, 8, 0));
    CALL(syscall(SYS_signalfd4, 99, &s, 8, 0));
    int f = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    VALUE(fcntl(f, F_GETFL));
    VALUE(fcntl(f, F_GETFD));
    CALL(read(f, b, 100));
    CALL(write(f, b, 128));
    TITLE("records");
    show(f);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    union sigval v = {.sival_int = 7};
    CALL(sigqueue(getpid(), SIGRTMIN + 1, v));
    v.sival_int = 8;
    CALL(sigqueue(getpid(), SIGRTMIN + 1, v));
    struct pollfd p = {f, POLLIN | POLLOUT, 0};
    CALL(poll(&p, 1, 0));
    VALUE(p.revents);
    show(f);
    show(f);
    CALL(poll(&p, 1, 0));
    TITLE("another mask");
    sigemptyset(&t);
    sigaddset(&t, SIGUSR2);
    VALUE(signalfd(f, &t, 0) == f);
    kill(getpid(), SIGUSR1);
    show(f);
    kill(getpid(), SIGUSR2);
    show(f);
    VALUE(signalfd(f, &s, 0) == f);
    show(f);
    TITLE("waiting");
    pthread_t th;
    int e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN, {.u32 = 5}}, got;
    CALL(epoll_ctl(e, EPOLL_CTL_ADD, f, &ev));
    CALL(epoll_wait(e, &got, 1, 0));
    pthread_create(&th, 0, later, 0);
    CALL(epoll_wait(e, &got, 1, 2000));
    show(f);
    pthread_join(th, 0);
    CALL(epoll_wait(e, &got, 1, 0));
    pthread_create(&th, 0, later, 0);
    fcntl(f, F_SETFL, 0);
    show(f);
    pthread_join(th, 0);
    TITLE("fdinfo");
    snprintf(b, sizeof b, "/proc/self/fdinfo/%d", f);
    FILE* x = fopen(b, "r");
    char l[200];
    while (x && fgets(l, sizeof l, x))
        if (!strncmp(l, "sigmask", 7) || !strncmp(l, "flags", 5) || !strncmp(l, "pos", 3))
            printf("%s", l);
    return 0;
}
