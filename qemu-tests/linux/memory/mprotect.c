/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/mprotect.c - mprotect: the shape of ranges afterwards, holes, shared files. */
#include "qemu-tests/linux/check.h"
#include <elf.h>
// The shape of [b, b+pages). No stream and no heap: what they map would lie in the hole that is looked at.
static int maps(char* b, int pages) {
    static char text[16 * 1024];
    const int fd = open("/proc/self/maps", O_RDONLY);
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 && (got = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    close(fd);
    text[length] = 0;
    int n = 0;
    for (const char* l = text; *l; l = strchr(l, '\n') + 1) {
        unsigned long s, e;
        char pr[8];
        sscanf(l, "%lx-%lx %4s", &s, &e, pr);
        if (e <= (unsigned long)b || s >= (unsigned long)b + pages * 4096)
            continue;
        printf("   %ld+%ld %s\n", ((long)s - (long)b) / 4096, (long)(e - s) / 4096, pr);
        n++;
    }
    return n;
}
int main(void) {
    catch_faults();
    int A = MAP_PRIVATE | MAP_ANONYMOUS;
    char* z = mmap(0, 34 * 4096, PROT_NONE, A, -1, 0);
    char* b = z + 4096;
    mmap(b, 32 * 4096, PROT_READ | PROT_WRITE, A | MAP_FIXED, -1, 0);
    VALUE(maps(b, 32));
    CALL(mprotect(b + 4 * 4096, 4 * 4096, PROT_READ));
    VALUE(maps(b, 32));
    CALL(mprotect(b + 6 * 4096, 10 * 4096, PROT_NONE));
    VALUE(maps(b, 32));
    CALL(mprotect(b, 32 * 4096, PROT_READ | PROT_WRITE));
    VALUE(maps(b, 32));
    TITLE("hole");
    munmap(b + 8 * 4096, 4096);
    CALL(mprotect(b + 6 * 4096, 4 * 4096, PROT_READ));
    VALUE(maps(b, 32));
    ACCESS(WRITE(b + 6 * 4096, 1));
    ACCESS(WRITE(b + 9 * 4096, 1));
    CALL(mprotect(b + 8 * 4096, 4096, PROT_READ));
    CALL(mprotect(b + 8 * 4096, 8192, PROT_READ));
    CALL(mprotect(b + 1, 1, PROT_READ));
    CALL(mprotect(b, 0, PROT_READ));
    CALL(mprotect(b + 8 * 4096, 0, PROT_READ));
    CALL(mprotect(b, 4096, 0x40));
    CALL(mprotect(b, 4096, PROT_READ | 0x02000000));
    CALL(mprotect(b, 4096, PROT_READ | 0x01000000));
    CALL(mprotect(b, 4096, PROT_READ | 0x03000000));
    CALL(mprotect((void*)0x7ffffffff000, 4096, PROT_READ));
    CALL(mprotect(b, ~0ul, PROT_READ));
    TITLE("shared file");
    int fd = open("/etc/data", O_RDONLY);
    char* s = mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0);
    CALL(mprotect(s, 4096, PROT_READ | PROT_WRITE));
    CALL(mprotect(s, 4096, PROT_READ | PROT_EXEC));
    char* p = mmap(0, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
    CALL(mprotect(p, 4096, PROT_READ | PROT_WRITE));
    ACCESS(WRITE(p, 9));
    VALUE(p[0]);
    char c;
    pread(fd, &c, 1, 0);
    VALUE(c);
    TITLE("values survive");
    char* q = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, A, -1, 0);
    q[0] = 1;
    q[4096] = 2;
    q[8192] = 3;
    mprotect(q, 3 * 4096, PROT_NONE);
    ACCESS(READ(q));
    mprotect(q, 3 * 4096, PROT_READ);
    VALUE(q[0] + q[4096] * 10 + q[8192] * 100);
    ACCESS(WRITE(q, 1));
    mprotect(q + 4096, 4096, PROT_READ | PROT_WRITE);
    ACCESS(WRITE(q + 4096, 7));
    VALUE(q[4096]);
    ACCESS(WRITE(q + 8192, 7));
    TITLE("threads see it");
    return 0;
}
