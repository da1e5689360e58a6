/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/sequences.c - restartable sequences, rseq(2), without a C library that has its own: counters of each CPU that
 * several threads add to without LOCK, a sequence that a signal or membarrier(2) ends, and what is refused.
 *
 * sequences [CPUS]: on so many, if it is told */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most = 64, threads = 4, adds = 20000, signature = 0x53053053, call = 334 };
enum { barrier_sequences = 1 << 7, register_sequences = 1 << 8, barrier_code = 1 << 5, register_code = 1 << 6 };

struct own {
    uint32_t cpu_begin, cpu;
    uint64_t sequence;
    uint32_t flags, padding[3];
} __attribute__((aligned(32)));
static __thread volatile struct own own;

static void fail(const char* what) {
    printf("FAILED: %s (errno %d)\n", what, errno);
    fflush(stdout);
    _exit(1);
}
static void check(int good, const char* what) {
    if (!good)
        fail(what);
}
static long ask(volatile void* at, unsigned bytes, int flags, unsigned sign) {
    return syscall(call, at, bytes, flags, sign);
}

/* Adds 1 to the counter of the CPU on which it runs all the way, slowly. 0: it has to begin again. */
static long counters[most][8];
static int add(void) {
    __asm__ goto(".pushsection .data\n"
                 ".balign 32\n"
                 "3: .long 0, 0\n"
                 ".quad 1f, 2f - 1f, 4f\n"
                 ".popsection\n"
                 "leaq 3b(%%rip), %%rax\n"
                 "movq %%rax, 8(%0)\n"
                 "1: movl 4(%0), %%eax\n"
                 "shlq $6, %%rax\n"
                 "movq (%1, %%rax), %%rcx\n"
                 "movl $60, %%edx\n"
                 "5: decl %%edx\n"
                 "jnz 5b\n"
                 "incq %%rcx\n"
                 "movq %%rcx, (%1, %%rax)\n"
                 "2:\n"
                 ".pushsection .text.unlikely, \"ax\"\n"
                 ".byte 0x0f, 0xb9, 0x3d\n"
                 ".long 0x53053053\n"
                 "4: jmp %l[again]\n"
                 ".popsection\n"
                 :
                 : "r"(&own), "r"(counters)
                 : "rax", "rcx", "rdx", "memory", "cc"
                 : again);
    return 1;
again:
    return 0;
}

static atomic_long restarts;
static void* add_many(void* unused) {
    (void)unused;
    check(ask(&own, sizeof own, 0, signature) == 0, "rseq");
    for (int i = 0; i < adds; ++i) {
        while (!add())
            atomic_fetch_add(&restarts, 1);
        if (i % 500 == 0)
            sched_yield();
    }
    check(own.cpu < most && own.cpu_begin == own.cpu, "the CPU's number");
    return NULL;
}

/* In a sequence for ever, until something ends it. */
static atomic_int within, ended;
static void stay(void) {
    __asm__ goto(".pushsection .data\n"
                 ".balign 32\n"
                 "3: .long 0, 0\n"
                 ".quad 1f, 2f - 1f, 4f\n"
                 ".popsection\n"
                 "leaq 3b(%%rip), %%rax\n"
                 "movq %%rax, 8(%0)\n"
                 "1: lock incl %1\n"
                 "5: pause\n"
                 "jmp 5b\n"
                 "2:\n"
                 ".pushsection .text.unlikely, \"ax\"\n"
                 ".byte 0x0f, 0xb9, 0x3d\n"
                 ".long 0x53053053\n"
                 "4: jmp %l[over]\n"
                 ".popsection\n"
                 :
                 : "r"(&own), "m"(within)
                 : "rax", "memory", "cc"
                 : over);
over:
    atomic_fetch_add(&ended, 1);
}
static void* stay_once(void* unused) {
    (void)unused;
    check(ask(&own, sizeof own, 0, signature) == 0, "rseq");
    stay();
    check(own.sequence == 0, "the sequence is left");
    return NULL;
}
static void nothing(int number) {
    (void)number;
    check(own.sequence == 0, "the sequence is left before the handler");
}

static void end_sequences(int cpus) {
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, NULL);
    check(syscall(SYS_membarrier, barrier_sequences, 0, 0) == -1 && errno == EPERM, "barriers are asked for first");
    check(syscall(SYS_membarrier, register_sequences, 0, 0) == 0 && syscall(SYS_membarrier, register_code, 0, 0) == 0 &&
              syscall(SYS_membarrier, barrier_code, 0, 0) == 0,
          "membarrier");
    for (int how = 0; how < 2; ++how) {
        pthread_t one;
        atomic_store(&within, 0);
        pthread_create(&one, NULL, stay_once, NULL);
        while (atomic_load(&within) == 0)
            sched_yield();
        if (how == 0)
            pthread_kill(one, SIGUSR1);
        else /* on one CPU it was switched out, and has ended it by itself */
            check(syscall(SYS_membarrier, barrier_sequences, 0, 0) == 0, "membarrier");
        pthread_join(one, NULL);
    }
    (void)cpus;
    printf("sequences that end: %d\n", atomic_load(&ended));
}

static void follow(void) {
    cpu_set_t all, one;
    check(ask(&own, sizeof own, 0, signature) == 0, "rseq");
    sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; cpu < most; ++cpu) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        check(own.cpu == (uint32_t)cpu && own.cpu_begin == (uint32_t)cpu, "the CPU's number follows");
    }
    sched_setaffinity(0, sizeof all, &all);
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; ++i)
            sched_yield();
        _exit(ask(&own, sizeof own, 0, signature) == -1 && errno == EBUSY && own.cpu < most ? 5 : 1);
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child && status == 5 << 8, "a child has it too");
    puts("it follows");
}

static void refused(void) {
    volatile struct own other;
    check(ask(&own, sizeof own, 0, signature) == -1 && errno == EBUSY, "twice");
    check(ask(&own, sizeof own, 0, 1) == -1 && errno == EPERM, "another signature");
    check(ask(&other, sizeof own, 0, signature) == -1 && errno == EINVAL, "another place");
    check(ask(&own, 16, 1, signature) == -1 && errno == EINVAL, "other bytes");
    check(ask(&own, sizeof own, 2, signature) == -1 && errno == EINVAL, "flags");
    check(ask(&own, sizeof own, 1, 1) == -1 && errno == EPERM, "the end with another signature");
    check(ask(&own, sizeof own, 1, signature) == 0 && own.cpu == ~0u && own.cpu_begin == 0, "the end");
    check(ask(&own, sizeof own, 1, signature) == -1 && errno == EINVAL, "the end of nothing");
    check(ask((char*)&own + 8, sizeof own, 0, signature) == -1 && errno == EINVAL, "not aligned");
    check(ask((void*)0x800000000000, sizeof own, 0, signature) == -1 && errno == EFAULT, "the kernel's half");
    const pid_t child = fork();
    if (child == 0) {
        ask(&own, sizeof own, 0, signature);
        own.sequence = 16; /* nothing is mapped there */
        for (;;) /* it is looked at behind a switch */
            nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child && status == SIGSEGV, "what is wrong is a fault");
    puts("refused");
}

int main(int argc, char** argv) {
    const int cpus = argc > 1 ? atoi(argv[1]) : 1;
    pthread_t all[threads];
    long sum = 0;
    check(argc < 2 || sysconf(_SC_NPROCESSORS_ONLN) == cpus, "CPUs");
    follow();
    refused();
    for (int i = 0; i < threads; ++i)
        pthread_create(&all[i], NULL, add_many, NULL);
    for (int i = 0; i < threads; ++i)
        pthread_join(all[i], NULL);
    for (int i = 0; i < most; ++i)
        sum += counters[i][0];
    printf("counted: %ld\n", sum);
    end_sequences(cpus);
    return 0;
}
