/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/alternate_stack.c - sigaltstack: nesting, leaving by longjmp, SS_AUTODISARM, and every refusal. */
#include "qemu-tests/linux/check.h"
static char st[65536], st2[65536];
static volatile int on, flags;
static sigjmp_buf jb;
static volatile int lj;
static int inside(void* p, char* s) {
    return (char*)p >= s && (char*)p < s + 65536;
}
static void h(int s, siginfo_t* i, void* u) {
    int x;
    on = inside(&x, st);
    stack_t o;
    sigaltstack(0, &o);
    flags = o.ss_flags;
    stack_t w = {st2, 0, sizeof st2};
    printf("in handler: on alt %d flags %x uc flags %x uc size %ld change -> %s\n", on, o.ss_flags,
           ((ucontext_t*)u)->uc_stack.ss_flags, (long)((ucontext_t*)u)->uc_stack.ss_size,
           sigaltstack(&w, 0) ? ename(errno) : "0");
    if (s == SIGUSR1 && lj == 2) {
        lj = 0;
        raise(SIGUSR2);
    }
    if (lj == 1)
        siglongjmp(jb, 1);
}
static void seth(int s, int f) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = h;
    a.sa_flags = SA_SIGINFO | f;
    sigaction(s, &a, 0);
}
int main(void) {
    stack_t s = {st, 0, sizeof st}, o;
    CALL(sigaltstack(0, &o));
    VALUE(o.ss_flags);
    VALUE(o.ss_size);
    VALUE(o.ss_sp == 0);
    CALL(sigaltstack(&s, 0));
    CALL(sigaltstack(0, &o));
    VALUE(o.ss_flags);
    VALUE(o.ss_sp == st);
    seth(SIGUSR1, SA_ONSTACK);
    raise(SIGUSR1);
    seth(SIGUSR1, 0);
    raise(SIGUSR1);
    seth(SIGUSR1, SA_ONSTACK);
    seth(SIGUSR2, SA_ONSTACK);
    lj = 2;
    raise(SIGUSR1);
    lj = 1;
    for (int i = 0; i < 3; i++)
        if (!sigsetjmp(jb, 1))
            raise(SIGUSR1);
    lj = 0;
    sigaltstack(0, &o);
    VALUE(o.ss_flags);
    TITLE("autodisarm");
    s.ss_flags = 1u << 31;
    CALL(sigaltstack(&s, 0));
    raise(SIGUSR1);
    sigaltstack(0, &o);
    VALUE(o.ss_flags);
    VALUE(o.ss_sp == st);
    VALUE(o.ss_size);
    TITLE("errors");
    s.ss_flags = 0;
    s.ss_size = 100;
    CALL(sigaltstack(&s, 0));
    s.ss_size = 2047;
    CALL(sigaltstack(&s, 0));
    s.ss_size = 2048;
    CALL(sigaltstack(&s, 0));
    s.ss_flags = 99;
    CALL(sigaltstack(&s, 0));
    s.ss_flags = SS_DISABLE;
    CALL(sigaltstack(&s, 0));
    s.ss_flags = SS_ONSTACK;
    s.ss_size = sizeof st;
    CALL(syscall(SYS_sigaltstack, &s, 0));
    CALL(syscall(SYS_sigaltstack, 8, 0));
    s.ss_flags = SS_DISABLE | SS_ONSTACK;
    CALL(syscall(SYS_sigaltstack, &s, 0));
    sigaltstack(0, &o);
    VALUE(o.ss_flags);
    s.ss_flags = SS_DISABLE;
    CALL(sigaltstack(&s, 0));
    sigaltstack(0, &o);
    VALUE(o.ss_flags);
    VALUE(o.ss_size);
    raise(SIGUSR1);
    return 0;
}
