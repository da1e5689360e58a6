/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/mremap.c - mremap: growing, moving, MREMAP_FIXED, MREMAP_DONTUNMAP, an old size of 0. */
#include "qemu-tests/linux/check.h"
int main(void) {
    catch_faults();
    int A = MAP_PRIVATE | MAP_ANONYMOUS;
    char* b = mmap(0, 64 * 4096, PROT_NONE, A, -1, 0);
    char* p = mmap(b, 4 * 4096, PROT_READ | PROT_WRITE, A | MAP_FIXED, -1, 0);
    for (int i = 0; i < 4; i++)
        p[i * 4096] = i + 1;
    CALL(mremap(p, 4 * 4096, 8 * 4096, 0));
    munmap(b + 4 * 4096, 60 * 4096);
    VALUE(mremap(p, 4 * 4096, 8 * 4096, 0) == p);
    VALUE(p[3 * 4096]);
    ACCESS(WRITE(p + 7 * 4096, 1));
    ACCESS(READ(p + 8 * 4096));
    VALUE(mremap(p, 8 * 4096, 2 * 4096, 0) == p);
    ACCESS(READ(p + 2 * 4096));
    VALUE(p[4096]);
    char* g = mmap(p + 2 * 4096, 4096, PROT_READ, A | MAP_FIXED, -1, 0);
    (void)g;
    char* n = mremap(p, 2 * 4096, 6 * 4096, MREMAP_MAYMOVE);
    VALUE(n != p && n != MAP_FAILED);
    VALUE(n[0] + n[4096] * 10);
    ACCESS(READ(p));
    ACCESS(VALUE(READ(n + 5 * 4096)));
    TITLE("fixed");
    char* t = mmap(0, 16 * 4096, PROT_READ | PROT_WRITE, A, -1, 0);
    memset(t, 8, 16 * 4096);
    VALUE(mremap(n, 2 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, t + 4 * 4096) == t + 4 * 4096);
    ACCESS(VALUE(READ(t + 4 * 4096)));
    ACCESS(VALUE(READ(t + 5 * 4096)));
    ACCESS(VALUE(READ(t + 6 * 4096)));
    ACCESS(VALUE(READ(t + 8 * 4096)));
    ACCESS(READ(n));
    CALL(mremap(t, 4096, 4096, MREMAP_FIXED, b));
    CALL(mremap(t, 4096 * 4, 4096 * 4, MREMAP_MAYMOVE | MREMAP_FIXED, t + 4096));
    CALL(mremap(t, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, b + 1));
    TITLE("dontunmap");
    char* u = mmap(0, 4096, PROT_READ | PROT_WRITE, A, -1, 0);
    u[0] = 5;
    char* v = mremap(u, 4096, 4096, MREMAP_MAYMOVE | 4);
    VALUE(v != MAP_FAILED && v != u);
    if (v != MAP_FAILED) {
        VALUE(v[0]);
        ACCESS(VALUE(READ(u)));
    }
    TITLE("errors");
    CALL(mremap(t + 1, 4096, 8192, 0));
    CALL(mremap(t, 4096, 0, 0));
    CALL(mremap((void*)0x10000, 4096, 8192, MREMAP_MAYMOVE));
    CALL(mremap(t, 4096, 8192, 8));
    CALL(mremap(t, 0, 4096, MREMAP_MAYMOVE));
    CALL(mremap(t, 100 * 4096, 200 * 4096, MREMAP_MAYMOVE));
    CALL(mremap(t, 4096, 1ul << 47, MREMAP_MAYMOVE));
    mprotect(t + 4096, 4096, PROT_READ);
    CALL(mremap(t, 2 * 4096, 3 * 4096, MREMAP_MAYMOVE));
    VALUE(mremap(t, 3 * 4096, 4096, 0) == t);
    TITLE("old size 0 of a shared");
    char* s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    s[0] = 4;
    char* s2 = mremap(s, 0, 4096, MREMAP_MAYMOVE);
    VALUE(s2 != MAP_FAILED);
    if (s2 != MAP_FAILED) {
        VALUE(s2[0]);
        s2[0] = 6;
        VALUE(s[0]);
    }
    TITLE("shared anonymous grows");
    char* h = mmap(0, 4096 * 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    h[0] = 1;
    h[4096] = 2;
    char* h2 = mremap(h, 8192, 16384, MREMAP_MAYMOVE);
    VALUE(h2[0] + h2[4096] * 10);
    ACCESS(WRITE(h2 + 8192, 1));
    TITLE("file");
    int fd = open("/etc/data", O_RDONLY);
    char* f = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
    char w = f[5];
    mmap(f + 4096, 4096, PROT_NONE, A | MAP_FIXED, -1, 0);
    char* f2 = mremap(f, 4096, 8192, MREMAP_MAYMOVE);
    VALUE(f2[5] == w);
    char c;
    pread(fd, &c, 1, 8192 + 7);
    VALUE(f2[4096 + 7] == c);
    ACCESS(READ(f2 + 4096 + 3000));
    return 0;
}
