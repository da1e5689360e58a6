/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/files/long_read.c - One long read of a device, which must not hold the machine. */
#include "qemu-tests/linux/check.h"
int main(int c, char** v) {
    size_t n = (size_t)atoi(v[1]) << 20;
    char* b = mmap(0, n, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int f = open(v[2], O_RDONLY);
    CALL(read(f, b, n));
    VALUE(b[n - 1] != 0 || b[n - 2] != 0 || b[n - 3] != 0 || b[n - 4] != 0);
    return 0;
}
