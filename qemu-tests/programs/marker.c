/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/marker.c - carries 64 KiB of 'M' in its file and looks for argv[1] milliseconds whether they stay:
 * what a container maps of its root image are the bundle's own pages. Status: 0 unchanged, 3 changed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { bytes = 65536 };
extern const volatile unsigned char marker[bytes];
__asm__(".section .rodata\n.balign 4096\n.globl marker\nmarker: .fill 65536, 1, 'M'\n.text\n");

static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int main(int argc, char** argv) {
    const long long until = now_ms() + (argc > 1 ? atoi(argv[1]) : 0);
    puts("marker: watching");
    fflush(stdout);
    do {
        for (unsigned i = 0; i < bytes; i += 256)
            if (marker[i] != 'M') {
                printf("marker: byte %u changed\n", i);
                return 3;
            }
    } while (now_ms() < until);
    puts("marker: unchanged");
    return 0;
}
