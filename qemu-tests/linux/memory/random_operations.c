/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/random_operations.c - Random operations on 48 pages of anonymous and file memory; after each the whole is looked at. */
#include "qemu-tests/linux/check.h"
static uint64_t s;
static unsigned rnd(unsigned n) {
    s = s * 6364136223846793005ull + 1442695040888963407ull;
    return (s >> 33) % n;
}
#define NP 48
static char* base;
static uint64_t hash = 14695981039346656037ull;
static void mix(uint64_t v) {
    hash = (hash ^ v) * 1099511628211ull;
}
static void probe(void) {
    for (int i = 0; i < NP; i++) {
        volatile unsigned char* p = (void*)(base + i * 4096 + (i * 37) % 4096);
        if (sigsetjmp(fault_jmp, 1) == 0)
            mix(*p);
        else
            mix(1000 + fault_sig * 10 + fault_code);
    }
}
int main(int c, char** v) {
    int seeds = c > 1 ? atoi(v[1]) : 3, from = c > 2 ? atoi(v[2]) : 1;
    catch_faults();
    signal(SIGALRM, SIG_IGN);
    int img = open("/etc/big", O_RDWR), tmp = open("/tmp/f", O_CREAT | O_RDWR, 0600),
        ro = open("/etc/big", O_RDONLY);
    const int steps = c > 3 ? atoi(v[3]) : 600, chk = c > 4;
    for (int sd = from; sd < from + seeds; sd++) {
        s = sd * 977 + 5;
        ftruncate(tmp, 0);
        ftruncate(tmp, 20 * 4096);
        base = mmap((void*)0x10000000, NP * 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        for (int op = 0; op < steps; op++) {
            int a = rnd(NP), n = 1 + rnd(8);
            if (a + n > NP)
                n = NP - a;
            char* p = base + a * 4096;
            int r = 0;
            errno = 0;
            int k = rnd(12), pr = (int[]){0, 1, 3, 3, 1, 5, 7}[rnd(7)];
            switch (k) {
            case 0:
                r = mmap(p, n * 4096, pr, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
                break;
            case 1:
                r = mmap(p, n * 4096, pr, MAP_PRIVATE | MAP_FIXED, rnd(2) ? ro : img, rnd(12) * 4096) ==
                    MAP_FAILED;
                break;
            case 2:
                r = mmap(p, n * 4096, pr & 3, MAP_SHARED | MAP_FIXED, tmp, rnd(12) * 4096) == MAP_FAILED;
                break;
            case 3:
                r = mmap(p, n * 4096, pr & 3, MAP_SHARED | MAP_FIXED, img, rnd(12) * 4096) == MAP_FAILED;
                break;
            case 4:
                r = mmap(p, n * 4096, 1, MAP_SHARED | MAP_FIXED, ro, rnd(12) * 4096) == MAP_FAILED;
                break;
            case 5:
                r = munmap(p, n * 4096);
                break;
            case 6: {
                unsigned char vec[8];
                for (int i = 0; i < n; i++)
                    if (mincore(p + i * 4096, 4096, vec) == 0)
                        r = r * 3 + mprotect(p + i * 4096, 4096, pr);
                break;
            }
            case 7: {
                unsigned char vec[8];
                if (mincore(p, n * 4096, vec) == 0)
                    r = madvise(p, n * 4096, MADV_DONTNEED);
                else
                    r = 5;
                break;
            }
            case 8:
            case 9:
                for (int i = 0; i < n; i++) {
                    if (sigsetjmp(fault_jmp, 1) == 0) {
                        p[i * 4096 + (a * 37 + i * 37) % 4096] = rnd(256);
                    } else
                        r += fault_sig;
                }
                break;
            case 10: {
                char b[6000];
                int l = rnd(6000);
                memset(b, rnd(256), l);
                int f = rnd(2) ? img : tmp;
                r = pwrite(f, b, l, rnd(14 * 4096));
                break;
            }
            case 11: {
                int f = rnd(2) ? img : tmp;
                char b[64];
                r = pread(f, b, 64, rnd(20 * 4096));
                for (int i = 0; i < r; i++)
                    mix(b[i]);
                break;
            }
            }
            mix(r);
            mix(r == -1 ? errno : 0);
            probe();
            if (chk) {
                printf("%d.%d k%d a%d n%d pr%d r%d %s:", sd, op, k, a, n, pr, r, r ? ename(errno) : "");
                for (int i = 0; i < NP; i++) {
                    volatile unsigned char* q = (void*)(base + i * 4096 + (i * 37) % 4096);
                    if (sigsetjmp(fault_jmp, 1) == 0)
                        printf(" %d", *q);
                    else
                        printf(" s%d/%d", fault_sig, fault_code);
                }
                puts("");
            }
        }
        printf("seed %d hash %lx\n", sd, (long)hash);
    }
    return 0;
}
