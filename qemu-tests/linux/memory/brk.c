/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/brk.c - brk: pages, neighbours in the way, RLIMIT_DATA. */
#include "qemu-tests/linux/check.h"
int main(void) {
    catch_faults();
    char* b = (char*)syscall(SYS_brk, 0);
    VALUE(((long)b) % 4096);
    char* e = (char*)syscall(SYS_brk, b + 10000);
    VALUE(e - b);
    memset(b, 1, 10000);
    VALUE((char*)syscall(SYS_brk, b + 5000) - b);
    ACCESS(VALUE(READ(b + 8191)));
    ACCESS(READ(b + 8192));
    VALUE((char*)syscall(SYS_brk, b + 20000) - b);
    VALUE(b[8192]);
    VALUE(b[5000]);
    VALUE(b[9000]);
    VALUE((char*)syscall(SYS_brk, b - 1) - b);
    VALUE((char*)syscall(SYS_brk, (char*)1) - b);
    VALUE((char*)syscall(SYS_brk, (char*)0x7fffffffffff) - b);
    char* m = mmap((char*)(((long)b + 20000 + 4095) & ~4095) + 8 * 4096, 4096, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    VALUE(m != MAP_FAILED);
    VALUE((char*)syscall(SYS_brk, b + 20000 + 16 * 4096) - b);
    VALUE((char*)syscall(SYS_brk, b + 20000 + 2 * 4096) - b);
    struct rlimit l = {100000, RLIM_INFINITY};
    CALL(setrlimit(RLIMIT_DATA, &l));
    munmap(m, 4096);
    VALUE((char*)syscall(SYS_brk, b + 300000) - b);
    void* q = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VALUE(q == MAP_FAILED ? errno : 0);
    q = mmap(0, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VALUE(q == MAP_FAILED ? errno : 0);
    return 0;
}
