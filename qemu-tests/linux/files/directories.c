/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/files/directories.c - Large directories: listing, seeking, removing while reading; a directory of the image with changes. */
#include "qemu-tests/linux/check.h"
#include <dirent.h>
static int n;
int main(int c, char** v) {
    n = c > 1 ? atoi(v[1]) : 2000;
    mkdir("/tmp/big", 0755);
    chdir("/tmp/big");
    char nm[50];
    long long t = now_ms();
    for (int i = 0; i < n; i++) {
        sprintf(nm, "file%d", i);
        int f = open(nm, O_CREAT | O_WRONLY, 0644);
        if (f < 0) {
            printf("%d %s\n", i, ename(errno));
            break;
        }
        close(f);
    }
    long long t1 = now_ms() - t;
    t = now_ms();
    DIR* d = opendir(".");
    struct dirent* e;
    int k = 0;
    long sum = 0;
    long pos = 0;
    char at[256];
    while ((e = readdir(d))) {
        k++;
        int x;
        if (sscanf(e->d_name, "file%d", &x) == 1)
            sum += x;
        if (k == n / 2) {
            pos = telldir(d);
            e = readdir(d);
            strcpy(at, e->d_name);
            k++;
            int y;
            sscanf(at, "file%d", &y);
            sum += y;
        }
    }
    VALUE(k);
    VALUE(sum);
    long long t2 = now_ms() - t;
    seekdir(d, pos);
    e = readdir(d);
    VALUE(strcmp(at, e->d_name));
    rewinddir(d);
    k = 0;
    while ((e = readdir(d)))
        k++;
    VALUE(k);
    TITLE("remove while reading");
    rewinddir(d);
    int rem = 0;
    while ((e = readdir(d)))
        if (e->d_name[0] != '.') {
            rem += unlink(e->d_name) == 0;
        }
    VALUE(rem);
    rewinddir(d);
    k = 0;
    while ((e = readdir(d)))
        k++;
    VALUE(k);
    if (c > 2)
        printf("create %lld list %lld ms\n", t1, t2);
    TITLE("image directory");
    d = opendir("/bin");
    k = 0;
    int dup = 0;
    char seen[500][40];
    while ((e = readdir(d))) {
        for (int i = 0; i < k; i++)
            dup += !strcmp(seen[i], e->d_name);
        if (k < 500)
            strcpy(seen[k], e->d_name);
        k++;
    }
    VALUE(k > 3);
    VALUE(dup);
    int fd = open("/etc", O_RDONLY);
    char b[24];
    CALL(syscall(SYS_getdents64, fd, b, 10));
    CALL(syscall(SYS_getdents64, fd, b, 24) > 0);
    CALL(syscall(SYS_getdents64, fd, (void*)8, 1000));
    CALL(lseek(fd, 0, SEEK_SET));
    CALL(lseek(fd, 0, SEEK_END) * 0);
    CALL(syscall(SYS_getdents64, 0, b, 24));
    mkdir("/etc/sub", 0755);
    unlink("/etc/data");
    close(open("/etc/new", O_CREAT | O_RDWR, 0644));
    d = opendir("/etc");
    k = 0;
    char* ns[100];
    while ((e = readdir(d)))
        ns[k++] = strdup(e->d_name);
    for (int i = 0; i < k; i++)
        for (int j = i + 1; j < k; j++)
            if (strcmp(ns[i], ns[j]) > 0) {
                char* t = ns[i];
                ns[i] = ns[j];
                ns[j] = t;
            }
    for (int i = 0; i < k; i++)
        printf(" %s", ns[i]);
    puts("");
    return 0;
}
