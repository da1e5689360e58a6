/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/long_calls.c - calls that change a million pages do not keep the CPU from other threads: the longest
 * time of its own that the caller runs between two looks of another thread on the same CPU. */
#include "qemu-tests/linux/check.h"
enum { file_pages = 4096, repeats = 256, most_ms = 15 };
static const long part = file_pages * 4096L;
static volatile int watching;
static clockid_t watched;
static long long longest, last;

static long long now_us(clockid_t clock) {
    struct timespec now;
    return clock_gettime(clock, &now) ? -1 : now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}
static void* watch(void* unused) {
    long long now;
    while (watching && (now = now_us(watched)) >= 0) {
        longest = now - last > longest ? now - last : longest;
        last = now;
        sched_yield();
    }
    return unused;
}
static void watch_during(clockid_t clock, pthread_t* watcher) {
    watched = clock;
    longest = 0;
    last = now_us(clock);
    watching = 1;
    pthread_create(watcher, 0, watch, 0);
    sleep_ms(2);
}
static void say(const char* what, pthread_t watcher) {
    watching = 0;
    pthread_join(watcher, 0);
    if (longest < most_ms * 1000)
        printf("%s: others run\n", what);
    else
        printf("%s: others waited %lld us, not about %d ms\n", what, longest, most_ms);
}
static char* fill(int file) {
    char* all = mmap(0, repeats * part, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int i = 0; i < repeats; i++) {
        char* b = mmap(all + i * part, part, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, 0);
        if (b == MAP_FAILED || *(volatile char*)b != 1)
            exit(1);
    }
    return all;
}
#define WATCHED(call)                                                                                        \
    do {                                                                                                     \
        pthread_t watcher_;                                                                                  \
        clockid_t own_;                                                                                      \
        pthread_getcpuclockid(pthread_self(), &own_);                                                        \
        watch_during(own_, &watcher_);                                                                       \
        const long result_ = (call);                                                                         \
        say(#call, watcher_);                                                                                \
        VALUE(result_);                                                                                      \
    } while (0)
static int fork_once(void) {
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0;
}
int main(void) {
    catch_faults();
    const int file = memfd_create("pages", 0);
    ftruncate(file, part);
    char* pages = mmap(0, part, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (long at = 0; at < part; at += 4096)
        pages[at] = 1;
    char* all = fill(file);
    WATCHED(mprotect(all, repeats * part, PROT_NONE));
    WATCHED(mprotect(all, repeats * part, PROT_READ));
    WATCHED(fork_once());
    VALUE(wait(0) > 0);
    WATCHED(madvise(all, repeats / 2 * part, MADV_DONTNEED));
    WATCHED(munmap(all, repeats * part));
    ACCESS(READ(all));
    int up[2], down[2];
    pipe(up);
    pipe(down);
    char c;
    const pid_t child = fork();
    if (child == 0) {
        fill(file);
        write(up[1], "x", 1);
        read(down[0], &c, 1);
        _exit(0);
    }
    read(up[0], &c, 1);
    clockid_t clock;
    pthread_t watcher;
    clock_getcpuclockid(child, &clock);
    watch_during(clock, &watcher);
    const long long before = now_us(clock);
    write(down[1], "x", 1);
    struct rusage used;
    VALUE(wait4(child, 0, 0, &used) == child);
    const long long total = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL +
                            used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    VALUE(total > before);
    longest = total - last > longest ? total - last : longest;
    say("exit", watcher);
    return 0;
}
