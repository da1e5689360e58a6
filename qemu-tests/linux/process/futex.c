/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/futex.c - Futexes: waking, requeueing, wake-op, timeouts, shared pages at two addresses. */
#include "qemu-tests/linux/check.h"
#define FX(a, op, v, t, b, c) syscall(SYS_futex, a, op, v, t, b, c)
static int w, w2;
static volatile int woken;
static void* waiter(void* a) {
    int bits = (long)a;
    long r = FX(&w, 9 | 128, 0, 0, 0, bits);
    if (r == 0)
        __sync_fetch_and_add(&woken, 1);
    return 0;
}
static void* sw(void* a) {
    return (void*)FX(a, 0, 0, 0, 0, 0);
}
static void mk(pthread_t* t, int n, long bits) {
    for (int i = 0; i < n; i++)
        pthread_create(t + i, 0, waiter, (void*)bits);
    sleep_ms(80);
}
int main(void) {
    int x = 1;
    struct timespec t = {0, 50000000}, z = {0, 0}, bad = {0, 1000000000}, neg = {-1, 0};
    CALL(FX(&x, 0 | 128, 0, 0, 0, 0));
    long long b = now_ms();
    CALL(FX(&x, 0 | 128, 1, &t, 0, 0));
    printf("%s\n", about(now_ms() - b, 50));
    CALL(FX(&x, 0 | 128, 1, &bad, 0, 0));
    CALL(FX(&x, 0 | 128, 1, &neg, 0, 0));
    CALL(FX(&x, 0 | 128, 1, &z, 0, 0));
    CALL(FX((char*)&x + 1, 0, 1, &z, 0, 0));
    CALL(FX((char*)&x + 1, 1, 1, 0, 0, 0));
    CALL(FX(8, 0, 1, &z, 0, 0));
    CALL(FX(8, 1, 1, 0, 0, 0));
    CALL(FX(8, 1 | 128, 1, 0, 0, 0));
    CALL(FX(0xffff800000000000, 1, 1, 0, 0, 0));
    CALL(FX(&x, 9 | 128, 1, &z, 0, 0));
    CALL(FX(&x, 10 | 128, 1, 0, 0, 0));
    CALL(FX(&x, 0 | 128 | 256, 1, &t, 0, 0));
    CALL(FX(&x, 1 | 128 | 256, 1, 0, 0, 0));
    CALL(FX(&x, 77, 1, 0, 0, 0));
    CALL(FX(&x, 6 | 128, 0, 0, 0, 0));
    {
        int pi = 0;
        CALL(FX(&pi, 6 | 128, 0, 0, 0, 0));
        VALUE(pi == syscall(SYS_gettid));
        CALL(FX(&pi, 7 | 128, 0, 0, 0, 0));
        VALUE(pi);
        CALL(FX(&pi, 8 | 128, 0, 0, 0, 0));
        CALL(FX(&pi, 13 | 128, 0, 0, 0, 0));
    }
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 60000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    b = now_ms();
    CALL(FX(&x, 9 | 128 | 256, 1, &at, 0, -1));
    printf("%s\n", about(now_ms() - b, 60));
    CALL(FX(&x, 9 | 128, 1, &z, 0, -1));
    pthread_t th[10];
    mk(th, 4, -1);
    CALL(FX(&w, 1 | 128, 0, 0, 0, 0));
    sleep_ms(50);
    VALUE(woken);
    CALL(FX(&w, 1 | 128, 2, 0, 0, 0));
    sleep_ms(50);
    VALUE(woken >= 2);
    CALL(FX(&w, 1 | 128, -1, 0, 0, 0));
    sleep_ms(50);
    CALL(FX(&w, 1 | 128, INT_MAX, 0, 0, 0));
    for (int i = 0; i < 4; i++)
        pthread_join(th[i], 0);
    woken = 0;
    mk(th, 2, 1);
    mk(th + 2, 3, 2);
    CALL(FX(&w, 10 | 128, INT_MAX, 0, 0, 4));
    CALL(FX(&w, 10 | 128, INT_MAX, 0, 0, 2));
    CALL(FX(&w, 10 | 128, INT_MAX, 0, 0, 1));
    for (int i = 0; i < 5; i++)
        pthread_join(th[i], 0);
    VALUE(woken);
    woken = 0;
    mk(th, 5, -1);
    CALL(FX(&w, 3 | 128, 1, (void*)2, &w2, 0));
    CALL(FX(&w2, 1 | 128, INT_MAX, 0, 0, 0));
    CALL(FX(&w, 4 | 128, 1, (void*)2, &w2, 5));
    CALL(FX(&w, 4 | 128, 1, (void*)0, &w2, 0));
    CALL(FX(&w, 4 | 128, 0, (void*)-1, &w2, 0));
    CALL(FX(&w, 4 | 128, 0, (void*)1, &w2, 0));
    CALL(FX(&w, 3 | 128, 0, (void*)1, &w, 0));
    CALL(FX(&w, 1 | 128, INT_MAX, 0, 0, 0));
    CALL(FX(&w2, 1 | 128, INT_MAX, 0, 0, 0));
    for (int i = 0; i < 5; i++)
        pthread_join(th[i], 0);
    VALUE(woken);
    woken = 0;
    TITLE("wake op");
    int op[] = {0, 1, 2, 3, 4, 8 | 1};
    for (int i = 0; i < 6; i++)
        for (int c = 0; c < 6; c++) {
            w2 = 5;
            unsigned e = (op[i] << 28) | (c << 24) | (3 << 12) | 5;
            long r = FX(&w, 5 | 128, 1, (void*)1, &w2, e);
            printf("%d/%d -> %ld value %d\n", i, c, r, w2);
        }
    CALL(FX(&w, 5 | 128, 1, (void*)1, &w2, (7 << 28)));
    CALL(FX(&w, 5 | 128, 1, (void*)1, &w2, (7 << 24)));
    w2 = 0;
    CALL(FX(&w, 5 | 128, 1, (void*)1, &w2, (1 << 28) | (0xfff << 12)));
    VALUE(w2);
    TITLE("shared at two addresses");
    int fd = open("/dev/shm/f", O_CREAT | O_RDWR, 0600);
    ftruncate(fd, 4096);
    int *a = mmap(0, 4096, 3, MAP_SHARED, fd, 0), *c = mmap(0, 4096, 3, MAP_SHARED, fd, 0);
    pthread_t s;
    pthread_create(&s, 0, sw, a);
    sleep_ms(80);
    long r = FX(c, 1, 1, 0, 0, 0);
    printf("woken %ld\n", r);
    if (r != 1)
        FX(a, 1, 1, 0, 0, 0);
    void* waited = 0;
    pthread_join(s, &waited);
    printf("shared waiter -> %ld\n", (long)waited);
    CALL(syscall(449, 0, 0, 0, 0, 0));
    return 0;
}
