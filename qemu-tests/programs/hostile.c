/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/hostile.c - hostile WAY: a program that takes all it can get of one kind. It says how each ends: with the error
 * that Linux has for it, and everything usable again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* name(int error) {
    return error == EAGAIN         ? "EAGAIN"
           : error == ENOMEM       ? "ENOMEM"
           : error == EMFILE       ? "EMFILE"
           : error == ENFILE       ? "ENFILE"
           : error == E2BIG        ? "E2BIG"
           : error == ENAMETOOLONG ? "ENAMETOOLONG"
           : error == ENOSPC       ? "ENOSPC"
           : error == ECHILD       ? "ECHILD"
                                   : strerror(error);
}

static void all_gone(void) {
    kill(-1, SIGKILL);
    while (waitpid(-1, 0, 0) > 0)
        ;
    const int p = fork();
    if (p == 0)
        _exit(7);
    int status = 0;
    waitpid(p, &status, 0);
    printf("again: %d\n", WEXITSTATUS(status));
}

/* Children that fork as long as it goes. */
static void fork_bomb(void) {
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            for (;;)
                if (fork() < 0)
                    sched_yield();
    struct timespec while_ = {0, 300000000};
    nanosleep(&while_, 0);
    int failed = 0;
    for (int i = 0; i < 50; i++) {
        const int p = fork();
        if (p == 0)
            _exit(0);
        failed += p < 0 && errno == EAGAIN;
    }
    printf("EAGAIN %s\n", failed > 0 ? "came" : "DID NOT COME");
    for (int i = 0; i < 20; i++) { /* whoever is born while the others die */
        kill(-1, SIGKILL);
        sched_yield();
    }
    all_gone();
}

static void zombies(void) {
    int made = 0, p;
    while ((p = fork()) >= 0) {
        if (p == 0)
            _exit(0);
        made++;
    }
    printf("%d zombies, then %s\n", made, name(errno));
    all_gone();
}

static void descriptors(void) {
    int made = 0;
    while (dup(1) >= 0)
        made++;
    printf("%d, then %s\n", made, name(errno));
    const struct rlimit more = {1 << 20, 1 << 20};
    printf("more allowed: %d\n", setrlimit(RLIMIT_NOFILE, &more));
    int ends[2];
    while (pipe(ends) == 0)
        made += 2;
    const int error = errno;
    printf("%s, then %s\n", made > 10000 ? "thousands" : "FEW",
           error == ENFILE || error == ENOMEM ? "no room" : name(error));
    for (int i = 3; i < 1 << 20; i++)
        close(i);
    printf("pipe: %d\n", pipe(ends));
}

static void mappings(void) {
    int status;
    if (fork() == 0) {
        char* p =
            mmap(0, 1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        for (long i = 0; p != MAP_FAILED && i < 1 << 30; i += 4096) /* more than there is: who does it ends */
            p[i] = 1;
        _exit(0);
    }
    wait(&status);
    printf("who took all memory: %s\n",
           WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "killed" : "NOT KILLED");
    long made = 0;
    for (;; made++)
        if (mmap(0, 4096, made % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) == MAP_FAILED)
            break;
    printf("%s, then %s\n",
           made > 65530   ? "MORE THAN max_map_count"
           : made > 60000 ? "as many as max_map_count"
                          : "FEW",
           name(errno));
}

static volatile long taken;
static void take(int number) {
    (void)number;
    taken++;
}
static void signals(void) {
    const int me = getpid();
    signal(SIGUSR1, take);
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            for (;;)
                kill(me, i ? SIGUSR1 : SIGRTMIN + i);
    signal(SIGRTMIN, take);
    struct timespec while_ = {0, 100000000};
    while (taken < 2000)
        nanosleep(&while_, 0);
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(-1, SIGKILL);
    while (waitpid(-1, 0, 0) > 0)
        ;
    struct rlimit most;
    getrlimit(RLIMIT_SIGPENDING, &most);
    long queued = 0;
    const union sigval value = {0};
    while (queued < 1000000 && sigqueue(me, SIGRTMIN + 2, value) == 0)
        queued++;
    printf("taken, and queued until %s\n",
           queued == 1000000               ? "NEVER"
           : queued > (long)most.rlim_cur ? "MORE THAN ALLOWED"
                                           : name(errno));
}

static void deep(void) {
    long depth = 0;
    while (mkdir("d", 0700) == 0 && chdir("d") == 0)
        depth++;
    printf("%s deep, then %s\n", depth > 1000 ? "thousands" : "LITTLE", name(errno));
    char path[8192];
    memset(path, 'x', sizeof path);
    path[300] = 0;
    printf("a long name: %s\n", open(path, O_CREAT, 0600) < 0 ? name(errno) : "MADE");
    memset(path, '/', sizeof path);
    path[5000] = 0;
    printf("a long path: %s\n", open(path, O_RDONLY) < 0 ? name(errno) : "OPENED");
    printf("getcwd: %s\n", getcwd(path, 4096)                         ? "FITS"
                           : errno == ERANGE || errno == ENAMETOOLONG ? "does not fit"
                                                                      : name(errno));
}

static void arguments(void) {
    static char* words[300000];
    static char word[200000];
    memset(word, 'a', sizeof word - 1);
    words[0] = "x", words[1] = word;
    execv("/proc/self/exe", words);
    printf("a long word: %s\n", name(errno));
    word[100] = 0;
    for (int i = 0; i < 299999; i++)
        words[i] = word;
    execv("/proc/self/exe", words);
    printf("many words: %s\n", name(errno));
}

/* Trees whose every parent ends before its child: all of them become this process's, none stays a zombie, and the numbers go round. */
static void orphans(void) {
    long ended = 0;
    int status, leaves = 0;
    for (int tree = 0; tree < 40; tree++) {
        if (fork() == 0) {
            for (int depth = 0; depth < 25; depth++)
                if (fork() > 0)
                    _exit(0);
            _exit(3);
        }
        while (waitpid(-1, &status, 0) > 0)
            ended++, leaves += WEXITSTATUS(status) == 3;
    }
    printf("%ld ended here, %d leaves, then %s\n", ended, leaves, name(errno));
    all_gone();
}

static volatile sig_atomic_t stops_seen;
static void child_changed(int number) {
    (void)number;
    stops_seen++;
}
/* Processes that stop, continue and kill each other all the time: every one can still be waited for, and ends when told to. */
static void stops(void) {
    enum { count = 8 };
    int pids[count];
    signal(SIGCHLD, child_changed);
    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            unsigned seed = (unsigned)i * 7919 + 1;
            for (;;) {
                seed = seed * 1103515245 + 12345;
                const int whom =
                    getpid() - i + (int)(seed >> 16) % count; /* numbers are given in order here */
                sched_yield();
                if (whom != getpid())
                    kill(whom, seed >> 8 & 1 ? SIGSTOP : SIGCONT);
            }
        }
    }
    long stopped = 0, continued = 0;
    for (int i = 0; i < 20000 && (stopped <= 30 || continued <= 30); i++) {
        int status;
        for (int w = 0; w < count; w++)
            kill(pids[w], (i + w) % 3 ? SIGCONT : SIGSTOP);
        const struct timespec while_ = {0, 100000};
        nanosleep(&while_, 0);
        int p;
        while ((p = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
            stopped += WIFSTOPPED(status), continued += WIFCONTINUED(status);
    }
    printf("%s, %s, %s\n", stopped > 30 ? "stopped" : "NOT STOPPED",
           continued > 30 ? "continued" : "NOT CONTINUED", stops_seen > 30 ? "told" : "NOT TOLD");
    for (int i = 0; i < count; i++)
        kill(pids[i], SIGSTOP);
    int killed = 0, status;
    for (int i = 0; i < count; i++) { /* a stopped process dies too, without SIGCONT */
        kill(pids[i], SIGKILL);
        while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
            ;
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    printf("%d killed\n", killed);
    signal(SIGCHLD, SIG_DFL);
    all_gone();
}

/* Not hostile: computes around the fifth second after the start, when the load averages look for the first time. */
static void load(void) {
    const struct timespec before = {4, 900000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, 0);
    struct timespec now;
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec < 5 || now.tv_nsec < 50000000);
    char averages[15] = "";
    FILE* file = fopen("/proc/loadavg", "r");
    if (file)
        fgets(averages, sizeof averages, file);
    puts(averages);
}

/* A neighbour that works and sleeps until the others are done. Its exits are its own: as many beside them as alone. */
static void calm(void) {
    volatile unsigned long work = 0;
    for (int turn = 0; turn < 400; turn++) {
        for (int i = 0; i < 20000; i++)
            work += (unsigned)i;
        const struct timespec rest = {0, 12000000};
        nanosleep(&rest, 0);
    }
    printf("calm\n");
}

int main(int argc, char** argv) {
    const char* way = argc > 1 ? argv[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    if (!strcmp(way, "bomb"))
        fork_bomb();
    else if (!strcmp(way, "zombies"))
        zombies();
    else if (!strcmp(way, "descriptors"))
        descriptors();
    else if (!strcmp(way, "mappings"))
        mappings();
    else if (!strcmp(way, "signals"))
        signals();
    else if (!strcmp(way, "deep"))
        deep();
    else if (!strcmp(way, "arguments"))
        arguments();
    else if (!strcmp(way, "load"))
        load();
    else if (!strcmp(way, "orphans"))
        orphans();
    else if (!strcmp(way, "stops"))
        stops();
    else
        calm();
    return 0;
}
