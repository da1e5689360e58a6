/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/random.c - random SEED STEPS: processes and threads that do random things to each other and to
 * themselves. It prints nothing that depends on chance; that it ends, with the processes and the memory back, is the result. */
#include "qemu-tests/linux/check.h"
#include <sys/file.h>
static unsigned long state;
static unsigned next(unsigned n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % n;
}
static int* shared; /* [0]: calls made, by all */
static int kin[16], kin_count;
static int someone(void) {
    const unsigned which = next(10);
    if (which < 6 && kin_count > 0)
        return kin[next((unsigned)kin_count)];
    return which == 6 ? 0 : which == 7 ? getpid() : which == 8 ? (int)next(400) : getppid();
}
static void nothing(int number) { (void)number; }
static void* live(void* argument);
static void step(int depth) {
    const int mild[] = {0, SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGCONT, SIGALRM, SIGRTMIN};
    int status;
    siginfo_t info;
    __atomic_add_fetch(shared, 1, __ATOMIC_RELAXED);
    switch (next(34)) {
    case 0:
    case 1:
    case 2: {
        if (depth > 3 || kin_count >= 16)
            break;
        const int p = fork();
        if (p == 0) {
            kin_count = 0;
            state ^= (unsigned long)getpid() * 0x9E3779B97F4A7C15ul;
            for (unsigned i = next(40); i > 0; i--)
                step(depth + 1);
            _exit((int)next(256));
        }
        if (p > 0)
            kin[kin_count++] = p;
        break;
    }
    case 3:
    case 4: {
        const int p = vfork();
        if (p == 0) {
            if (state & 1)
                execl("/bin/sh", "sh", "-c", "exit 3", (char*)0);
            _exit(2);
        }
        if (p > 0 && kin_count < 16)
            kin[kin_count++] = p;
        break;
    }
    case 5:
    case 6:
    case 7: {
        const int p = waitpid(next(3) ? -1 : someone(), &status, WNOHANG | (next(2) ? WUNTRACED : 0) | (next(2) ? WCONTINUED : 0) |
                                                                     (next(2) ? __WALL : 0));
        for (int i = 0; p > 0 && i < kin_count; i++)
            if (kin[i] == p && (WIFEXITED(status) || WIFSIGNALED(status)))
                kin[i] = kin[--kin_count];
        break;
    }
    case 8:
        waitid((idtype_t)next(4), (id_t)someone(), &info, WNOHANG | (next(2) ? WEXITED : WSTOPPED) | (next(2) ? WNOWAIT : 0));
        break;
    case 9:
    case 10:
        kill(someone(), mild[next(10)]);
        if (kin_count > 0)
            kill(kin[next((unsigned)kin_count)], SIGCONT);
        break;
    case 11:
        if (kin_count > 0)
            kill(kin[next((unsigned)kin_count)], next(2) ? SIGKILL : SIGTERM);
        break;
    case 12:
        setpgid(someone(), someone());
        break;
    case 13:
        if (depth > 0)
            setsid();
        break;
    case 14: {
        const int fd = (int)syscall(434, someone(), 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, 0);
        syscall(424, fd, mild[next(10)], 0, 0);
        close(fd);
        break;
    }
    case 15: {
        int ends[2];
        char c = 0;
        if (pipe2(ends, O_NONBLOCK) == 0) {
            write(ends[1], &c, 1);
            read(ends[0], &c, 1);
            if (next(2))
                close(ends[0]);
            if (next(2))
                close(ends[1]);
        }
        if (next(4) == 0)
            syscall(SYS_close_range, 20, ~0u, 0);
        break;
    }
    case 16: {
        char* p = mmap(0, 32768, PROT_READ | PROT_WRITE, (next(2) ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            break;
        p[next(32768)] = 1;
        madvise(p, 4096 * next(8), next(2) ? MADV_DONTFORK : MADV_DONTNEED);
        mprotect(p + 4096 * next(8), 4096, (int)next(4));
        if (next(3))
            munmap(p, 32768);
        break;
    }
    case 17: {
        pthread_t thread;
        if (depth > 0 && pthread_create(&thread, 0, live, (void*)(long)next(20)) == 0)
            pthread_detach(thread);
        break;
    }
    case 18: {
        const struct itimerval soon = {{0, next(2) ? 1000 : 0}, {0, next(3000)}};
        setitimer((int)next(3), &soon, 0);
        break;
    }
    case 19:
        signal((int)next(32), next(3) ? nothing : SIG_IGN);
        signal(SIGCHLD, next(2) ? nothing : SIG_DFL);
        break;
    case 20:
        prctl(next(2) ? PR_SET_CHILD_SUBREAPER : PR_SET_PDEATHSIG, next(2) ? SIGCONT : 0);
        break;
    case 21:
        setpriority((int)next(3), (id_t)someone(), (int)next(20));
        break;
    case 22:
        syscall(SYS_tgkill, someone(), someone(), mild[next(4)]);
        break;
    case 23: {
        char path[64], text[256];
        const char* names[] = {"stat", "status", "maps", "cmdline", "limits", "comm", "fd/0", "smaps"};
        snprintf(path, sizeof path, "/proc/%d/%s", someone(), names[next(8)]);
        const int f = open(path, O_RDONLY | O_NONBLOCK);
        read(f, text, sizeof text);
        if (f > 2)
            close(f);
        break;
    }
    case 24:
        syscall(SYS_futex, shared + 1 + next(8), 1, 2, 0, 0, 0);
        break;
    case 25: {
        const struct timespec wait = {0, next(200000)};
        syscall(SYS_futex, shared + 1 + next(8), 0, 0, &wait, 0, 0);
        break;
    }
    case 26: {
        const int f = open("/tmp/locked", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct flock l = {.l_type = next(2) ? F_WRLCK : F_RDLCK, .l_start = next(10), .l_len = next(10)};
        fcntl(f, F_SETLK, &l);
        flock(f, LOCK_NB | (next(2) ? LOCK_EX : LOCK_UN));
        if (next(3))
            close(f);
        break;
    }
    case 27: {
        struct rlimit limit;
        syscall(SYS_prlimit64, someone(), next(16), 0, &limit);
        break;
    }
    case 28:
        syscall(SYS_clone, (unsigned long)(next(2) ? 0x10000000 : CLONE_SIGHAND) | SIGCHLD, 0, 0, 0, 0);
        break;
    case 29: {
        const int p = (int)syscall(SYS_clone, (next(2) ? CLONE_FILES : 0) | (next(2) ? CLONE_FS : 0) | (next(2) ? SIGCHLD : 0), 0, 0, 0, 0);
        if (p == 0)
            _exit(1);
        break;
    }
    case 30: {
        sigset_t set;
        sigfillset(&set);
        sigprocmask(next(2) ? SIG_BLOCK : SIG_UNBLOCK, &set, 0);
        sigprocmask(SIG_UNBLOCK, &set, 0);
        break;
    }
    default: {
        const struct timespec wait = {0, next(100000)};
        nanosleep(&wait, 0);
        break;
    }
    }
}
static void* live(void* argument) {
    for (long i = (long)argument; i > 0; i--) {
        __atomic_add_fetch(shared, 1, __ATOMIC_RELAXED);
        sched_yield();
    }
    return 0;
}
static long free_memory(void) {
    char line[128];
    long value = 0;
    FILE* f = fopen("/proc/meminfo", "r");
    while (fgets(line, sizeof line, f))
        sscanf(line, "MemFree: %ld", &value);
    fclose(f);
    return value;
}
int main(int argc, char** argv) {
    const unsigned long seed = argc > 1 ? strtoul(argv[1], 0, 0) : 1;
    const int steps = argc > 2 ? atoi(argv[2]) : 3000;
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char version[128] = "";
    FILE* f = fopen("/proc/version", "r");
    fgets(version, sizeof version, f);
    fclose(f);
    const int ours = strstr(version, "caisson") != 0;
    long before = 0, after = 0;
    for (int round = 0; round < 4; round++) {
        *shared = 0;
        while (*shared < steps / 4) {
            const int p = fork();
            if (p == 0) {
                setpgid(0, 0);
                state = seed * 0x9E3779B97F4A7C15ul + (unsigned long)*shared + (unsigned long)round * 77777 + 1;
                for (int i = 0; i < 200; i++)
                    step(1);
                kill(0, SIGKILL);
            }
            int status;
            for (int tries = 0; tries < 2000; tries++) {
                const int q = waitpid(-1, &status, WNOHANG);
                if (q < 0)
                    break;
                if (q == 0) {
                    sleep_ms(1);
                    if (tries > 100)
                        kill(-1, SIGKILL); /* whoever is left of it: stopped, asleep, in other sessions */
                }
            }
            kill(-1, SIGKILL);
            while (waitpid(-1, &status, __WALL) > 0)
                ;
        }
        after = free_memory();
        if (round == 0)
            before = after; /* what is made once is made */
    }
    printf("%s\n", ours && before - after > 128 ? "MEMORY IS LOST" : "all memory back");
    VALUE(waitpid(-1, 0, WNOHANG) < 0);
    if (ours && before - after > 128)
        printf("%ld KiB\n", before - after);
    return 0;
}
