/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/bench/calls.c - instructions of one system call or fault each (the TSC under -icount shift=0), for `caisson bench` and, as
 * the first process of a Linux kernel, for what stands beside it (linux_figures.py). Lines: "@@ CALL name instructions". */
#include "qemu-tests/linux/check.h"
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
static inline uint64_t tsc(void) {
    unsigned a, d;
    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    return (uint64_t)d << 32 | a;
}
/* The mean of `count` times, after ten that fill what is filled once. */
#define EACH(name, count, statement)                                                                         \
    do {                                                                                                     \
        for (long i = 0; i < 10 && i < (count); i++) {                                                       \
            statement;                                                                                       \
        }                                                                                                    \
        const uint64_t start_ = tsc();                                                                       \
        for (long i = 0; i < (count); i++) {                                                                 \
            statement;                                                                                       \
        }                                                                                                    \
        print(name, (tsc() - start_) / (count));                                                             \
    } while (0)
/* A statement that does it `count` times by itself. */
#define ONCE(name, count, statement)                                                                         \
    do {                                                                                                     \
        const uint64_t start_ = tsc();                                                                       \
        statement;                                                                                           \
        print(name, (tsc() - start_) / (count));                                                             \
    } while (0)
static void print(const char* name, uint64_t each) {
    printf("@@ CALL %s %llu\n", name, (unsigned long long)each);
}
static int a[2], b[2];
static int rounds = 2000;
static volatile int stop;
static int fw;
static void* pong(void* x) {
    char c;
    for (int i = 0; i < rounds; i++) {
        read(a[0], &c, 1);
        write(b[1], &c, 1);
    }
    return 0;
}
static void* echo(void* x) {
    const int s = *(int*)x;
    static char part[16384];
    for (ssize_t got; (got = read(s, part, sizeof part)) > 0;)
        write(s, part, got);
    return 0;
}
/* Two ends of a connection over the loopback, which Linux has switched off at first. */
static struct sockaddr_in loopback = {.sin_family = AF_INET};
static int listener(void) {
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    ioctl(s, SIOCSIFFLAGS, &lo);
    loopback.sin_port = htons(7000);
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(s, (struct sockaddr*)&loopback, sizeof loopback);
    listen(s, 10);
    return s;
}
static void move(int from, int to, char* bytes, size_t count) {
    write(from, bytes, count);
    for (size_t got = 0; got < count;)
        got += read(to, bytes, count - got);
}
static void* yl(void* x) {
    while (!stop)
        syscall(SYS_sched_yield);
    return 0;
}
static void* fp(void* x) {
    for (int i = 0; i < rounds; i++) {
        while (__atomic_load_n(&fw, 5) != 1)
            syscall(SYS_futex, &fw, 128, 0, 0, 0, 0);
        __atomic_store_n(&fw, 0, 5);
        syscall(SYS_futex, &fw, 129, 1, 0, 0, 0);
    }
    return 0;
}
static void h(int s) {}
static void* nul(void* x) {
    return 0;
}
static int exec_child(int c, char** v) { // the execve row: argv = name, rounds left, start
    char left[32];
    const int rounds_left = atoi(v[1]);
    if (rounds_left == 0) {
        print("execve", (tsc() - strtoull(v[2], 0, 10)) / 100);
        return 0;
    }
    snprintf(left, sizeof left, "%d", rounds_left - 1);
    char* again[] = {v[0], left, v[2], 0};
    (void)c;
    execv("/proc/self/exe", again);
    return 1;
}
/* A child of its own memory, or of ours until it has a program, and its end. */
static void run_child(int with_program) {
    int status;
    char* words[] = {"calls", "end", 0};
    const int child = with_program ? vfork() : fork();
    if (child == 0) {
        if (with_program)
            execv("/proc/self/exe", words);
        _exit(0);
    }
    waitpid(child, &status, 0);
}
static void processes(void) {
    EACH("fork_exit_wait", 200, run_child(0));
    EACH("vfork_exec_wait", 200, run_child(1));
    char x;
    int there[2], back[2];
    pipe(there), pipe(back);
    const int partner = fork();
    if (partner == 0) {
        while (read(there[0], &x, 1) == 1 && x == 'x')
            write(back[1], &x, 1);
        _exit(0);
    }
    ONCE(
        "process_round", rounds, for (int i = 0; i < rounds; i++) {
            write(there[1], "x", 1);
            read(back[0], &x, 1);
        });
    write(there[1], "e", 1);
    waitpid(partner, 0, 0);
    const size_t pages = 100 << 8; /* 100 MiB */
    char* m = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(m, pages * 4096, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < pages; i++)
        m[i * 4096] = 1;
    EACH("spawn_of_100_mib", 100, run_child(1));
    EACH("fork_of_100_mib", 20, run_child(0));
    const int sharer = fork();
    if (sharer == 0) {
        read(there[0], &x, 1);
        _exit(0);
    }
    ONCE("write_after_fork", 2048, for (size_t i = 0; i < 2048; i++) m[i * 4096] = 2);
    write(there[1], "e", 1);
    waitpid(sharer, 0, 0);
    munmap(m, pages * 4096);
    for (int i = 0; i < 2; i++)
        close(there[i]), close(back[i]);
}
int main(int c, char** v) {
    if (c == 3)
        return exec_child(c, v);
    if (c == 2 && strcmp(v[1], "getppid") == 0) { /* beside a policy */
        EACH("getppid", 10000, syscall(SYS_getppid));
        return 0;
    }
    if (c == 2)
        return 0; /* a child's program */
    if (getpid() == 1 && access("/proc/self", F_OK) != 0) {
        mkdir("/proc", 0555);
        mount("proc", "/proc", "proc", 0, 0);
        mkdir("/tmp", 01777);
    }
    char buf[65536];
    EACH("getppid", 10000, syscall(SYS_getppid));
    EACH("clock_gettime_vdso", 10000, ({
             struct timespec t;
             clock_gettime(CLOCK_MONOTONIC, &t);
         }));
    EACH("clock_gettime", 10000, ({
             struct timespec t;
             syscall(SYS_clock_gettime, 1, &t);
         }));
    size_t N = 4096;
    char* m = mmap(0, N * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(m, N * 4096, MADV_NOHUGEPAGE);
    ONCE("fault_anonymous_write", N, for (size_t i = 0; i < N; i++) m[i * 4096] = 1);
    ONCE("munmap_page", N, munmap(m, N * 4096));
    m = mmap(0, N * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(m, N * 4096, MADV_NOHUGEPAGE);
    ONCE("fault_anonymous_read", N, for (size_t i = 0; i < N; i++)(void)((volatile char*)m)[i * 4096]);
    ONCE("fault_write_after_read", N, for (size_t i = 0; i < N; i++) m[i * 4096] = 1);
    munmap(m, N * 4096);
    int f = open("/bigfile", O_RDONLY);
    struct stat st;
    fstat(f, &st);
    size_t fpages = st.st_size / 4096;
    for (off_t o = 0; o < st.st_size; o += 65536)
        pread(f, buf, 65536, o);
    m = mmap(0, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
    ONCE("fault_file_read", fpages, for (size_t i = 0; i < fpages; i++)(void)((volatile char*)m)[i * 4096]);
    ONCE("fault_file_copy", fpages, for (size_t i = 0; i < fpages; i++) m[i * 4096] = 1);
    munmap(m, st.st_size);
    m = mmap(0, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
    ONCE("fault_file_write", fpages, for (size_t i = 0; i < fpages; i++) m[i * 4096] = 1);
    munmap(m, st.st_size);
    EACH("pread_4096", 4000, pread(f, buf, 4096, (i % fpages) * 4096));
    EACH("pread_1", 4000, pread(f, buf, 1, (i % fpages) * 4096));
    EACH("pread_65536", 300, pread(f, buf, 65536, (i % 8) * 65536));
    int w = open("/tmp/bench", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < 256; i++)
        write(w, buf, 4096);
    EACH("pread_4096_written", 4000, pread(w, buf, 4096, (i % 256) * 4096));
    EACH("pwrite_4096", 4000, pwrite(w, buf, 4096, (i % 256) * 4096));
    EACH("pwrite_1", 4000, pwrite(w, buf, 1, (i % 256) * 4096));
    ONCE("write_4096_new", 256, for (int i = 0; i < 256; i++) pwrite(w, buf, 4096, (1000 + i) * 4096l));
    EACH("open_close", 3000, close(open("/etc/data", O_RDONLY)));
    EACH("stat_6_components", 3000, stat("/a/b/c/d/e/file", &st));
    EACH("fstat", 5000, fstat(f, &st));
    EACH("lseek", 5000, lseek(f, 0, SEEK_SET));
    EACH("create_unlink", 1000, ({
             close(open("/tmp/cu", O_CREAT | O_WRONLY, 0600));
             unlink("/tmp/cu");
         }));
    pipe(a);
    pipe(b);
    EACH("pipe_1", 4000, ({
             char x;
             write(a[1], "x", 1);
             read(a[0], &x, 1);
         }));
    EACH("pipe_4096", 2000, ({
             write(a[1], buf, 4096);
             read(a[0], buf, 4096);
         }));
    pthread_t t;
    pthread_create(&t, 0, pong, 0);
    sleep_ms(2);
    char x;
    ONCE(
        "pipe_round", rounds, for (int i = 0; i < rounds; i++) {
            write(a[1], "x", 1);
            read(b[0], &x, 1);
        });
    pthread_join(t, 0);
    const int server = listener();
    for (int kind = 0; kind < 2; kind++) {
        int v[2];
        static char much[16384];
        if (kind) {
            v[0] = socket(AF_INET, SOCK_STREAM, 0);
            connect(v[0], (struct sockaddr*)&loopback, sizeof loopback);
            v[1] = accept(server, 0, 0);
        } else {
            socketpair(AF_UNIX, SOCK_STREAM, 0, v);
        }
        EACH(kind ? "tcp_1" : "local_1", 3000, move(v[0], v[1], much, 1));
        EACH(kind ? "tcp_16k" : "local_16k", 500, move(v[0], v[1], much, sizeof much));
        pthread_create(&t, 0, echo, &v[1]);
        sleep_ms(2);
        ONCE(
            kind ? "tcp_round" : "local_round", rounds, for (int i = 0; i < rounds; i++) {
                write(v[0], much, 1);
                read(v[0], much, 1);
            });
        ONCE(
            kind ? "tcp_round_16k" : "local_round_16k", 300, for (int i = 0; i < 300; i++) {
                write(v[0], much, sizeof much);
                for (size_t got = 0; got < sizeof much;)
                    got += read(v[0], much, sizeof much - got);
            });
        shutdown(v[0], SHUT_WR);
        pthread_join(t, 0);
        close(v[0]);
        close(v[1]);
    }
    EACH("tcp_connect", 300, ({
             const int c = socket(AF_INET, SOCK_STREAM, 0);
             connect(c, (struct sockaddr*)&loopback, sizeof loopback);
             close(accept(server, 0, 0));
             close(c);
         }));
    pthread_create(&t, 0, fp, 0);
    sleep_ms(2);
    ONCE(
        "futex_round", rounds, for (int i = 0; i < rounds; i++) {
            __atomic_store_n(&fw, 1, 5);
            syscall(SYS_futex, &fw, 129, 1, 0, 0, 0);
            while (__atomic_load_n(&fw, 5) != 0)
                syscall(SYS_futex, &fw, 128, 1, 0, 0, 0);
        });
    pthread_join(t, 0);
    pthread_create(&t, 0, yl, 0);
    sleep_ms(2);
    ONCE("yield_round", rounds, for (int i = 0; i < rounds; i++) syscall(SYS_sched_yield));
    stop = 1;
    pthread_join(t, 0);
    EACH("thread_create_join", 300, ({
             pthread_t q;
             pthread_create(&q, 0, nul, 0);
             pthread_join(q, 0);
         }));
    signal(SIGUSR1, h);
    long tid = syscall(SYS_gettid), pid = getpid();
    EACH("signal_handler", 2000, syscall(SYS_tgkill, pid, tid, SIGUSR1));
    EACH("mmap_touch_munmap", 2000, ({
             char* q = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             *q = 1;
             munmap(q, 4096);
         }));
    m = mmap(0, 4 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    m[4096] = 1;
    EACH("mprotect_twice", 2000, ({
             mprotect(m + 4096, 4096, PROT_READ);
             mprotect(m + 4096, 4096, 3);
         }));
    struct pollfd pf = {a[0], POLLIN, 0};
    EACH("poll_1", 3000, poll(&pf, 1, 0));
    int e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN, {0}};
    epoll_ctl(e, EPOLL_CTL_ADD, a[0], &ev);
    write(a[1], "x", 1);
    EACH("epoll_1_of_1", 3000, epoll_wait(e, &ev, 1, 0));
    struct rlimit l = {4000, 4000};
    setrlimit(RLIMIT_NOFILE, &l);
    for (int i = 0; i < 500; i++) {
        int p[2];
        if (pipe(p))
            break;
        struct epoll_event q = {EPOLLIN, {0}};
        epoll_ctl(e, EPOLL_CTL_ADD, p[0], &q);
    }
    EACH("epoll_1_of_501", 300, epoll_wait(e, &ev, 1, 0));
    read(a[0], &x, 1);
    EACH("epoll_0_of_501", 300, epoll_wait(e, &ev, 1, 0));
    EACH("dup_close_501_watched", 300, close(dup(f)));
    EACH("open_close_501_watched", 300, close(open("/etc/data", O_RDONLY)));
    int many = epoll_create1(0), busy[2] = {-1, -1};
    for (int i = 0; i <= 1000; i++) { // the last one is busy
        busy[0] = socket(AF_INET, SOCK_STREAM, 0);
        connect(busy[0], (struct sockaddr*)&loopback, sizeof loopback);
        busy[1] = accept(server, 0, 0);
        epoll_ctl(many, EPOLL_CTL_ADD, busy[1], &ev);
    }
    EACH("epoll_busy_of_1001", 1000, ({
             write(busy[0], "x", 1);
             epoll_wait(many, &ev, 1, -1);
             read(busy[1], &x, 1);
         }));
    syscall(SYS_close_range, many, ~0u, 0);
    struct timespec z = {0, 0};
    EACH("nanosleep_0", 1000, nanosleep(&z, 0));
    EACH("getrandom_16", 2000, syscall(SYS_getrandom, buf, 16, 0));
    EACH("getrandom_4096", 300, syscall(SYS_getrandom, buf, 4096, 0));
    EACH("write_null", 3000, ({
             static int n = -1;
             if (n < 0)
                 n = open("/dev/null", O_WRONLY);
             write(n, "x", 1);
         }));
    mkdir("/tmp/dd", 0755);
    int n = 2000;
    ONCE(
        "create_many", n, for (int i = 0; i < n; i++) {
            sprintf(buf, "/tmp/dd/%d", i);
            close(open(buf, O_CREAT | O_WRONLY, 0600));
        });
    int d = open("/tmp/dd", O_RDONLY);
    ONCE("getdents_name", n, while (syscall(SYS_getdents64, d, buf, 32768) > 0));
    syscall(SYS_close_range, 3, ~0u, 0); /* what a program at its start has: a thousand descriptors are another measurement */
    processes();
    char start[32];
    snprintf(start, sizeof start, "%llu", (unsigned long long)tsc());
    char* again[] = {v[0], "99", start, 0};
    execv("/proc/self/exe", again);
    return 1;
}
