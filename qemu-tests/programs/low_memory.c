// SPDX-License-Identifier: Apache-2.0
// qemu-tests/programs/low_memory.c - the kernel with next to no memory: at 63 levels, from no free page to a hundred, everything that
// a program can ask for is asked for. Each call may fail, with an error that says so; nothing else may happen. When all is given back, as much
// is free as before.
//
//   low_memory          the levels; the program's own memory is touched before, so that only the kernel runs out
//   low_memory LEVEL    one level, then touches pages until the kernel ends it (status 137)
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { page = 4096, levels = 63, most_pages = 100, filler_pages = 16384 };
static char* filler;
static long filled;
static char buffer[64 * 1024], stack_memory[32 * 1024];
static unsigned long calls, refusals;

static long free_pages(void) {
    struct sysinfo info;
    sysinfo(&info);
    return (long)(info.freeram * info.mem_unit / page);
}

static void wrong(const char* what, long result, int error) {
    printf("%s gave %ld, error %d (%s)\n", what, result, error, strerror(error));
    fflush(stdout);
    exit(1);
}

// A call works, or says that there is no memory (or room: a file system's is memory too).
#define ASK(call)                                                                                            \
    ({                                                                                                       \
        errno = 0;                                                                                           \
        const long result_ = (long)(call);                                                                   \
        ++calls;                                                                                             \
        if (result_ == -1) {                                                                                 \
            ++refusals;                                                                                      \
            if (errno != ENOMEM && errno != EAGAIN && errno != ENOSPC && errno != ENOBUFS &&                 \
                errno != EFAULT && errno != ENOSYS && errno != ENFILE)                                       \
                wrong(#call, result_, errno);                                                                \
        }                                                                                                    \
        result_;                                                                                             \
    })

static void nothing(int number) {
    (void)number;
}

static int child(void* argument) {
    (void)argument;
    return 0;
}

static void files(void) {
    char name[64], target[2000];
    memset(target, 't', sizeof target - 1);
    target[sizeof target - 1] = '\0';
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "/tmp/d%d", i);
        if (ASK(mkdir(name, 0700)) == 0)
            rmdir(name);
        snprintf(name, sizeof name, "/tmp/l%d", i);
        if (ASK(symlink(target, name)) == 0) {
            ASK(readlink(name, buffer, sizeof buffer));
            unlink(name);
        }
        snprintf(name, sizeof name, "/tmp/f%d", i);
        const int file = (int)ASK(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        if (file < 0)
            continue;
        ASK(pwrite(file, buffer, 3 * page, i * page));
        ASK(pwrite(file, "x", 1, (long)i << 30));
        ASK(ftruncate(file, 5 * page));
        char* map = (char*)ASK(mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
        ASK(pread(file, buffer, 4 * page, 0));
        if (map != MAP_FAILED) {
            ASK(madvise(map, 4 * page, 23)); // MADV_POPULATE_WRITE
            munmap(map, 4 * page);
        }
        close(file);
        unlink(name);
    }
    const int list = (int)ASK(open("/tmp", O_RDONLY | O_DIRECTORY));
    if (list >= 0) {
        ASK(syscall(SYS_getdents64, list, buffer, sizeof buffer));
        close(list);
    }
    for (const char* const* text = (const char* const[]){"/proc/self/maps", "/proc/meminfo",
                                                         "/proc/self/status", "/proc/self/cmdline", 0};
         *text; text++) {
        const int file = (int)ASK(open(*text, O_RDONLY));
        if (file < 0)
            continue;
        ASK(read(file, buffer, sizeof buffer));
        close(file);
    }
}

static void descriptors(void) {
    int made[200], count = 0, ends[2];
    const int epoll = (int)ASK(epoll_create1(0));
    while (count < 160) {
        const int one = (int)(count % 3 == 0   ? ASK(eventfd(0, EFD_NONBLOCK))
                              : count % 3 == 1 ? ASK(timerfd_create(CLOCK_MONOTONIC, 0))
                                               : ASK(syscall(SYS_memfd_create, "m", 0)));
        if (one < 0)
            break;
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll >= 0 && count % 3 != 2)
            ASK(epoll_ctl(epoll, EPOLL_CTL_ADD, one, &event));
        if (count % 3 == 1)
            ASK(timerfd_settime(one, 0, &(struct itimerspec){.it_value = {1000, 0}}, 0));
        made[count++] = one;
    }
    struct epoll_event ready[4];
    if (epoll >= 0)
        ASK(epoll_wait(epoll, ready, 4, 0));
    struct pollfd asked[200];
    for (int i = 0; i < count; i++)
        asked[i] = (struct pollfd){made[i], POLLIN, 0};
    ASK(poll(asked, (nfds_t)count, 0));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(0, &set);
    ASK(select(1, &set, 0, 0, &(struct timeval){0, 0}));
    if (ASK(pipe2(ends, O_NONBLOCK)) == 0) {
        ASK(write(ends[1], buffer, sizeof buffer));
        ASK(fcntl(ends[1], F_SETPIPE_SZ, 256 * 1024));
        ASK(write(ends[1], buffer, sizeof buffer));
        ASK(read(ends[0], buffer, sizeof buffer));
        close(ends[0]);
        close(ends[1]);
    }
    ASK(fcntl(2, F_DUPFD, 900)); // a table of descriptors that grows
    close(900);
    while (count > 0)
        close(made[--count]);
    if (epoll >= 0)
        close(epoll);
}

static void memory(void) {
    char* area = (char*)ASK(mmap(0, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (area != MAP_FAILED) {
        for (int i = 0; i < 64; i += 2)
            ASK(mprotect(area + i * page, page, PROT_READ));
        ASK(madvise(area, 64 * page, 22)); // MADV_POPULATE_READ
        munmap(area + 5 * page, page);     // cuts a range in two
        char* moved = (char*)ASK(mremap(area + 6 * page, 8 * page, 128 * page, MREMAP_MAYMOVE));
        if (moved != MAP_FAILED)
            munmap(moved, 128 * page);
        munmap(area, 64 * page);
    }
    char* shared = (char*)ASK(mmap(0, 16 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (shared != MAP_FAILED) {
        ASK(madvise(shared, 16 * page, 23));
        ASK(syscall(SYS_futex, shared, 1, 1, 0, 0, 0));
        munmap(shared, 16 * page);
    }
    char* far = (char*)ASK(mmap((void*)0x600000000000, page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0));
    if (far != MAP_FAILED)
        munmap(far, page);
    const long top = syscall(SYS_brk, 0);
    syscall(SYS_brk, top + 16 * page);
    syscall(SYS_brk, top);
}

static void threads_and_signals(void) {
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    for (int i = 0; i < 4; i++)
        if (ASK(clone(&child, stack_memory + sizeof stack_memory / 4 * (i + 1), flags, 0)) > 0)
            sched_yield();
    for (int i = 0; i < 4; i++)
        sched_yield();
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    for (int i = 0; i < 40; i++)
        ASK(sigqueue(getpid(), SIGRTMIN + i % 8, (union sigval){.sival_int = i}));
    ASK(kill(getpid(), SIGUSR1));
    timer_t timers[20];
    int made = 0;
    while (made < 20 && ASK(timer_create(CLOCK_MONOTONIC, 0, &timers[made])) == 0)
        ++made;
    while (made > 0)
        timer_delete(timers[--made]);
    ASK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {100, 0}}, 0));
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 0}}, 0);
    sigprocmask(SIG_SETMASK, &old, 0); // handlers run
    ASK(nanosleep(&(struct timespec){0, 1000}, 0));
    uint32_t word = 0;
    errno = 0;
    syscall(SYS_futex, &word, 0, 0, &(struct timespec){0, 1000}, 0, 0);
    static gid_t groups[2000];
    ASK(syscall(SYS_setgroups, 2000, groups));
    ASK(syscall(SYS_setgroups, 0, groups));
}

static void programs(void) {
    static char long_argument[20000];
    memset(long_argument, 'a', sizeof long_argument - 1);
    char* arguments[] = {"x", long_argument, long_argument, 0};
    ++calls;
    execve("/etc/not-there", arguments, arguments); // never runs; its arguments are copied first
    if (errno != ENOENT && errno != ENOMEM)
        wrong("execve", -1, errno);
    ++calls;
    execve("/etc/empty", arguments, arguments);
    if (errno != ENOEXEC && errno != ENOMEM && errno != EACCES && errno != ENOENT)
        wrong("execve", -1, errno);
    static struct iovec parts[1024];
    for (int i = 0; i < 1024; i++)
        parts[i] = (struct iovec){buffer, 1};
    const int null = (int)ASK(open("/dev/null", O_WRONLY));
    if (null >= 0) {
        ASK(writev(null, parts, 1024));
        close(null);
    }
    ASK(getrandom(buffer, 5000, 0));
}

static void fill_to(long wanted) {
    while (filled < filler_pages && free_pages() > wanted)
        filler[filled++ * page] = 1;
}

int main(int count, char** arguments) {
    static char said[4096];
    setvbuf(stdout, said, _IOLBF, sizeof said);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024});
    for (int number = SIGRTMIN; number < SIGRTMIN + 8; number++)
        signal(number, &nothing);
    signal(SIGUSR1, &nothing);
    filler = mmap(0, (size_t)filler_pages * page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (long i = 0; i < filler_pages; i += 256) // tables and all: a page more costs a page
        filler[i * page] = 1;
    volatile char deep[48 * 1024];
    for (size_t i = 0; i < sizeof deep; i += page)
        deep[i] = 1;
    memset(buffer, 'b', sizeof buffer);
    memset(stack_memory, 1, sizeof stack_memory);
    struct {
        void (*run)(void);
    } parts[] = {{&files}, {&descriptors}, {&memory}, {&threads_and_signals}, {&programs}};
    const int part_count = sizeof parts / sizeof *parts;
    for (int i = 0; i < part_count; i++) // what is made once is made now
        parts[i].run();
    const int one = count > 1 ? atoi(arguments[1]) : -1;
    const long before = free_pages();
    for (int level = 0; level < levels; level++) {
        const long wanted = level * most_pages / (levels - 1);
        if (one >= 0 && one != level)
            continue;
        refusals = calls = 0;
        for (int i = 0; i < part_count; i++) {
            fill_to(wanted);
            parts[i].run();
        }
        if (one >= 0) {
            printf("level %d: %ld pages left\n", level, free_pages());
            fflush(stdout);
            for (;;)
                filler[filled++ % filler_pages * page] = 1;
        }
        madvise(filler, (size_t)filled * page, MADV_DONTNEED);
        for (long i = 0; i < filled; i += 256)
            filler[i * page] = 1;
        filled = 0;
        const long left = free_pages();
        if (level == 0 || level == levels - 1)
            printf("level %d: %s\n", level, refusals > 0 ? "some calls were refused" : "all calls went well");
        if (left < before - 8) {
            printf("level %d: %ld pages were free before, %ld are now\n", level, before, left);
            return 1;
        }
    }
    puts("63 levels");
    return 0;
}
