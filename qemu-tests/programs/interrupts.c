/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/interrupts.c - how often CPUs interrupt each other, by /proc/interrupts: a computing program not at all, a wake
 * once at most, a change of page tables once a CPU that runs the program, a signal to a running thread once.
 *
 * interrupts CPUS: it wants to see that many. An interrupt to another CPU costs one exit to the hypervisor and nothing else does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { page = 4096, most = 64, futex_wait_private = 128, futex_wake_private = 129 };

static void fail(const char* what) {
    printf("FAILED: %s\n", what);
    fflush(stdout);
    _exit(1);
}

/* Sums over all CPUs. */
struct counts {
    unsigned long wake_ups, kicks, flushes, exits;
};

static int cpus;

static unsigned long row(const char* text, const char* name, int columns) {
    const char* at = strstr(text, name);
    unsigned long sum = 0;
    if (at == NULL)
        fail(name);
    at += strlen(name);
    for (int i = 0; i < columns; ++i) {
        char* end = NULL;
        sum += strtoul(at, &end, 10);
        if (end == at)
            fail("a column is missing");
        at = end;
    }
    return sum;
}

static struct counts now(void) {
    static char text[16384];
    const int file = open("/proc/interrupts", O_RDONLY);
    ssize_t bytes = 0, got = 0;
    while (file >= 0 && (got = read(file, text + bytes, sizeof text - 1 - (size_t)bytes)) > 0)
        bytes += got;
    close(file);
    text[bytes] = 0;
    return (struct counts){row(text, "RES:", cpus), row(text, "CAL:", cpus), row(text, "TLB:", cpus), row(text, "HYP:", 1)};
}

static struct counts since(struct counts before) {
    const struct counts after = now();
    const struct counts made = {after.wake_ups - before.wake_ups, after.kicks - before.kicks, after.flushes - before.flushes,
                                after.exits - before.exits - 1 /* the question before */};
    if (made.exits != made.wake_ups + made.kicks + made.flushes) {
        printf("%lu exits with %lu + %lu + %lu interrupts: ", made.exits, made.wake_ups, made.kicks, made.flushes);
        fail("exits are not interrupts");
    }
    return made;
}

static void expect(const char* what, unsigned long count, unsigned long least, unsigned long limit) {
    if (count >= least && count <= limit)
        return;
    printf("%lu, between %lu and %lu were expected: ", count, least, limit);
    fail(what);
}

static void pin(pthread_t thread, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (pthread_setaffinity_np(thread, sizeof set, &set) != 0)
        fail("pthread_setaffinity_np");
}

static void start(pthread_t* thread, void* (*work)(void*), void* argument) {
    if (pthread_create(thread, NULL, work, argument) != 0)
        fail("pthread_create");
}

static void give_way(void) {
    __builtin_ia32_pause();
}

/* Threads that compute, on every CPU but the first one's, until they are told. */
static atomic_int running, stop;
static pthread_t spinners[most];

static void* spin(void* unused) {
    (void)unused;
    atomic_fetch_add(&running, 1);
    while (!atomic_load(&stop))
        give_way();
    return NULL;
}
static void start_spinners(int pinned) {
    atomic_store(&running, 0);
    atomic_store(&stop, 0);
    for (int i = 1; i < cpus; ++i) {
        start(&spinners[i], spin, NULL);
        if (pinned)
            pin(spinners[i], i);
    }
    while (atomic_load(&running) < cpus - 1)
        give_way();
}
static void end_spinners(void) {
    atomic_store(&stop, 1);
    for (int i = 1; i < cpus; ++i)
        pthread_join(spinners[i], NULL);
}
static void compute(void) {
    static volatile unsigned long state;
    for (int i = 0; i < 3000000; ++i) {
        state = state * 6364136223846793005u + 1;
        if (i % 4096 == 0)
            give_way();
    }
}

static void computing(void) {
    start_spinners(0);
    compute(); /* whoever has to move has moved */
    const struct counts before = now();
    compute();
    const struct counts made = since(before);
    expect("wake-ups while all compute", made.wake_ups, 0, 0);
    expect("kicks while all compute", made.kicks, 0, 0);
    expect("flushes while all compute", made.flushes, 0, 0);
    end_spinners();
    puts("computing: no interrupts");
}

/* Two threads take turns. */
enum { rounds = 1000 };
static atomic_int ball, played;
static atomic_ulong woken;

static void play(int own) {
    for (int i = 0; i < rounds; ++i) {
        int now = 0;
        while ((now = atomic_load(&ball)) % 2 != own)
            syscall(SYS_futex, &ball, futex_wait_private, now, NULL, NULL, 0);
        atomic_fetch_add(&ball, 1);
        if (syscall(SYS_futex, &ball, futex_wake_private, 1, NULL, NULL, 0) == 1)
            atomic_fetch_add(&woken, 1);
    }
}
static void* play_other(void* together) {
    play(1);
    atomic_store(&played, 1);
    while (together == NULL && !atomic_load(&stop))
        give_way();
    return NULL;
}
static void wakes(void) {
    for (int together = 0; together < 2; ++together) {
        pthread_t other;
        atomic_store(&played, 0);
        atomic_store(&stop, 0);
        atomic_store(&woken, 0);
        const struct counts before = now();
        start(&other, play_other, together ? &other : NULL);
        pin(other, together ? 0 : 1);
        play(0);
        while (!atomic_load(&played)) {
            if (together)
                sched_yield();
            give_way();
        }
        const struct counts made = since(before);
        const unsigned long wakes = atomic_load(&woken);
        /* Starting and pinning the other may have cost two or three. */
        expect("wake-ups and kicks", made.wake_ups + made.kicks, together ? 0 : 1, together ? 3 : wakes + 3);
        expect("flushes of wakes", made.flushes, 0, 1 /* a thread's stack */);
        atomic_store(&stop, 1);
        pthread_join(other, NULL);
    }
    puts("wakes: one each to another CPU, none to one's own");
}

enum { calls = 100 };

static void flush_pages(void) {
    for (int i = 0; i < calls; ++i) {
        char* at = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (at == MAP_FAILED || munmap(at, 3 * page) != 0)
            fail("mmap");
    }
}
static void flushes(void) {
    flush_pages(); /* tables that stay */
    struct counts before = now();
    flush_pages();
    expect("flushes while the others are idle", since(before).flushes, 0, 0);
    start_spinners(1);
    before = now();
    flush_pages();
    struct counts made = since(before);
    expect("flushes", made.flushes, 1, (unsigned long)(calls * (cpus - 1)));
    expect("wake-ups and kicks of flushes", made.wake_ups + made.kicks, 0, 0);
    before = now();
    for (int i = 0; i < calls; ++i)
        syscall(SYS_membarrier, 1 << 3 /* PRIVATE_EXPEDITED */, 0, 0);
    expect("barriers", since(before).flushes, 1, (unsigned long)(calls * (cpus - 1)));
    end_spinners();
    const pid_t child = fork();
    if (child == 0) {
        pin(pthread_self(), 1);
        for (;;)
            give_way();
    }
    compute();
    before = now();
    flush_pages();
    expect("flushes for another process", since(before).flushes, 0, 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    puts("flushes: one a call and CPU that runs the program");
}

static atomic_int handled;
static void handle(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}
static void kicks(void) {
    signal(SIGUSR1, handle);
    start_spinners(1);
    const struct counts before = now();
    for (int i = 0; i < calls; ++i) {
        pthread_kill(spinners[1], SIGUSR1);
        while (atomic_load(&handled) != i + 1)
            give_way();
    }
    const struct counts made = since(before);
    expect("kicks", made.kicks, 1, calls);
    expect("wake-ups of signals", made.wake_ups, 0, 0);
    expect("flushes of signals", made.flushes, 0, 0);
    end_spinners();
    puts("signals: a kick each to a running thread");
}

int main(int argc, char** argv) {
    cpus = argc > 1 ? atoi(argv[1]) : 0;
    if (cpus < 2 || cpus > most || sysconf(_SC_NPROCESSORS_ONLN) != cpus)
        fail("CPUs");
    setvbuf(stdout, NULL, _IOFBF, 4096); /* nothing is said between two questions */
    pin(pthread_self(), 0);
    syscall(SYS_membarrier, 1 << 4 /* REGISTER_PRIVATE_EXPEDITED */, 0, 0);
    computing();
    wakes();
    flushes();
    kicks();
    puts("exits: as many as interrupts");
    return 0;
}
