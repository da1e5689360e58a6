/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/signals.c - handlers with siginfo on an alternate stack, masks, restart, recovery from
 * faults. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static sigjmp_buf back;
static char alternate[64 * 1024];
static volatile sig_atomic_t caught, on_alternate, code_seen, reset_count;
static void* volatile fault_address;

static void on_fault(int number, siginfo_t* info, void* context) {
    char here;
    (void)context;
    caught = number;
    code_seen = info->si_code;
    fault_address = info->si_addr;
    on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
    siglongjmp(back, 1);
}
static void on_user(int number, siginfo_t* info, void* context) {
    (void)context;
    caught = number;
    code_seen = info->si_code;
}
static void on_alarm(int number) {
    caught = number;
}
static void on_once(int number) {
    (void)number;
    ++reset_count;
}

static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(number, &action, NULL);
}

static volatile double keep = 1.25;
static volatile int* volatile low_address = (volatile int*)16;

int main(void) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    install(SIGSEGV, on_fault, SA_ONSTACK);
    install(SIGFPE, on_fault, 0);
    install(SIGILL, on_fault, 0);
    install(SIGUSR1, on_user, 0);

    char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(back, 1) == 0)
        *(volatile char*)(page + 8) = 1;
    printf("write to a read-only page: signal=%d code=%d offset=%d alternate=%d\n", caught, code_seen,
           (int)((char*)fault_address - page), on_alternate);
    if (sigsetjmp(back, 1) == 0)
        *low_address = 1;
    printf("null pointer: signal=%d code=%d address=%p\n", caught, code_seen, fault_address);
    volatile int zero = 0;
    if (sigsetjmp(back, 1) == 0)
        zero = 7 / zero; // 1 / x would be folded into a comparison, which does not trap
    printf("division: signal=%d code=%d\n", caught, code_seen);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("ud2");
    printf("illegal instruction: signal=%d code=%d\n", caught, code_seen);

    caught = 0;
    raise(SIGUSR1);
    printf("raise: signal=%d user=%d\n", caught, code_seen == SI_TKILL || code_seen == SI_USER);
    sigset_t mask, pending;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    caught = 0;
    kill(getpid(), SIGUSR1);
    sigpending(&pending);
    printf("blocked: signal=%d pending=%d\n", caught, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    printf("unblocked: signal=%d\n", caught);

    struct sigaction once = {.sa_handler = on_once, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    sigaction(SIGUSR2, &once, NULL);
    raise(SIGUSR2);
    sigaction(SIGUSR2, NULL, &once);
    printf("reset: count=%d default=%d\n", reset_count, once.sa_handler == SIG_DFL);

    struct sigaction alarm_action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &alarm_action, NULL);
    alarm(1);
    struct timespec long_time = {30, 0}, rest;
    const int slept = nanosleep(&long_time, &rest);
    printf("alarm: slept=%d errno=%d rest=%d\n", slept, errno == EINTR, rest.tv_sec >= 28);
    printf("floating point survives: %.2f\n", keep * 4);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    puts("ignored");
    return 0;
}
