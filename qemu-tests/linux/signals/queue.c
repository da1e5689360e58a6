/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/queue.c - sigqueue, sigwaitinfo and forged siginfo: order, values, codes, errors. */
#include "qemu-tests/linux/check.h"
static volatile int n;
static int val[64], code[64], sg[64];
static void h(int s, siginfo_t* i, void* u) {
    if (n < 64) {
        val[n] = i->si_value.sival_int;
        code[n] = i->si_code;
        sg[n] = s;
    }
    n++;
}
int main(void) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = h;
    a.sa_flags = SA_SIGINFO;
    sigfillset(&a.sa_mask);
    for (int s = SIGRTMIN; s <= SIGRTMIN + 5; s++)
        sigaction(s, &a, 0);
    sigaction(SIGUSR1, &a, 0);
    sigset_t b;
    sigfillset(&b);
    sigprocmask(SIG_BLOCK, &b, 0);
    for (int i = 0; i < 4; i++) {
        union sigval v = {.sival_int = i + 1};
        CALL(sigqueue(getpid(), SIGRTMIN + 1, v));
    }
    union sigval v = {.sival_int = 50};
    CALL(sigqueue(getpid(), SIGRTMIN, v));
    CALL(sigqueue(getpid(), SIGUSR1, v));
    v.sival_int = 51;
    CALL(sigqueue(getpid(), SIGUSR1, v));
    sigprocmask(SIG_UNBLOCK, &b, 0);
    for (int i = 0; i < n && i < 64; i++)
        printf("sig %d val %d code %d\n", sg[i] - (sg[i] >= SIGRTMIN ? SIGRTMIN : 0), val[i], code[i]);
    TITLE("sigwaitinfo");
    sigprocmask(SIG_BLOCK, &b, 0);
    siginfo_t in;
    sigset_t w;
    sigemptyset(&w);
    sigaddset(&w, SIGRTMIN + 2);
    sigaddset(&w, SIGUSR2);
    struct timespec z = {0, 0}, t = {0, 100000000};
    CALL(sigtimedwait(&w, &in, &z));
    long long x = now_ms();
    CALL(sigtimedwait(&w, &in, &t));
    printf("%s\n", about(now_ms() - x, 100));
    for (int i = 0; i < 3; i++) {
        v.sival_int = i;
        sigqueue(getpid(), SIGRTMIN + 2, v);
    }
    kill(getpid(), SIGUSR2);
    CALL(sigwaitinfo(&w, &in) - 0);
    VALUE(in.si_code);
    VALUE(in.si_pid == getpid());
    VALUE(in.si_uid);
    for (int i = 0; i < 3; i++) {
        memset(&in, 0, sizeof in);
        int r = sigtimedwait(&w, &in, &z);
        printf("-> %d val %d code %d errno %d\n", r < 0 ? r : r - SIGRTMIN, in.si_value.sival_int, in.si_code,
               in.si_errno);
    }
    raise(SIGUSR2);
    CALL(sigwaitinfo(&w, &in));
    VALUE(in.si_code);
    t.tv_nsec = -1;
    CALL(sigtimedwait(&w, &in, &t));
    TITLE("forged");
    siginfo_t f;
    memset(&f, 0, sizeof f);
    f.si_code = SI_USER;
    CALL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 3, &f));
    f.si_code = -60;
    f.si_errno = 5;
    f.si_value.sival_ptr = (void*)0x123456789a;
    CALL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 3, &f));
    sigemptyset(&w);
    sigaddset(&w, SIGRTMIN + 3);
    memset(&in, 0, sizeof in);
    sigtimedwait(&w, &in, &z);
    VALUE(in.si_code);
    memset(&in, 0, sizeof in);
    sigtimedwait(&w, &in, &z);
    VALUE(in.si_code);
    VALUE(in.si_errno);
    VALUE((long)in.si_value.sival_ptr);
    CALL(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &f));
    CALL(syscall(SYS_rt_sigqueueinfo, 999999, SIGUSR1, &f));
    CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN + 3, &f));
    CALL(sigtimedwait(&w, &in, &z) - SIGRTMIN);
    struct rlimit l = {8, 8};
    CALL(setrlimit(RLIMIT_SIGPENDING, &l));
    return 0;
}
