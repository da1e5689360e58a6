/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/storm.c - many processes at once: to the limit of a user, zombies, trees of orphans, stopping and
 * continuing against ends, exec against signals. After each everything is as before: the number of processes, and in a
 * partition the free memory, to a few pages. */
#include "qemu-tests/linux/check.h"
static int status;
static long field(const char* path, const char* name) {
    char line[256];
    long value = -1;
    FILE* f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            sscanf(line + strlen(name), "%ld", &value);
    if (f)
        fclose(f);
    return value;
}
static long tasks(void) {
    char line[128] = "";
    FILE* f = fopen("/proc/loadavg", "r");
    fgets(line, sizeof line, f);
    fclose(f);
    return atol(strchr(line, '/') + 1);
}
static int ours; /* a partition: nobody else uses its memory */
static long free_before, tasks_before;
static void begin(const char* what) {
    TITLE(what);
    if (ours) {
        free_before = field("/proc/meminfo", "MemFree:");
        tasks_before = tasks();
    }
}
static void all_back(void) {
    while (waitpid(-1, &status, 0) > 0)
        ;
    long lost = 0, more = 0;
    if (ours) {
        lost = free_before - field("/proc/meminfo", "MemFree:");
        more = tasks() - tasks_before;
    }
    printf("%s\n", more == 0 ? "all processes gone" : "PROCESSES ARE LEFT");
    if (lost > 64)
        printf("LOST %ld KiB\n", lost);
    else
        printf("all memory back\n");
}
static int idle(void) {
    const int p = fork();
    if (p == 0)
        for (;;)
            pause();
    return p;
}
static unsigned seed = 1;
static unsigned next(unsigned n) {
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}
static void tree(int depth) {
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            if (depth > 0)
                tree(depth - 1);
            _exit(0);
        }
}
static void* nothing(void* argument) { return argument; }
int main(int argc, char** argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 1;
    char version[128] = "";
    FILE* f = fopen("/proc/version", "r");
    fgets(version, sizeof version, f);
    fclose(f);
    ours = strstr(version, "caisson") != 0;
    /* what is made once is made before it is counted */
    for (int i = 0; i < 8; i++)
        idle();
    kill(-1, SIGKILL);
    while (waitpid(-1, &status, 0) > 0)
        ;
    for (int round = 0; round < rounds; round++) {
        begin("as many as a user may have");
        int p = fork();
        if (p == 0) {
            setpgid(0, 0);
            struct rlimit limit = {40, 40};
            setrlimit(RLIMIT_NPROC, &limit);
            setuid(1000);
            int made = 0;
            while (idle() > 0)
                made++;
            printf("%d, then %s\n", made, ename(errno));
            pthread_t thread;
            VALUE(pthread_create(&thread, 0, nothing, 0));
            kill(0, SIGKILL);
        }
        all_back();
        begin("zombies count");
        p = fork();
        if (p == 0) {
            struct rlimit limit = {20, 20};
            setrlimit(RLIMIT_NPROC, &limit);
            setuid(1001);
            int made = 0;
            for (int q = fork(); q >= 0; q = fork()) {
                if (q == 0)
                    _exit(0);
                made++;
            }
            printf("%d, then %s\n", made, ename(errno));
            int gone = 0;
            while (waitpid(-1, &status, 0) > 0)
                gone++;
            VALUE(gone == made);
            const int last = fork();
            if (last == 0)
                _exit(0);
            VALUE(last > 0);
            _exit(0);
        }
        all_back();
        begin("a tree of orphans");
        if (fork() == 0) {
            tree(4);
            _exit(0);
        }
        all_back();
        char* big = malloc(1 << 20);
        memset(big, 1, 1 << 20);
        begin("memory of many children");
        for (int i = 0; i < 12; i++)
            if (fork() == 0) {
                memset(big, 2, 1 << 19);
                _exit(0);
            }
        all_back();
        free(big);
        begin("stop and continue against ends");
        for (int i = 0; i < 60; i++) {
            const int q = fork();
            if (q == 0) {
                for (unsigned volatile n = 0; n < 2000; n++)
                    ;
                _exit(0);
            }
            const int signals[] = {SIGSTOP, SIGCONT, SIGTSTP, SIGSTOP, SIGCONT};
            for (unsigned n = next(6); n > 0; n--)
                kill(q, signals[next(5)]);
            if (next(2))
                waitpid(q, &status, WUNTRACED | WNOHANG);
            kill(q, SIGCONT);
            if (next(2))
                kill(q, SIGKILL);
        }
        all_back();
        begin("exec against signals");
        for (int i = 0; i < 12; i++) {
            const int q = next(2) ? fork() : vfork();
            if (q == 0) {
                execl("/bin/sh", "sh", "-c", "exit 0", (char*)0);
                _exit(1);
            }
            if (next(2))
                kill(q, SIGKILL);
        }
        all_back();
        begin("pipes, files and shared memory that children leave open");
        for (int i = 0; i < 20; i++)
            if (fork() == 0) {
                int ends[2];
                for (int n = 0; n < 10; n++)
                    pipe(ends);
                char* mine = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                memset(mine, 1, 1 << 16);
                if (fork() == 0)
                    mine[0] = 2;
                pthread_t thread;
                pthread_create(&thread, 0, nothing, 0);
                alarm(100);
                _exit(0);
            }
        all_back();
    }
    return 0;
}
