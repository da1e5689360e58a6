/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/files/long_read.c - One long read of a device. */
#include "qemu-tests/linux/check.h"
int main(int c, char** v) {
    size_t n = (size_t)atoi(v[1]) << 20;
    char* b = mmap(0, n, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int f = open(v[2], O_RDONLY);
    long long t = now_ms();
    long r = read(f, b, n);
    printf("read %ld in %lld ms\n", r, now_ms() - t);
    return 0;
}
