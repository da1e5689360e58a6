/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/non_canonical.c - A handler or a saved instruction pointer beyond the canonical half: SIGSEGV, never the kernel's fault. */
#include "qemu-tests/linux/check.h"
static void h(int s, siginfo_t* i, void* u) {
    ucontext_t* c = u;
    c->uc_mcontext.gregs[REG_RIP] = 0x8000000000000000ull;
}
static void g(int s, siginfo_t* i, void* u) {
    static int n;
    if (n++)
        _exit(9);
    printf("got %d\n", s);
    _exit(5);
}
int main(int c, char** v) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_flags = SA_SIGINFO;
    a.sa_sigaction = g;
    sigaction(SIGSEGV, &a, 0);
    if (c > 1) {
        a.sa_sigaction = (void*)0x8000000000000000;
        sigaction(SIGUSR1, &a, 0);
        raise(SIGUSR1);
    } else {
        a.sa_sigaction = h;
        sigaction(SIGUSR1, &a, 0);
        raise(SIGUSR1);
    }
    return 0;
}
