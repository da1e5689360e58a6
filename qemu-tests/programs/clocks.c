/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/clocks.c - clocks run forward and sleeps last; prints only what must be the same
 * everywhere. */
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int main(void) {
    long long last = now(CLOCK_MONOTONIC);
    int forward = 1;
    for (int i = 0; i < 100000; ++i) {
        const long long next = now(CLOCK_MONOTONIC);
        forward &= next >= last;
        last = next;
    }
    printf("monotonic: %s\n", forward ? "forward" : "BACKWARD");
    struct timespec pause = {0, 20000000};
    const long long start = now(CLOCK_MONOTONIC);
    nanosleep(&pause, NULL);
    const long long slept = now(CLOCK_MONOTONIC) - start;
    printf("sleep: %s\n", slept >= 20000000 ? "long enough" : "TOO SHORT");
    struct timeval day;
    gettimeofday(&day, NULL);
    const long long real = now(CLOCK_REALTIME) / 1000000000;
    printf("real time: %s\n",
           real > 1700000000 && real - day.tv_sec <= 1 && time(NULL) - real <= 1 ? "plausible" : "WRONG");
    printf("cpu time: %s\n",
           now(CLOCK_PROCESS_CPUTIME_ID) > 0 && now(CLOCK_THREAD_CPUTIME_ID) > 0 ? "counted" : "ZERO");
    struct timespec resolution;
    clock_getres(CLOCK_MONOTONIC, &resolution);
    printf("resolution: %ld ns\n", resolution.tv_nsec);
    return 0;
}
