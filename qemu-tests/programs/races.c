/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/races.c - threads and processes at once at mappings, children, futexes, signals, waits, /proc, exec and ends
 * (races.h). */
#include "qemu-tests/programs/races.h"

#include <poll.h>
#include <setjmp.h>

/* Mappings: made, taken away and protected while others touch them. A byte is 0, or what its page was given. */
enum { arena_pages = 32 };
static volatile unsigned char* arena;
static __thread sigjmp_buf back;
static void skip(int number) {
    (void)number;
    siglongjmp(back, 1);
}
static void* touch_arena(void* argument) {
    dice = (uint32_t)(intptr_t)argument;
    while (!atomic_load(&stop)) {
        if (sigsetjmp(back, 1) != 0)
            continue;
        for (int i = 0; i < 200 && !atomic_load(&stop); ++i) {
            const unsigned at = throw_dice(arena_pages);
            const unsigned char seen = arena[at * page + throw_dice(page)];
            check(seen == 0 || seen == at + 1, "a byte of another page");
            arena[at * page + throw_dice(page)] = (unsigned char)(at + 1);
        }
    }
    return NULL;
}
static void* change_arena(void* argument) {
    dice = (uint32_t)(intptr_t)argument;
    for (int i = 0; i < 250; ++i) {
        const unsigned at = throw_dice(arena_pages), pages = 1 + throw_dice(arena_pages - at);
        unsigned char* start = (unsigned char*)arena + at * page;
        switch (throw_dice(5)) {
        case 0:
            munmap(start, pages * page);
            break;
        case 1:
            check(mprotect(start, pages * page, PROT_READ) == 0 || errno == ENOMEM, "mprotect");
            break;
        case 2:
            check(madvise(start, pages * page, MADV_DONTNEED) == 0 || errno == ENOMEM, "madvise");
            break;
        default:
            check(mmap(start, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == start, "mmap");
        }
    }
    return NULL;
}
static void mappings(void) {
    struct crew changers = {.count = 0}, users = {.count = 0};
    struct sigaction action = {.sa_handler = skip};
    sigaction(SIGSEGV, &action, NULL);
    arena = mmap(NULL, arena_pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    atomic_store(&stop, 0);
    for (int i = 1; i <= 2; ++i) {
        join_in(&users, touch_arena, i);
        join_in(&changers, change_arena, 100 + i);
    }
    all_end(&changers);
    atomic_store(&stop, 1);
    all_end(&users);
    munmap((void*)arena, arena_pages * page);
    signal(SIGSEGV, SIG_DFL);
}

/* Children of a process whose other threads fault new pages in: each page of a child is whole, and the parent loses nothing. */
static volatile unsigned* cells;
static void* fill_cells(void* unused) {
    (void)unused;
    for (unsigned lap = 1; !atomic_load(&stop); ++lap) {
        for (int at = 0; at < 16 && !atomic_load(&stop); ++at) {
            cells[at * 1024 + 1023] = lap;
            cells[at * 1024] = lap;
            check(cells[at * 1024 + 1023] == lap && cells[at * 1024] == lap, "a write is gone");
        }
        madvise((void*)cells, 8 * page, MADV_DONTNEED);
    }
    return NULL;
}
static void children(void) {
    struct crew crew = {.count = 0};
    cells = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    atomic_store(&stop, 0);
    join_in(&crew, fill_cells, 0);
    for (int i = 0; i < 30; ++i) {
        const pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            unsigned before[16];
            for (int at = 0; at < 16; ++at)
                before[at] = cells[at * 1024];
            sched_yield();
            for (int at = 0; at < 16; ++at)
                if (cells[at * 1024] != before[at])
                    _exit(1);
            for (int at = 8; at < 16; ++at) /* the last is written first */
                if (cells[at * 1024 + 1023] != before[at] && cells[at * 1024 + 1023] != before[at] + 1)
                    _exit(2);
            _exit(0);
        }
        int status = 0;
        check(waitpid(child, &status, 0) == child && status == 0, "a child's pages");
    }
    atomic_store(&stop, 1);
    all_end(&crew);
    munmap((void*)cells, 16 * page);
}

/* Futexes: those who wait are moved to another word and woken there; nobody stays behind. */
static atomic_uint word, other_word;
static atomic_int waiting, gone;
static void* wait_at_word(void* unused) {
    (void)unused;
    for (unsigned lap = 0; lap < 60; ++lap) {
        atomic_fetch_add(&waiting, 1);
        while (atomic_load(&word) == lap)
            syscall(SYS_futex, &word, 0x80, lap, NULL, NULL, 0);
        atomic_fetch_add(&gone, 1);
    }
    return NULL;
}
static void futexes(void) {
    struct crew crew = {.count = 0};
    atomic_store(&word, 0), atomic_store(&other_word, 0), atomic_store(&waiting, 0), atomic_store(&gone, 0);
    for (int i = 0; i < 4; ++i)
        join_in(&crew, wait_at_word, 0);
    for (unsigned lap = 0; lap < 60; ++lap) {
        while (atomic_load(&waiting) < 4 * (int)(lap + 1))
            sched_yield();
        atomic_fetch_add(&word, 1);
        while (syscall(SYS_futex, &word, 0x84 /* CMP_REQUEUE */, 1, (void*)8, &other_word, lap + 1) < 0)
            check(errno == EAGAIN, "requeue");
        while (atomic_load(&gone) < 4 * (int)(lap + 1)) {
            syscall(SYS_futex, &other_word, 0x81, 100, NULL, NULL, 0);
            syscall(SYS_futex, &word, 0x81, 100, NULL, NULL, 0);
            sched_yield();
        }
    }
    all_end(&crew);
}

/* Signals with values to one thread from several: each comes once, in its sender's order. */
static int last_value[3];
static atomic_int received;
static void take_value(int number, siginfo_t* information, void* unused) {
    (void)number, (void)unused;
    const int value = information->si_value.sival_int;
    check(value % 1000 == last_value[value / 1000] + 1, "a signal is lost or comes twice");
    last_value[value / 1000] = value % 1000;
    atomic_fetch_add(&received, 1);
}
static void* send_values(void* argument) {
    const int base = (int)(intptr_t)argument * 1000;
    for (int i = 1; i <= 100; ++i)
        while (sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = base + i}) != 0) {
            check(errno == EAGAIN, "sigqueue");
            sched_yield();
        }
    return NULL;
}
static void* spin(void* unused) {
    (void)unused;
    while (!atomic_load(&stop))
        getppid();
    return NULL;
}
static void queued_signals(void) {
    struct crew senders = {.count = 0}, others = {.count = 0};
    struct sigaction action = {.sa_sigaction = take_value, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t one;
    memset(last_value, 0, sizeof last_value);
    atomic_store(&received, 0), atomic_store(&stop, 0);
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + 1);
    pthread_sigmask(SIG_BLOCK, &one, NULL); /* this thread alone takes them */
    join_in(&others, spin, 0);
    for (int i = 0; i < 3; ++i)
        join_in(&senders, send_values, i);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    while (atomic_load(&received) < 300)
        getppid();
    all_end(&senders);
    atomic_store(&stop, 1);
    all_end(&others);
}

/* /proc of processes and threads that come, go and change their memory meanwhile. */
static void* read_proc(void* argument) {
    static const char* const names[] = {"maps", "smaps", "stat", "status", "statm", "cmdline", "limits", "fd", "task"};
    dice = (uint32_t)(intptr_t)argument;
    while (!atomic_load(&stop)) {
        char path[64], text[512];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)(1 + throw_dice(8)), names[throw_dice(9)]);
        const int file = open(path, O_RDONLY);
        while (file >= 0 && read(file, text, sizeof text) > 0)
            ;
        close(file);
        DIR* all = opendir(throw_dice(2) ? "/proc" : "/proc/self/task");
        while (all != NULL && readdir(all) != NULL)
            ;
        closedir(all);
    }
    return NULL;
}
static void* come_and_go(void* unused) {
    (void)unused;
    munmap(mmap(NULL, 5 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 5 * page);
    return NULL;
}
static void proc_readers(void) {
    struct crew readers = {.count = 0}, crew = {.count = 0};
    atomic_store(&stop, 0);
    for (int i = 1; i <= 2; ++i)
        join_in(&readers, read_proc, i);
    for (int i = 0; i < 15; ++i) {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        for (int k = 0; k < 4; ++k)
            join_in(&crew, come_and_go, 0);
        all_end(&crew);
        check(waitpid(child, NULL, 0) == child, "waitpid");
    }
    atomic_store(&stop, 1);
    all_end(&readers);
}

/* Children that several threads wait for: each is found once. */
static atomic_int reaped;
static void* reap(void* unused) {
    (void)unused;
    while (atomic_load(&reaped) < 40)
        if (waitpid(-1, NULL, WNOHANG) > 0)
            atomic_fetch_add(&reaped, 1);
        else
            sched_yield();
    return NULL;
}
static void* breed(void* unused) {
    (void)unused;
    for (int i = 0; i < 20; ++i) {
        const pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0)
            _exit(0);
    }
    return NULL;
}
static void reapers(void) {
    struct crew crew = {.count = 0};
    atomic_store(&reaped, 0);
    for (int i = 0; i < 2; ++i) {
        join_in(&crew, reap, 0);
        join_in(&crew, breed, 0);
    }
    all_end(&crew);
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD && atomic_load(&reaped) == 40, "a child is left");
}

/* A process with threads in every kind of call goes over to another program, or ends. */
static int quiet_pipe[2];
static void* be_somewhere(void* argument) {
    char byte = 0;
    switch ((intptr_t)argument) {
    case 0:
        return (void*)read(quiet_pipe[0], &byte, 1);
    case 1:
        poll(NULL, 0, -1);
        return NULL;
    case 2:
        for (;;)
            getppid();
    case 3:
        for (volatile unsigned i = 0;; ++i)
            ;
    case 4:
        for (;;)
            munmap(mmap(NULL, page, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), page);
    default:
        for (;;)
            syscall(SYS_futex, &word, 0x80, atomic_load(&word), NULL, NULL, 0);
    }
}
static void* end_all(void* unused) {
    (void)unused;
    _exit(30);
}
static const char* self;
static void ends(void) {
    check(pipe(quiet_pipe) == 0, "pipe");
    for (int i = 0; i < 9; ++i) {
        const pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            struct crew crew = {.count = 0};
            for (int k = 0; k < 6; ++k)
                join_in(&crew, be_somewhere, k);
            if (i % 3 == 0)
                execl(self, self, "end", NULL);
            for (int k = 0; k < 2; ++k) /* two at once; one says how it ends */
                join_in(&crew, i % 3 == 1 ? end_all : be_somewhere, 2);
            all_end(&crew);
        }
        int status = 0;
        if (i % 3 == 2) {
            nanosleep(&(struct timespec){0, 1000000}, NULL);
            kill(child, SIGTERM);
        }
        check(waitpid(child, &status, 0) == child, "waitpid");
        check(status == (i % 3 == 0 ? 0x0900 : i % 3 == 1 ? 30 << 8 : SIGTERM), "how it ended");
    }
    close(quiet_pipe[0]), close(quiet_pipe[1]);
}

int main(int argc, char** argv) {
    static const struct part parts[] = {{"mappings", mappings}, {"children", children}, {"futexes", futexes}, {"signals", queued_signals},
                                        {"/proc", proc_readers}, {"reapers", reapers},  {"ends", ends}};
    if (argc > 1 && strcmp(argv[1], "end") == 0)
        return 9;
    self = argv[0];
    run_parts(parts, sizeof parts / sizeof *parts, argc, argv);
    return 0;
}
