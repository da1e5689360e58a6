/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/pi_futex.c - Mutexes that hand over to whoever waits, owners that die, circles; waiting for several words. */
#include "qemu-tests/linux/check.h"
static pthread_mutex_t one, two;
static int counter;
static int words[4];
static void* adds(void* a) {
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&one);
        const int seen = counter;
        if (i % 10 == 0)
            sched_yield();
        counter = seen + 1;
        pthread_mutex_unlock(&one);
    }
    return a;
}
static void* dies(void* a) {
    pthread_mutex_lock(&one);
    sleep_ms((long)a);
    return 0;
}
static void* holds(void* a) {
    pthread_mutex_lock(&one);
    sleep_ms((long)a);
    pthread_mutex_unlock(&one);
    return 0;
}
static void* circle(void* a) {
    pthread_mutex_lock(&two);
    pthread_mutex_lock(&one);
    pthread_mutex_unlock(&one);
    pthread_mutex_unlock(&two);
    return a;
}
static void* wakes(void* a) {
    sleep_ms(50);
    return (void*)syscall(SYS_futex, &words[(long)a], 1 | 128, 1, 0, 0, 0);
}
static void make(pthread_mutex_t* mutex, int type, int robust) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    printf("protocol %d\n", pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    pthread_mutexattr_settype(&attributes, type);
    if (robust)
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
}
struct wanted {
    uint64_t value, address;
    uint32_t flags, reserved;
};
int main(void) {
    pthread_t threads[4];
    make(&one, PTHREAD_MUTEX_NORMAL, 0);
    pthread_mutex_lock(&one);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], 0, adds, 0);
    sleep_ms(50);
    VALUE(counter);
    pthread_mutex_unlock(&one);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], 0);
    VALUE(counter);
    TITLE("time");
    pthread_create(&threads[0], 0, holds, (void*)200l);
    sleep_ms(50);
    VALUE(pthread_mutex_trylock(&one) == EBUSY);
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 50000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    long long before = now_ms();
    VALUE(pthread_mutex_timedlock(&one, &at) == ETIMEDOUT);
    printf("%s\n", about(now_ms() - before, 50));
    VALUE(pthread_mutex_lock(&one));
    VALUE(pthread_mutex_unlock(&one));
    pthread_join(threads[0], 0);
    TITLE("owners that die");
    make(&one, PTHREAD_MUTEX_NORMAL, 1);
    pthread_create(&threads[0], 0, dies, (void*)0l);
    pthread_join(threads[0], 0);
    VALUE(pthread_mutex_lock(&one) == EOWNERDEAD);
    VALUE(pthread_mutex_consistent(&one));
    VALUE(pthread_mutex_unlock(&one));
    pthread_create(&threads[0], 0, dies, (void*)100l);
    sleep_ms(50);
    VALUE(pthread_mutex_lock(&one) == EOWNERDEAD);
    VALUE(pthread_mutex_consistent(&one));
    VALUE(pthread_mutex_unlock(&one));
    pthread_join(threads[0], 0);
    TITLE("a circle");
    make(&one, PTHREAD_MUTEX_ERRORCHECK, 0);
    make(&two, PTHREAD_MUTEX_ERRORCHECK, 0);
    pthread_mutex_lock(&one);
    VALUE(pthread_mutex_lock(&one) == EDEADLK);
    pthread_create(&threads[0], 0, circle, 0);
    sleep_ms(50);
    VALUE(pthread_mutex_trylock(&two) == EBUSY);
    int word = 0;
    CALL(syscall(SYS_futex, &word, 7 | 128, 0, 0, 0, 0));
    word = 0x3fffff;
    CALL(syscall(SYS_futex, &word, 6 | 128, 0, 0, 0, 0));
    CALL(syscall(SYS_futex, &word, 6 | 128 | 256, 0, 0, 0, 0));
    word = 0x40000000;
    CALL(syscall(SYS_futex, &word, 8 | 128, 0, 0, 0, 0));
    VALUE(word == (0x40000000 | (int)syscall(SYS_gettid)));
    CALL(syscall(SYS_futex, &word, 7 | 128, 0, 0, 0, 0));
    pthread_mutex_unlock(&one);
    pthread_join(threads[0], 0);
    TITLE("several words");
    struct wanted wanted[3];
    for (int i = 0; i < 3; i++)
        wanted[i] = (struct wanted){0, (uint64_t)&words[i], 2 | 128, 0};
    for (long i = 0; i < 3; i++) {
        pthread_create(&threads[0], 0, wakes, (void*)i);
        CALL(syscall(449, wanted, 3, 0, 0, 0));
        pthread_join(threads[0], 0);
    }
    words[1] = 5;
    CALL(syscall(449, wanted, 3, 0, 0, 0));
    words[1] = 0;
    clock_gettime(CLOCK_MONOTONIC, &at);
    CALL(syscall(449, wanted, 3, 0, &at, CLOCK_MONOTONIC));
    CALL(syscall(449, wanted, 3, 0, &at, CLOCK_BOOTTIME));
    CALL(syscall(449, wanted, 3, 1, 0, 0));
    CALL(syscall(449, wanted, 129, 0, 0, 0));
    CALL(syscall(449, 8, 1, 0, 0, 0));
    wanted[1].flags = 128;
    CALL(syscall(449, wanted, 3, 0, 0, 0));
    wanted[1].flags = 2 | 1024;
    CALL(syscall(449, wanted, 3, 0, 0, 0));
    wanted[1].flags = 2;
    wanted[1].address++;
    CALL(syscall(449, wanted, 3, 0, 0, 0));
    return 0;
}
