// SPDX-License-Identifier: Apache-2.0
// qemu-tests/scaling/work.c - the same work by four, however many CPUs there are: on a Linux kernel and in a container, static.
// Each kind lies between two marks (marks.h), their numbers from 1 on. What is done is checked.
#define _GNU_SOURCE
#include "qemu-tests/scaling/marks.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { workers = 4, page = 4096 };

static void fail(const char* what) {
    perror(what);
    exit(1);
}

static void computes(int me) {
    uint64_t state = (uint64_t)me + 1;
    for (int i = 0; i < 500000; ++i)
        state = (state ^ state >> 13) * 0x9E3779B97F4A7C15;
    if (state == 0)
        fail("computing");
}

static void computes_and_calls(int me) {
    char name[32], data[page];
    snprintf(name, sizeof(name), "/tmp/mixed%d", me);
    memset(data, me, sizeof(data));
    for (int i = 0; i < 70; ++i) {
        uint64_t state = (uint64_t)i + 1;
        for (int k = 0; k < 3000; ++k)
            state = (state ^ state >> 13) * 0x9E3779B97F4A7C15;
        const int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (state == 0 || write(file, data, sizeof(data)) != page || pread(file, data, sizeof(data), 0) != page || close(file) != 0)
            fail("mixed");
    }
}

static void opens(int me) {
    char name[32], byte = 1;
    snprintf(name, sizeof(name), "/tmp/opened%d", me);
    for (int i = 0; i < 200; ++i) {
        const int file = open(name, O_RDWR | O_CREAT, 0600);
        if (write(file, &byte, 1) != 1 || pread(file, &byte, 1, 0) != 1 || close(file) != 0)
            fail("files");
    }
}

static void maps(int me) {
    (void)me;
    for (int i = 0; i < 6; ++i) {
        unsigned char* memory = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            fail("mmap");
        for (int k = 0; k < 64; ++k)
            memory[k * page] = 1;
        if (munmap(memory, 64 * page) != 0)
            fail("munmap");
    }
}

static void echoes(int in, int to, int first) {
    char byte = 1;
    for (int i = 0; i < 150; ++i) {
        if (first && write(to, &byte, 1) != 1)
            fail("write");
        if (read(in, &byte, 1) != 1)
            fail("read");
        if (!first && write(to, &byte, 1) != 1)
            fail("write");
    }
}

static void plays(int me) {
    int there[2], back[2];
    (void)me;
    if (pipe(there) != 0 || pipe(back) != 0)
        fail("pipe");
    const pid_t other = fork();
    if (other == 0) {
        echoes(there[0], back[1], 0);
        _exit(0);
    }
    echoes(back[0], there[1], 1);
    int status = 1;
    if (waitpid(other, &status, 0) != other || status != 0)
        fail("its partner");
}

static void sends(int me) {
    int pair[2];
    char data[256] = {0};
    (void)me;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        fail("socketpair");
    for (int i = 0; i < 300; ++i)
        if (write(pair[0], data, sizeof(data)) != sizeof(data) || read(pair[1], data, sizeof(data)) != sizeof(data))
            fail("socket");
}

static void forks(int me) {
    (void)me;
    for (int i = 0; i < 10; ++i) {
        const pid_t child = fork();
        int status = 1;
        if (child == 0)
            _exit(0);
        if (waitpid(child, &status, 0) != child || status != 0)
            fail("a child");
    }
}

static void (*of_threads)(int);

static void* thread(void* me) {
    of_threads((int)(intptr_t)me);
    return NULL;
}

static void by_threads(void (*work)(int)) {
    pthread_t threads[workers];
    of_threads = work;
    for (intptr_t i = 0; i < workers; ++i)
        if (pthread_create(&threads[i], NULL, thread, (void*)i) != 0)
            fail("pthread_create");
    for (int i = 0; i < workers; ++i)
        pthread_join(threads[i], NULL);
}

static void by_processes(void (*work)(int)) {
    for (int i = 0; i < workers; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            work(i);
            _exit(0);
        }
        if (child < 0)
            fail("fork");
    }
    for (int i = 0; i < workers; ++i) {
        int status = 1;
        if (wait(&status) < 0 || status != 0)
            fail("a worker");
    }
}

int main(void) {
    mkdir("/tmp", 0777);
#define MEASURE(number, work) MARK_NOP(0x5CA15500 + number); work; MARK_NOP(0x5CA15500)
    MEASURE(1, by_threads(computes));
    MEASURE(2, by_processes(computes));
    MEASURE(3, by_processes(computes_and_calls));
    MEASURE(4, by_processes(opens));
    MEASURE(5, by_processes(maps));
    MEASURE(6, by_threads(maps));
    MEASURE(7, by_processes(plays));
    MEASURE(8, by_processes(sends));
    MEASURE(9, by_processes(forks));
    printf("@@ end\n");
    return 0;
}
