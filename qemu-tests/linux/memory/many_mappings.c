/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/many_mappings.c - One page of a file mapped 70,000 times. */
#include "qemu-tests/linux/check.h"
int main(void) {
    int f = open("/tmp/f", O_CREAT | O_RDWR, 0600);
    ftruncate(f, 4096);
    char* b = (char*)0x100000000000;
    long n = 0;
    for (; n < 70000; n++) {
        char* p = mmap(b + n * 4096, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, f, 0);
        if (p == MAP_FAILED)
            break;
        *(volatile char*)p = 1;
    }
    printf("stopped by %s at %s\n", n < 70000 ? ename(errno) : "nothing",
           n > 65000 && n < 65600 ? "about 65500" : "70000");
    return 0;
}
