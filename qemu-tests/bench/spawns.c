/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/bench/spawns.c - instructions (the TSC under -icount shift=0) of starting programs that are linked dynamically, as shells and
 * servers do it: one by vfork and exec, one by posix_spawn from a process with 100 MiB, and one of 1,000 /bin/true of a shell's loop.
 * Lines: "@@ CALL name instructions". For process_figures.py. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
extern char** environ;
static uint64_t tsc(void) {
    unsigned a, d;
    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    return (uint64_t)d << 32 | a;
}
static char* const true_words[] = {"/bin/true", 0};
static void wait_for(int child) {
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        puts("a child FAILED");
        exit(1);
    }
}
static void by_vfork(void) {
    const int child = vfork();
    if (child == 0) {
        execv(true_words[0], true_words);
        _exit(127);
    }
    wait_for(child);
}
static void by_spawn(char* const* words) {
    int child = -1;
    if (posix_spawn(&child, words[0], 0, 0, words, environ) != 0)
        child = -1;
    wait_for(child);
}
int main(void) {
    enum { warm = 5, times = 100, loop = 1000 };
    setvbuf(stdout, 0, _IOLBF, 0);
    uint64_t start = 0;
    for (int i = -warm; i < times; i++) {
        if (i == 0)
            start = tsc();
        by_vfork();
    }
    printf("@@ CALL vfork_exec_dynamic %llu\n", (unsigned long long)(tsc() - start) / times);
    const size_t bytes = 100 << 20;
    char* memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
    for (int i = -warm; i < times; i++) {
        if (i == 0)
            start = tsc();
        by_spawn(true_words);
    }
    printf("@@ CALL spawn_dynamic_of_100_mib %llu\n", (unsigned long long)(tsc() - start) / times);
    munmap(memory, bytes);
    char* const words[] = {"/bin/dash", "-c", "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i + 1)); done",
                           0};
    start = tsc();
    by_spawn(words);
    printf("@@ CALL shell_loop_of_true %llu\n", (unsigned long long)(tsc() - start) / loop);
    puts("@@ end");
    return 0;
}
