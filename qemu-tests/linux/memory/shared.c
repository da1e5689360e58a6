/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/shared.c - Shared and private mappings of a file and what reads and writes see; /proc/self/mem. */
#include "qemu-tests/linux/check.h"
int main(void) {
    catch_faults();
    char c;
    for (int k = 0; k < 2; k++) {
        const char* name = k ? "/etc/data" : "/tmp/f";
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        if (!k) {
            char b[8192];
            memset(b, 'a', 8192);
            write(fd, b, 8192);
        }
        char *s = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
             *t = mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0),
             *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        int r = open(name, O_RDONLY);
        char* ro = mmap(0, 8192, PROT_READ, MAP_SHARED, r, 0);
        VALUE(s[1] == t[1] && p[1] == ro[1]);
        s[1] = 'S';
        VALUE(t[1]);
        VALUE(p[1]);
        VALUE(ro[1]);
        pread(fd, &c, 1, 1);
        VALUE(c);
        pwrite(fd, "W", 1, 2);
        VALUE(s[2]);
        VALUE(t[2]);
        VALUE(p[2]);
        VALUE(ro[2]);
        p[3] = 'P';
        VALUE(s[3] != 'P');
        pwrite(fd, "Q", 1, 4);
        VALUE(p[4] == 'Q');
        VALUE(s[4]);
        pwrite(fd, "R", 1, 4100);
        VALUE(p[4100]);
        VALUE(ro[4100]);
        CALL(unlink(name));
        close(fd);
        close(r);
        s[7] = '7';
        VALUE(t[7]);
        VALUE(ro[7]);
        ACCESS(WRITE(ro, 1));
        CALL(msync(s, 8192, MS_SYNC));
        struct stat st;
        CALL(stat(name, &st));
    }
    TITLE("shm");
    int m = open("/dev/shm/x", O_CREAT | O_RDWR, 0600);
    CALL(ftruncate(m, 65536));
    char *a = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0),
         *b = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
    a[40000] = 9;
    VALUE(b[40000]);
    TITLE("memfd");
    int f = syscall(SYS_memfd_create, "n", 0);
    VALUE(f >= 0);
    if (f >= 0) {
        ftruncate(f, 4096);
        char* x = mmap(0, 4096, 3, MAP_SHARED, f, 0);
        VALUE(x != MAP_FAILED);
    }
    TITLE("/proc/self/mem");
    int pm = open("/proc/self/mem", O_RDWR);
    VALUE(pm >= 0);
    if (pm >= 0) {
        char z = 0;
        CALL(pread(pm, &z, 1, (off_t)(long)&c));
        VALUE(z == c);
    }
    struct iovec l = {&c, 1}, rr = {a + 40000, 1};
    CALL(syscall(SYS_process_vm_readv, getpid(), &l, 1, &rr, 1, 0));
    VALUE(c);
    return 0;
}
