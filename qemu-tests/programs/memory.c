/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/memory.c - mmap, mprotect, mremap, madvise, brk, large reservations, copy-on-write of
 * file pages. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check(const char* what, int good) {
    printf("%s: %s\n", what, good ? "ok" : "WRONG");
}

int main(int argc, char** argv) {
    (void)argc;
    const size_t size = 64 * 4096;
    char* area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int zero = 1;
    for (size_t i = 0; i < size; ++i)
        zero &= area[i] == 0;
    check("anonymous memory is zero", zero);
    memset(area, 0x5a, size);
    madvise(area + 4096, 8192, MADV_DONTNEED);
    check("MADV_DONTNEED zeroes",
          area[4096] == 0 && area[12287] == 0 && area[0] == 0x5a && area[12288] == 0x5a);
    char* moved = mremap(area, size, 4 * size, MREMAP_MAYMOVE);
    check("mremap grows", moved != MAP_FAILED && moved[0] == 0x5a && moved[size] == 0);
    moved = mremap(moved, 4 * size, 4096, 0);
    check("mremap shrinks", moved != MAP_FAILED && moved[100] == 0x5a);
    check("mprotect none", mprotect(moved, 4096, PROT_NONE) == 0 &&
                               mprotect(moved, 4096, PROT_READ | PROT_WRITE) == 0 && moved[1] == 0x5a);
    char* reserve =
        mmap(NULL, (size_t)1 << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check("64 GiB reservation", reserve != MAP_FAILED);
    check("a window of it", mprotect(reserve + ((size_t)1 << 35), 4096, PROT_READ | PROT_WRITE) == 0 &&
                                (reserve[(size_t)1 << 35] = 7) == 7);
    char* fixed =
        mmap(reserve + 8192, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check("MAP_FIXED", fixed == reserve + 8192 && fixed[0] == 0);
#ifdef MAP_FIXED_NOREPLACE
    char* refused = mmap(fixed, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check("MAP_FIXED_NOREPLACE", refused == MAP_FAILED && errno == EEXIST);
#endif
    munmap(reserve, (size_t)1 << 36);
#ifdef __GLIBC__ /* musl's sbrk refuses to move */
    void* before = sbrk(0);
    check("brk", sbrk(100000) == before && sbrk(-100000) != (void*)-1);
#endif

    int file = open(argv[0], O_RDONLY);
    char* image = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    check("private file mapping", image != MAP_FAILED && memcmp(image, "\177ELF", 4) == 0);
    image[0] = 'X';
    char again[4];
    check("copy on write leaves the file",
          pread(file, again, 4, 0) == 4 && again[0] == 0x7f && image[0] == 'X');
    close(file);

    file = open("/tmp/memory.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check("ftruncate", ftruncate(file, 12288) == 0);
    char* shared = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    check("shared file mapping", shared != MAP_FAILED);
    if (shared != MAP_FAILED) {
        memcpy(shared + 5000, "through the mapping", 19);
        char text[20] = "";
        check("store seen by read",
              pread(file, text, 19, 5000) == 19 && strcmp(text, "through the mapping") == 0);
        check("write seen by load", pwrite(file, "Z", 1, 9000) == 1 && shared[9000] == 'Z');
    }
    close(file);
    unlink("/tmp/memory.data");

    size_t grown = 0;
    for (int i = 0; i < 200; ++i) {
        char* block = malloc(10000);
        memset(block, i, 10000);
        grown += (unsigned char)block[9999];
        if (i % 3 != 0)
            free(block);
    }
    printf("malloc: %zu\n", grown);
    return 0;
}
