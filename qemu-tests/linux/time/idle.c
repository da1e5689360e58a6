/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/time/idle.c - Time asleep is not CPU time. */
#include "qemu-tests/linux/check.h"
int main(void) {
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    sleep_ms(400);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    printf("CPU time while asleep: %s\n", ms < 50 ? "none" : "counted");
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    VALUE(r.ru_utime.tv_usec < 300000);
    return 0;
}
