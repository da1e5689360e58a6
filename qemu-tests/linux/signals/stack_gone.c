/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/stack_gone.c - A signal whose frame does not fit on the stack becomes SIGSEGV on the alternate stack. */
#include "qemu-tests/linux/check.h"
static char st[65536];
static void h(int s, siginfo_t* i, void* u) {
    printf("handler %d code %d\n", s, i->si_code);
    _exit(3);
}
static void n(int s) {
    _exit(9);
}
int main(void) {
    stack_t ss = {st, 0, sizeof st};
    sigaltstack(&ss, 0);
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = h;
    a.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &a, 0);
    signal(SIGUSR1, n);
    long pid = getpid();
    __asm__ volatile("mov $0x1000,%%rsp; mov $62,%%eax; mov %0,%%rdi; mov $10,%%esi; syscall; ud2" ::"r"(pid)
                     : "rax", "rdi", "rsi");
    return 0;
}
