/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/smp.c - what goes wrong when several CPUs run one program and its kernel does not care: lost wake-ups,
 * translations that outlive their pages, signals and ends that nobody hears of. The same lines on any number of CPUs.
 *
 * smp [CPUS]: with a number it also wants to see exactly that many CPUs. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { page = 4096, thread_count = 4 };
/* linux/futex.h and linux/membarrier.h, which musl's compiler does not find */
enum { futex_wait_private = 128, futex_wake_private = 129 };
enum { private_expedited = 1 << 3, register_private_expedited = 1 << 4 };

static void fail(const char* what) {
    printf("FAILED: %s\n", what);
    fflush(stdout);
    _exit(1);
}

static void start(pthread_t* thread, void* (*work)(void*), void* argument) {
    if (pthread_create(thread, NULL, work, argument) != 0)
        fail("pthread_create");
}

/* An emulator that runs one CPU after the other goes on with the next at PAUSE. */
static void give_way(int times) {
    for (int i = 0; i < times; ++i)
        __builtin_ia32_pause();
}

/* Threads that compute, each its own part; which CPUs they were seen on. */
static atomic_ulong seen_cpus;
static atomic_int computing;

static void* compute(void* argument) {
    uint64_t* state = argument;
    for (atomic_fetch_add(&computing, 1); atomic_load(&computing) < thread_count;)
        ;
    for (int i = 0; i < 2000000; ++i) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        if (i % 4096 == 0)
            atomic_fetch_or(&seen_cpus, 1ul << sched_getcpu());
    }
    return NULL;
}

static void parallel(void) {
    pthread_t threads[thread_count];
    uint64_t states[thread_count], sum = 0;
    for (int i = 0; i < thread_count; ++i) {
        states[i] = (uint64_t)i;
        start(&threads[i], compute, &states[i]);
    }
    for (int i = 0; i < thread_count; ++i) {
        pthread_join(threads[i], NULL);
        sum += states[i];
    }
    printf("parallel: %llx\n", (unsigned long long)sum);
}

/* Two threads take turns by futex. */
static atomic_int ball;
enum { rounds = 2000 };

static void play(int own) {
    for (int i = 0; i < rounds; ++i) {
        int now = 0;
        while ((now = atomic_load(&ball)) % 2 != own)
            syscall(SYS_futex, &ball, futex_wait_private, now, NULL, NULL, 0);
        atomic_fetch_add(&ball, 1);
        syscall(SYS_futex, &ball, futex_wake_private, 1, NULL, NULL, 0);
    }
}
static void* play_other(void* unused) {
    (void)unused;
    play(1);
    return NULL;
}
static void ping_pong(void) {
    pthread_t other;
    start(&other, play_other, NULL);
    play(0);
    pthread_join(other, NULL);
    printf("ping-pong: %d\n", atomic_load(&ball));
}

/* A mutex and a condition variable that all want. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counted, turn;

static void* count(void* argument) {
    const long own = (long)(intptr_t)argument;
    for (int i = 0; i < 500; ++i) {
        pthread_mutex_lock(&lock);
        ++counted;
        pthread_mutex_unlock(&lock);
    }
    for (int i = 0; i < 100; ++i) {
        pthread_mutex_lock(&lock);
        while (turn % thread_count != own)
            pthread_cond_wait(&changed, &lock);
        ++turn;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}
static void mutexes(void) {
    pthread_t threads[thread_count];
    for (int i = 0; i < thread_count; ++i)
        start(&threads[i], count, (void*)(intptr_t)i);
    for (int i = 0; i < thread_count; ++i)
        pthread_join(threads[i], NULL);
    printf("mutexes: %ld %ld\n", counted, turn);
}

/* One thread writes to a page without pause while another takes it away: what it gets instead never changes, and a page that may
 * not be written keeps what it shows. */
static atomic_int stop;
static volatile char *target, *elsewhere; /* in one range, where nothing else is mapped */
static __thread sigjmp_buf back;

static void skip(int number) {
    (void)number;
    siglongjmp(back, 1);
}
static void* hammer(void* unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        if (sigsetjmp(back, 1) != 0)
            continue;
        for (int i = 0; i < 2000 && !atomic_load(&stop); ++i)
            target[(i * 64) % page]++;
    }
    return NULL;
}
static void watch_fresh_pages(void) {
    enum { pages = 16 };
    volatile char* fresh = mmap((void*)elsewhere, pages * page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED, -1, 0);
    if (fresh != elsewhere)
        fail("mmap");
    for (int i = 0; i < 50; ++i) {
        for (int at = 0; at < pages * page; at += 64)
            if (fresh[at] != 0)
                fail("a page that was unmapped is still written");
        give_way(1);
    }
    mmap((void*)fresh, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}
static void stale_pages(void) {
    pthread_t writers[2];
    struct sigaction action = {.sa_handler = skip};
    sigaction(SIGSEGV, &action, NULL);
    target = mmap(NULL, 64 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    elsewhere = target + 16 * page;
    mprotect((void*)target, page, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 2; ++i)
        start(&writers[i], hammer, NULL);
    for (int i = 0; i < 30; ++i) {
        give_way(100);
        if (i % 3 == 0) {
            munmap((void*)target, page);
            watch_fresh_pages();
            if (mmap((void*)target, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
                target)
                fail("mmap fixed");
        } else if (i % 3 == 1) {
            mprotect((void*)target, page, PROT_READ);
            char copy[page];
            memcpy(copy, (const void*)target, page);
            for (int look = 0; look < 50; ++look) {
                if (memcmp(copy, (const void*)target, page) != 0)
                    fail("a page that may not be written changed");
                give_way(1);
            }
            mprotect((void*)target, page, PROT_READ | PROT_WRITE);
        } else {
            madvise((void*)target, page, MADV_DONTNEED);
            watch_fresh_pages();
        }
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; ++i)
        pthread_join(writers[i], NULL);
    signal(SIGSEGV, SIG_DFL);
    puts("stale pages: none");
}

/* Each thread maps, fills, shrinks, moves and unmaps memory of its own. */
static void* map_and_unmap(void* argument) {
    const int own = (int)(intptr_t)argument + 1;
    for (int i = 0; i < 30; ++i) {
        const size_t bytes = (size_t)(1 + i % 40) * page;
        char* at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            fail("mmap");
        memset(at, own, bytes);
        if (i % 4 == 1)
            at = mremap(at, bytes, 2 * bytes, MREMAP_MAYMOVE);
        if (i % 4 == 2)
            mprotect(at, bytes, PROT_READ);
        for (size_t byte = 0; byte < bytes; byte += 256)
            if (at[byte] != own)
                fail("a page is another thread's");
        munmap(at, i % 4 == 1 ? 2 * bytes : bytes);
    }
    return NULL;
}
static void maps(void) {
    pthread_t threads[thread_count];
    for (int i = 0; i < thread_count; ++i)
        start(&threads[i], map_and_unmap, (void*)(intptr_t)i);
    for (int i = 0; i < thread_count; ++i)
        pthread_join(threads[i], NULL);
    puts("maps: done");
}

/* Children from several threads at once, while others change what is copied. */
static atomic_int changing[1024];
static atomic_int settled;

static void* change(void* unused) {
    (void)unused;
    while (!atomic_load(&settled))
        for (int i = 0; i < 1024 && !atomic_load(&settled); ++i)
            atomic_fetch_add(&changing[i], 1);
    return NULL;
}
static void* fork_and_wait(void* argument) {
    const int own = (int)(intptr_t)argument;
    for (int i = 0; i < 6; ++i) {
        const pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0) {
            const int before = atomic_load(&changing[own]);
            give_way(50);
            _exit(atomic_load(&changing[own]) == before ? 40 + own : 1);
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 40 + own)
            fail("a child's memory changed");
    }
    return NULL;
}
static void forks(void) {
    pthread_t threads[thread_count], changer;
    start(&changer, change, NULL);
    for (int i = 0; i < thread_count; ++i)
        start(&threads[i], fork_and_wait, (void*)(intptr_t)i);
    for (int i = 0; i < thread_count; ++i)
        pthread_join(threads[i], NULL);
    atomic_store(&settled, 1);
    pthread_join(changer, NULL);
    puts("forks: done");
}

/* Signals to a thread that computes elsewhere. */
static atomic_int handled, quit;

static void handle(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}
static void* spin(void* unused) {
    (void)unused;
    while (!atomic_load(&quit))
        ;
    return NULL;
}
static void signals(void) {
    pthread_t spinner;
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    start(&spinner, spin, NULL);
    /* On CPUs of their own: the first has the kernel's own timers, which would help it out. */
    cpu_set_t all, first, last;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&first);
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu)
        if (CPU_ISSET(cpu, &all)) {
            if (CPU_COUNT(&first) == 0) {
                CPU_ZERO(&last);
                CPU_SET(cpu, &last);
            }
            CPU_ZERO(&first);
            CPU_SET(cpu, &first);
        }
    pthread_setaffinity_np(spinner, sizeof last, &last);
    sched_setaffinity(0, sizeof first, &first);
    for (int i = 0; i < 60; ++i) {
        pthread_kill(spinner, SIGUSR1);
        while (atomic_load(&handled) != i + 1)
            ;
    }
    atomic_store(&quit, 1);
    pthread_join(spinner, NULL);
    sched_setaffinity(0, sizeof all, &all);
    printf("signals: %d\n", atomic_load(&handled));
}

/* A process whose threads compute stops, goes on, and ends by a signal, by exit_group and by execve. */
static void process_ends(const char* self) {
    for (int how = 0; how < 3; ++how) {
        const pid_t child = fork();
        if (child == 0) {
            atomic_store(&quit, 0);
            pthread_t spinners[3];
            for (int i = 0; i < 3; ++i)
                start(&spinners[i], spin, NULL);
            if (how == 0)
                spin(NULL);
            if (how == 1)
                exit(7);
            execl(self, self, "end", (char*)NULL);
            _exit(1);
        }
        int status = 0;
        if (how == 0) {
            kill(child, SIGSTOP);
            if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
                fail("it did not stop");
            kill(child, SIGCONT);
            if (waitpid(child, &status, WCONTINUED) != child || !WIFCONTINUED(status))
                fail("it did not go on");
            kill(child, SIGKILL);
        }
        if (waitpid(child, &status, 0) != child)
            fail("waitpid");
        printf("end %d: %x\n", how, (unsigned)status);
        fflush(stdout);
    }
}

/* Stores that the other CPU may hold back, and a barrier on one side alone. */
static atomic_int mine, theirs, seen_there, round_there, round_here;

static void* light_side(void* unused) {
    (void)unused;
    for (int i = 1; i <= 100; ++i) {
        while (atomic_load(&round_here) != i)
            ;
        atomic_store_explicit(&theirs, i, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        atomic_store_explicit(&seen_there, atomic_load_explicit(&mine, memory_order_relaxed), memory_order_relaxed);
        atomic_store(&round_there, i);
    }
    return NULL;
}
static void barriers(void) {
    pthread_t other;
    if (syscall(SYS_membarrier, register_private_expedited, 0, 0) != 0)
        fail("membarrier");
    start(&other, light_side, NULL);
    for (int i = 1; i <= 100; ++i) {
        atomic_store(&round_here, i);
        atomic_store_explicit(&mine, i, memory_order_relaxed);
        syscall(SYS_membarrier, private_expedited, 0, 0);
        const int seen_here = atomic_load_explicit(&theirs, memory_order_relaxed);
        while (atomic_load(&round_there) != i)
            ;
        if (seen_here != i && atomic_load(&seen_there) != i)
            fail("neither saw the other");
    }
    pthread_join(other, NULL);
    puts("barriers: done");
}

/* Going to one CPU after the other. */
static void affinity(void) {
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        fail("sched_getaffinity");
    for (int lap = 0; lap < 5; ++lap)
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &all))
                continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            if (sched_setaffinity(0, sizeof one, &one) != 0)
                fail("sched_setaffinity");
            unsigned asked = 0;
            syscall(SYS_getcpu, &asked, NULL, NULL);
            if (sched_getcpu() != cpu || asked != (unsigned)cpu)
                fail("it runs where it may not");
        }
    sched_setaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    const int none = sched_setaffinity(0, sizeof one, &one);
    printf("affinity: %d %d\n", none, errno == EINVAL);
}

static int lines_of(const char* path, const char* beginning) {
    FILE* file = fopen(path, "r");
    char line[4096];
    int found = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        found += strncmp(line, beginning, strlen(beginning)) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

/* No CPU was busy or idle for longer than the machine runs, not even one that has had nothing to do yet. */
static void times_of_cpus(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    const unsigned long long most = (unsigned long long)now.tv_sec * 100 + 200;
    FILE* stat = fopen("/proc/stat", "r");
    char line[256];
    int cpus = 0;
    while (stat != NULL && fgets(line, sizeof line, stat) != NULL) {
        unsigned long long user, nice, system, idle;
        if (line[3] == ' ' || sscanf(line, "cpu%*u %llu %llu %llu %llu", &user, &nice, &system, &idle) != 4)
            continue;
        ++cpus;
        if (user > most || idle > most || user + nice + system + idle > most)
            fail(line);
    }
    if (stat != NULL)
        fclose(stat);
    printf("times of %d CPUs\n", cpus);
}

int main(int argc, char** argv) {
    if (argc == 2 && strcmp(argv[1], "end") == 0) {
        puts("executed");
        return 9;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2)
        times_of_cpus();
    parallel();
    ping_pong();
    mutexes();
    stale_pages();
    maps();
    forks();
    signals();
    process_ends(argv[0]);
    barriers();
    affinity();
    if (argc == 2) {
        const int cpus = atoi(argv[1]);
        printf("cpus: %ld online, %d in cpuinfo, %d in stat, threads on all: %d\n", sysconf(_SC_NPROCESSORS_ONLN),
               lines_of("/proc/cpuinfo", "processor"), lines_of("/proc/stat", "cpu") - 1,
               atomic_load(&seen_cpus) == (1ul << cpus) - 1);
    }
    pthread_t spinner;
    atomic_store(&quit, 0);
    start(&spinner, spin, NULL); /* and ends with the program */
    return 0;
}
