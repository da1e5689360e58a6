/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/fuzz_calls.c - fuzz_calls SEED CALLS: processes and threads make random system calls with arguments that
 * are nearly right. The first process looks on: rounds of children that it ends after a while, and at the end everything must
 * be gone again: processes, and memory to what a tenth of the calls had left. For a partition only: it harms a real system. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static __thread unsigned long state;
static unsigned long next(unsigned long n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 20) % n;
}

/* System V memory and semaphores outlive who made them: by number and maker, who alone may take them away. */
enum { ipc_most = 4096 };
static struct {
    unsigned long calls, rounds, ipc_made;
    struct {
        int id;
        uid_t maker;
    } ipc[ipc_most];
    unsigned char bytes[5 * 4096] __attribute__((aligned(4096))); /* mapped, unmapped and moved by the calls */
} * shared;
static unsigned char* scratch; /* three pages, behind them nothing */
static const char* const paths[] = {"/tmp/a",
                                    "/tmp/b",
                                    "/tmp/d",
                                    "/tmp/d/x",
                                    "/dev/null",
                                    "/dev/zero",
                                    "/dev/shm/s",
                                    "/proc/self/status",
                                    "/proc/self/maps",
                                    "/proc/self/fd/3",
                                    "/proc/self/task",
                                    "/tmp",
                                    "/",
                                    "",
                                    ".",
                                    "..",
                                    "/dev/ptmx",
                                    "/dev/pts/0",
                                    "/etc/passwd",
                                    "/proc/self/exe",
                                    "/tmp/link",
                                    "/bin/fuzz_calls_musl_static",
                                    "/proc/stat",
                                    "/sys/fs/cgroup/pids.max",
                                    "/proc/self/mem",
                                    "/tmp/fifo"};

static unsigned long pointer(void) {
    switch (next(12)) {
    case 0:
        return 0;
    case 1:
        return ~0ul - next(4096);
    case 2:
        return 0xFFFF800000000000ul + (next(1 << 20) << 12);
    case 3:
        return (unsigned long)scratch + 3 * 4096 - next(64); /* across the end */
    case 4:
        return 0x00007FFFFFFFF000ul - next(3) * 8;
    case 5:
    case 6:
        return (unsigned long)paths[next(sizeof paths / sizeof *paths)];
    default:
        return (unsigned long)scratch + next(2 * 4096) / 8 * 8;
    }
}

static unsigned long word(void) {
    static const unsigned long edges[] = {
        0,    1,        2,     3,          4,          7,          8,
        16,   64,       100,   511,        512,        1000,       4095,
        4096, 4097,     65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF,
        ~0ul, ~0ul - 99};
    switch (next(6)) {
    case 0:
        return edges[next(sizeof edges / sizeof *edges)];
    case 1:
        return 1ul << next(34);
    case 2:
        return (1ul << next(20)) | (1ul << next(20));
    case 3:
        return (unsigned long)getpid() + next(4) - 1;
    default:
        return next(24); /* descriptors, signals, small counts */
    }
}

/* What would end the round for nothing, wait for ever uninterruptibly by design, or reach the first process. */
static int left_out(long number) {
    switch (number) {
    case SYS_exit_group:
    case SYS_exit:
    case SYS_pause:
    case SYS_rt_sigsuspend:
    case SYS_rt_sigreturn:
    case SYS_vfork: /* its child would run on this stack */
    case SYS_sethostname:
        return 1;
    default:
        return 0;
    }
}

static void note_ipc(int id) {
    const unsigned long place = __atomic_fetch_add(&shared->ipc_made, 1, __ATOMIC_RELAXED) % ipc_most;
    shared->ipc[place].id = id;
    shared->ipc[place].maker = geteuid();
}

static void* live(void* argument);

static void fill(void) {
    for (unsigned i = 0; i < 24; i++)
        ((unsigned long*)scratch)[next(1024)] = next(3) ? word() : pointer();
}

static void step(int depth) {
    static const short numbers[] = {0,  1,  2,  3,  5,  7,  8,  9,  10, 11, 12, 13, 14, 16, 17,
                                    18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
                                    33, 35, 36, 37, 38, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
                                    50, 51, 52, 53, 54, 55, 61, 62, 63, 64, 65, 66, 67};
    __atomic_add_fetch(&shared->calls, 1, __ATOMIC_RELAXED);
    const unsigned long kind = next(100);
    if (kind < 2 && depth < 3) {
        if (syscall(SYS_fork) == 0) {
            state ^= (unsigned long)getpid() * 0x9E3779B97F4A7C15ul;
            for (unsigned long i = next(60); i > 0; i--)
                step(depth + 1);
            _exit((int)next(256));
        }
        return;
    }
    if (kind == 2) {
        pthread_t thread;
        if (pthread_create(&thread, 0, live, (void*)(next(~0u) | 1)) == 0)
            pthread_detach(thread);
        return;
    }
    if (kind == 3 && depth > 0 && next(4) == 0) {
        char* const words[] = {"fuzz_calls", "child", 0};
        execv(paths[21], words);
        return;
    }
    if (kind < 12)
        fill();
    const long number = kind < 55 ? numbers[next(sizeof numbers / sizeof *numbers)] : (long)next(452);
    if (left_out(number))
        return;
    unsigned long a[6];
    for (int i = 0; i < 6; i++)
        a[i] = next(5) < 2 ? pointer() : word();
    if (a[0] == 1 || (int)a[0] == 1)
        a[0] = 2; /* not the first process */
    if (number == SYS_clone || number == SYS_clone3 || number == SYS_fork)
        return; /* a child on a random stack: above there is a better one */
    if ((number == SYS_munmap || number == SYS_mmap || number == SYS_mremap || number == SYS_mprotect ||
         number == SYS_madvise) &&
        a[0] > 0x10000 && a[0] < 0x800000000000) { /* not its own code and stack, all the time */
        const unsigned long page = next(5);
        a[0] = (unsigned long)shared->bytes + page * 4096 + (next(8) == 0 ? next(4096) : 0);
        if (next(8))
            a[1] = 1 + next((5 - page) * 4096);
    }
    const long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if ((number == SYS_shmget || number == SYS_semget) && result >= 0)
        note_ipc((int)result);
}

static void* live(void* argument) {
    state = (unsigned long)argument;
    for (unsigned long i = next(40); i > 0; i--)
        step(2);
    return 0;
}

static void run_round(unsigned long seed, unsigned long calls) {
    state = seed * 0x9E3779B97F4A7C15ul | 1;
    const int none = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(none, i);
    setpgid(0, 0);
    chdir("/tmp");
    if (next(2))
        setuid(1000);
    for (int i = 1; i < 32; i++)
        if (next(2))
            signal(i, SIG_IGN);
    const struct itimerval often = {{0, 20000}, {0, 20000}};
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &often, 0);
    for (unsigned long i = 0; i < calls; i++)
        step(0);
    _exit(0);
}

static int take_away(const char* path, const struct stat* status, int kind, struct FTW* where) {
    (void)status, (void)kind;
    if (where->level > 0)
        remove(path);
    return 0;
}

static void clean(void) {
    kill(-1, SIGKILL);
    while (waitpid(-1, 0, __WALL) > 0 || errno == EINTR)
        ;
    nftw("/tmp", take_away, 16, FTW_DEPTH | FTW_PHYS);
    nftw("/dev/shm", take_away, 16, FTW_DEPTH | FTW_PHYS);
    mkdir("/tmp", 01777); /* root may have taken it away */
    truncate("/etc/passwd", 0);
    for (unsigned long i = 0; i < shared->ipc_made && i < ipc_most; i++)
        if (seteuid(shared->ipc[i].maker) == 0) { /* root has no CAP_SYS_ADMIN here */
            shmctl(shared->ipc[i].id, IPC_RMID, 0), semctl(shared->ipc[i].id, 0, IPC_RMID);
            seteuid(0);
        }
    shared->ipc_made = 0;
}

static long number_in(const char* path, const char* name, int separator) {
    char text[2048] = "";
    const int file = open(path, O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) < 0)
        return -1;
    close(file);
    const char* at = strstr(text, name);
    at = at ? strchr(at, separator) : 0;
    return at ? atol(at + 1) : -1;
}

static void rounds(unsigned long seed, unsigned long calls) {
    const unsigned long end = shared->calls + calls;
    while (shared->calls < end) {
        const unsigned long before = shared->calls;
        const int child = fork();
        if (child == 0)
            run_round(seed + ++shared->rounds, 2000);
        /* It ends by itself, or waits for something that never comes. */
        for (int i = 0; i < 400 && waitpid(child, 0, WNOHANG) == 0; i++)
            nanosleep(&(struct timespec){0, 5000000}, 0);
        if (shared->calls == before)
            shared->calls++;
        clean();
    }
}

int main(int argc, char** argv) {
    if (argc < 3)
        return 0; /* what a round executes */
    shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    scratch = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(scratch + 3 * 4096, 4096);
    memset(scratch, 0, 3 * 4096);
    for (int i = 1; i < 32; i++)
        if (i != SIGCHLD)
            signal(i, SIG_IGN);
    const unsigned long seed = strtoul(argv[1], 0, 0), calls = strtoul(argv[2], 0, 0);
    rounds(seed, calls / 10);
    const long tasks = number_in("/proc/loadavg", " ", '/'),
               memory = number_in("/proc/meminfo", "MemFree:", ':');
    rounds(seed ^ 0x100000, calls - calls / 10);
    const long more = number_in("/proc/loadavg", " ", '/') - tasks,
               lost = memory - number_in("/proc/meminfo", "MemFree:", ':');
    printf("%s calls\n", shared->calls >= calls ? argv[2] : "TOO FEW");
    printf("processes %ld more\n", more);
    if (lost > 1024)
        printf("LOST %ld KiB\n", lost);
    else
        printf("memory back\n");
    return more != 0 || lost > 1024;
}
