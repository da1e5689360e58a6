/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/threads.c - mutexes, condition variables, barriers, thread-local storage, joins; the
 * same line every time. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { thread_count = 8, rounds = 500 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long total;
static int turn;
static __thread int own;

static void* work(void* argument) {
    const int index = *(int*)argument;
    for (int i = 0; i < rounds; ++i) {
        pthread_mutex_lock(&lock);
        ++total;
        if (i % 16 == 0)
            sched_yield();
        pthread_mutex_unlock(&lock);
        own += index;
    }
    pthread_barrier_wait(&barrier);
    /* one after the other, by condition variable */
    pthread_mutex_lock(&lock);
    while (turn != index)
        pthread_cond_wait(&turn_changed, &lock);
    ++turn;
    pthread_cond_broadcast(&turn_changed);
    pthread_mutex_unlock(&lock);
    int* result = malloc(sizeof *result);
    *result = own;
    return result;
}

int main(void) {
    pthread_t threads[thread_count];
    int indices[thread_count];
    long sum = 0;
    pthread_barrier_init(&barrier, NULL, thread_count);
    for (int i = 0; i < thread_count; ++i) {
        indices[i] = i;
        if (pthread_create(&threads[i], NULL, work, &indices[i]) != 0)
            return 1;
    }
    for (int i = 0; i < thread_count; ++i) {
        void* result;
        pthread_join(threads[i], &result);
        sum += *(int*)result;
        free(result);
    }
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_nsec += 5000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        ++deadline.tv_sec;
    }
    pthread_mutex_lock(&lock);
    const int waited = pthread_cond_timedwait(&turn_changed, &lock, &deadline);
    pthread_mutex_unlock(&lock);
    printf("threads: total=%ld turn=%d sum=%ld timed_out=%d\n", total, turn, sum, waited != 0);
    return total == (long)thread_count * rounds ? 0 : 1;
}
