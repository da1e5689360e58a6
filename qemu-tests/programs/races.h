/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/races.h - what races.c and races_files.c share. Every part of them checks what must hold whatever the order was:
 * nothing is lost, torn, seen twice or left behind. The same lines on any number of CPUs.
 *
 * PROGRAM [TIMES [PART]]: each part so often over (default 1); one part alone */
#pragma once
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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

enum { page = 4096, threads_most = 8 };

static inline void fail(const char* what) {
    printf("FAILED: %s (errno %d)\n", what, errno);
    fflush(stdout);
    _exit(1);
}
static inline void check(int good, const char* what) {
    if (!good)
        fail(what);
}
static __thread uint32_t dice;
static inline uint32_t throw_dice(uint32_t n) {
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 16) % n;
}

struct crew {
    pthread_t threads[threads_most];
    int count;
};
static inline void join_in(struct crew* crew, void* (*work)(void*), intptr_t argument) {
    check(pthread_create(&crew->threads[crew->count++], NULL, work, (void*)argument) == 0, "pthread_create");
}
static inline void all_end(struct crew* crew) {
    for (int i = 0; i < crew->count; ++i)
        pthread_join(crew->threads[i], NULL);
    crew->count = 0;
}
static atomic_int stop;

struct part {
    const char* name;
    void (*run)(void);
};
static inline void run_parts(const struct part* parts, unsigned count, int argc, char** argv) {
    const int times = argc > 1 ? atoi(argv[1]) : 1;
    for (const struct part* part = parts; part < parts + count; ++part) {
        if (argc > 2 && strcmp(argv[2], part->name) != 0)
            continue;
        for (int i = 0; i < times; ++i)
            part->run();
        puts(part->name);
        fflush(stdout);
    }
}
