/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/fixed.c - mmap's refusals, MAP_FIXED over parts of ranges, hints, protections, copies by the kernel. */
#include "qemu-tests/linux/check.h"
#define MAP(a, l, p, f, fd, o) (mmap((void*)(a), l, p, f, fd, o))
#define RM(a, l, p, f, fd, o)                                                                                \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        void* m_ = mmap((void*)(a), l, p, f, fd, o);                                                         \
        printf("mmap(%s, %s, %s, %s) -> %s\n", #a, #l, #p, #f,                                    \
               m_ == MAP_FAILED ? ename(errno) : "ok");                                                      \
    } while (0)
int main(void) {
    catch_faults();
    int A = MAP_PRIVATE | MAP_ANONYMOUS;
    char* b = mmap(0, 16 * 4096, PROT_READ | PROT_WRITE, A, -1, 0);
    memset(b, 1, 16 * 4096);
    TITLE("errors");
    RM(0, 0, PROT_READ, A, -1, 0);
    RM(0, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0);
    RM(0, 4096, PROT_READ, A, -1, 1);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, -1, 0);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, 99, 0);
    RM(0, (size_t)1 << 47, PROT_READ, A | MAP_NORESERVE, -1, 0);
    RM(0, ~0ul, PROT_READ, A, -1, 0);
    RM(0, ~0ul - 4095, PROT_READ, A, -1, 0);
    RM(b + 1, 4096, PROT_READ, A | MAP_FIXED, -1, 0);
    RM(0x7ffffffff000, 4096, PROT_READ, A | MAP_FIXED, -1, 0);
    RM(0x7fffffffe000, 8192, PROT_READ, A | MAP_FIXED, -1, 0);
    RM(0x7fffffffe000, 4096, PROT_READ, A | MAP_FIXED, -1, 0);
    RM(0xffff800000000000, 4096, PROT_READ, A | MAP_FIXED, -1, 0);
    RM(0xffff800000000000, 4096, PROT_READ, A, -1, 0);
    RM(0, 4096, 8, A, -1, 0);
    RM(0, 4096, 0x1000000 | PROT_READ, A, -1, 0);
    RM(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | 0x80000, -1, 0);
    RM(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0);
    RM(0, 4096, PROT_READ, MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/etc/data", O_RDONLY), wo = open("/tmp/wo", O_CREAT | O_WRONLY, 0644),
        d = open("/etc", O_RDONLY), nl = open("/dev/null", O_RDWR), ze = open("/dev/zero", O_RDWR),
        pr = open("/proc/self/status", O_RDONLY);
    RM(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x80000, fd, 0);
    RM(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x400000, fd, 0);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, wo, 0);
    RM(0, 4096, PROT_WRITE, MAP_SHARED, wo, 0);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, d, 0);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, nl, 0);
    RM(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ze, 0);
    RM(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ze, 0);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, pr, 0);
    RM(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, fd, 100);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, fd, 1ul << 40);
    RM(0, 8192, PROT_READ, MAP_PRIVATE, fd, ~0ul - 4095);
    RM(0, 0, PROT_READ, MAP_PRIVATE, 99, 0);
    int pa = open("/etc/data", O_PATH);
    RM(0, 4096, PROT_READ, MAP_PRIVATE, pa, 0);
    TITLE("fixed over parts");
    VALUE(MAP(b + 4096 * 4, 4096 * 2, PROT_READ, A | MAP_FIXED, -1, 0) == b + 4096 * 4);
    ACCESS(VALUE(READ(b + 4096 * 3)));
    ACCESS(VALUE(READ(b + 4096 * 4)));
    ACCESS(WRITE(b + 4096 * 5, 1));
    ACCESS(WRITE(b + 4096 * 6, 1));
    CALL(munmap(b + 4096 * 8, 4096 * 2));
    ACCESS(READ(b + 4096 * 9));
    ACCESS(READ(b + 4096 * 10));
    VALUE(MAP(b + 4096 * 7, 4096 * 4, PROT_READ | PROT_WRITE, A | MAP_FIXED, -1, 0) == b + 4096 * 7);
    ACCESS(VALUE(READ(b + 4096 * 7)));
    ACCESS(VALUE(READ(b + 4096 * 9)));
    RM(b + 4096 * 6, 4096 * 2, PROT_READ, A | MAP_FIXED_NOREPLACE, -1, 0);
    CALL(munmap(b + 4096 * 12, 4096));
    VALUE(MAP(b + 4096 * 12, 4096, PROT_READ, A | MAP_FIXED_NOREPLACE, -1, 0) == b + 4096 * 12);
    CALL(munmap(b + 1, 4096));
    CALL(munmap(b, 0));
    CALL(munmap((void*)0x7ffffffff000, 4096));
    CALL(munmap(b + 4096 * 12, 4096 * 100));
    CALL(munmap((void*)0x10000, 4096));
    TITLE("hints");
    char* h = mmap(0, 4096 * 8, PROT_NONE, A, -1, 0);
    munmap(h, 4096 * 8);
    VALUE(MAP(h, 4096, PROT_READ, A, -1, 0) == h);
    VALUE(MAP(h, 4096, PROT_READ, A, -1, 0) == h);
    VALUE(MAP(h + 4096 * 2 + 5, 4096, PROT_READ, A, -1, 0) == h + 4096 * 2 || 1);
    VALUE(MAP(0x1000, 4096, PROT_READ, A, -1, 0) != MAP_FAILED);
    TITLE("protection");
    char* n = mmap(0, 4096 * 3, PROT_NONE, A, -1, 0);
    ACCESS(READ(n));
    ACCESS(WRITE(n, 1));
    char* w = mmap(0, 4096, PROT_WRITE, A, -1, 0);
    ACCESS(WRITE(w, 1));
    ACCESS(VALUE(READ(w)));
    char* x = mmap(0, 4096, PROT_EXEC, A, -1, 0);
    ACCESS(VALUE(READ(x)));
    ACCESS(WRITE(x, 1));
    char* r = mmap(0, 4096, PROT_READ | PROT_WRITE, A, -1, 0);
    *r = 0xc3;
    ACCESS(((void (*)(void))r)());
    mprotect(r, 4096, PROT_READ | PROT_EXEC);
    ACCESS(((void (*)(void))r)());
    ACCESS(WRITE(r, 1));
    mprotect(r, 4096, 7);
    ACCESS(WRITE(r, 0xc3));
    ACCESS(((void (*)(void))r)());
    ACCESS(READ((void*)0));
    ACCESS(READ((void*)0xffff800000000000));
    ACCESS(READ((void*)0x8000000000000000));
    ACCESS(((void (*)(void))0)());
    TITLE("kernel copies");
    int p[2];
    pipe2(p, O_NONBLOCK);
    char* q = mmap(0, 4096 * 2, PROT_READ | PROT_WRITE, A, -1, 0);
    memset(q, 5, 8192);
    mprotect(q + 4096, 4096, PROT_NONE);
    CALL(write(p[1], q + 4096, 1));
    CALL(write(p[1], q + 4090, 10));
    CALL(write(p[1], q + 4000, 96));
    CALL(read(p[0], q + 4096, 1));
    mprotect(q + 4096, 4096, PROT_READ);
    CALL(read(p[0], q + 4096, 1));
    CALL(write(p[1], q + 4096, 1));
    VALUE(q[4096]);
    CALL(read(p[0], q, 200));
    CALL(write(p[1], (void*)0xffff800000000000, 1));
    CALL(write(p[1], (void*)0x8000000000000000, 1));
    CALL(write(p[1], (void*)0x7fffffffefff, 4));
    CALL(write(p[1], 0, 1));
    CALL(write(p[1], 0, 0));
    CALL(read(p[0], x, 1));
    int f = open("/etc/data", O_RDONLY);
    mprotect(q + 4096, 4096, PROT_NONE);
    CALL(read(f, q + 4000, 4000));
    CALL(lseek(f, 0, SEEK_CUR));
    CALL(read(f, q + 4096, 10));
    CALL(pread(f, q + 4090, 100, 0));
    int o = open("/tmp/o", O_CREAT | O_RDWR, 0644);
    CALL(write(o, q + 4000, 4000));
    CALL(lseek(o, 0, SEEK_CUR));
    struct stat st;
    fstat(o, &st);
    VALUE(st.st_size);
    return 0;
}
