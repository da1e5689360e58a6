/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/grows_down.c - MAP_GROWSDOWN: faults below the range extend it. */
#include "qemu-tests/linux/check.h"
int main(void) {
    catch_faults();
    static char as[65536];
    stack_t ss = {as, 0, sizeof as};
    sigaltstack(&ss, 0);
    char* z = mmap(0, 1024 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(z, 1024 * 4096);
    char* p = mmap(z + 1000 * 4096, 8192, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    VALUE(p != MAP_FAILED);
    ACCESS(WRITE(p, 1));
    ACCESS(WRITE(p - 4096, 1));
    ACCESS(WRITE(p - 40960, 1));
    CALL(mprotect(p, 4096, PROT_READ | PROT_GROWSDOWN));
    ACCESS(WRITE(p - 4096, 1));
    return 0;
}
