/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/files/status.c - stat, statx, statfs of every kind of file; which operation changes which time. */
#include "qemu-tests/linux/check.h"
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
struct sx {
    uint32_t mask, blk;
    uint64_t at;
    uint32_t nl, uid, gid;
    uint16_t mode, p;
    uint64_t ino, size, blocks, am;
    struct {
        int64_t s;
        uint32_t n;
        int32_t r;
    } a, b, c, m;
    uint32_t rma, rmi, dma, dmi;
    uint64_t mnt;
    uint64_t u[13];
};
static void p(const char* n, struct stat* s) {
    printf("%s: mode %o nlink %ld uid %d gid %d size %s%ld blksize %ld\n", n, s->st_mode,
           S_ISDIR(s->st_mode) ? -1 : (long)s->st_nlink, s->st_uid, s->st_gid,
           S_ISDIR(s->st_mode) ? "dir " : "", S_ISDIR(s->st_mode) ? 0 : (long)s->st_size,
           (long)s->st_blksize);
}
static int earlier(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}
int main(void) {
    struct stat s, t;
    struct sx x;
    const char* n[] = {"/etc/data", "/etc",     "/",    "/dev/null", "/dev/zero", "/bin/sh",  "/proc",
                       "/dev",      "/dev/shm", "/tmp", "/etc/big",  "/dev/tty",  "/dev/full"};
    for (int i = 0; i < 13; i++) {
        CALL(lstat(n[i], &s));
        p(n[i], &s);
        CALL(syscall(SYS_statx, AT_FDCWD, n[i], AT_SYMLINK_NOFOLLOW, 0x7ff, &x));
        VALUE(x.mask & 0x7ff);
        VALUE(x.mode == s.st_mode && x.size == s.st_size && x.ino == s.st_ino && x.nl == s.st_nlink &&
              x.a.s == s.st_atime && x.rma == major(s.st_rdev) && x.rmi == minor(s.st_rdev) &&
              x.dma == major(s.st_dev));
    }
    stat("/etc/data", &s);
    int f = open("/etc/data", O_RDONLY);
    fstat(f, &t);
    VALUE(s.st_ino == t.st_ino && s.st_dev == t.st_dev);
    stat("/etc/../etc/./data", &t);
    VALUE(s.st_ino == t.st_ino);
    VALUE(s.st_blocks > 0);
    CALL(fstatat(f, "", &t, AT_EMPTY_PATH));
    CALL(fstatat(AT_FDCWD, "", &t, AT_EMPTY_PATH));
    p("cwd", &t);
    CALL(fstatat(f, "", &t, 0));
    CALL(fstatat(f, "x", &t, 0));
    CALL(fstatat(AT_FDCWD, "/etc", &t, 0x8000));
    CALL(stat("", &t));
    CALL(syscall(SYS_stat, 8, &t));
    CALL(syscall(SYS_stat, "/etc", 8));
    CALL(fstat(99, &t));
    CALL(stat("/etc/data/", &t));
    CALL(stat("/bin/sh/", &t));
    CALL(lstat("/bin/sh/", &t));
    CALL(syscall(SYS_statx, f, "", AT_EMPTY_PATH, 0xfff, &x));
    VALUE(x.size);
    CALL(syscall(SYS_statx, f, "", AT_EMPTY_PATH, 1u << 31, &x));
    CALL(syscall(SYS_statx, f, "", AT_EMPTY_PATH | 0x6000, 0xfff, &x));
    CALL(syscall(SYS_statx, f, 0, AT_EMPTY_PATH, 0xfff, &x));
    CALL(syscall(SYS_newfstatat, f, 0, &t, AT_EMPTY_PATH));
    CALL(syscall(SYS_statx, f, "", AT_EMPTY_PATH, 0xfff, 8));
    struct statfs q;
    CALL(statfs("/proc", &q));
    VALUE(q.f_type);
    CALL(statfs("/dev/shm", &q));
    VALUE(q.f_type);
    VALUE(q.f_bsize);
    VALUE(q.f_namelen);
    CALL(statfs("/none", &q));
    CALL(fstatfs(99, &q));
    CALL(statfs("/", &q));
    VALUE(q.f_type);
    VALUE(q.f_namelen);
    VALUE(q.f_blocks > 0 && q.f_bfree > 0);
    struct statvfs sv;
    CALL(statvfs("/dev/shm", &sv));
    VALUE(sv.f_blocks * sv.f_frsize > 1 << 20); // how much is the machine's
    VALUE(sv.f_flag & ST_RDONLY);
    stat("/tmp", &s);
    sleep_ms(30);
    close(open("/tmp/n", O_CREAT | O_WRONLY, 0600));
    stat("/tmp", &t);
    VALUE(earlier(s.st_mtim, t.st_mtim));
    stat("/tmp/n", &s);
    sleep_ms(30);
    chmod("/tmp/n", 0644);
    stat("/tmp/n", &t);
    VALUE(s.st_mtim.tv_nsec == t.st_mtim.tv_nsec);
    VALUE(s.st_ctim.tv_nsec != t.st_ctim.tv_nsec);
    sleep_ms(20);
    f = open("/tmp/n", O_WRONLY);
    write(f, "", 0);
    stat("/tmp/n", &s);
    VALUE(s.st_mtim.tv_nsec == t.st_mtim.tv_nsec);
    write(f, "a", 1);
    stat("/tmp/n", &s);
    VALUE(s.st_mtim.tv_nsec != t.st_mtim.tv_nsec);
    sleep_ms(20);
    link("/tmp/n", "/tmp/n2");
    stat("/tmp/n", &t);
    VALUE(s.st_ctim.tv_nsec != t.st_ctim.tv_nsec);
    sleep_ms(20);
    rename("/tmp/n2", "/tmp/n3");
    stat("/tmp/n", &s);
    VALUE(s.st_ctim.tv_nsec != t.st_ctim.tv_nsec);
    sleep_ms(20);
    ftruncate(f, 1);
    stat("/tmp/n", &t);
    VALUE(s.st_mtim.tv_nsec != t.st_mtim.tv_nsec);
    return 0;
}
