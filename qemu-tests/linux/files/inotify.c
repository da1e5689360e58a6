/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/files/inotify.c - What is told of files and names that are watched. */
#include "qemu-tests/linux/check.h"
#include <sys/inotify.h>
static int n;
static uint32_t cookies[64];
static int cookie_count;
static void show(void) { // all that waits; cookies by their order
    char b[4096] __attribute__((aligned(8)));
    long got = read(n, b, sizeof b);
    for (long at = 0; at < got;) {
        struct inotify_event* e = (void*)(b + at);
        int c = 0;
        if (e->cookie) {
            while (c < cookie_count && cookies[c] != e->cookie)
                c++;
            if (c == cookie_count)
                cookies[cookie_count++] = e->cookie;
            c++;
        }
        printf("   wd %d mask %x cookie %d len %u %s\n", e->wd, e->mask, c, e->len, e->len ? e->name : "");
        at += sizeof *e + e->len;
    }
    if (got < 0)
        printf("   %s\n", ename(errno));
}
int main(void) {
    char b[64];
    mkdir("/tmp/w", 0755);
    TITLE("errors");
    CALL(inotify_init1(1));
    n = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    VALUE(fcntl(n, F_GETFD));
    VALUE(fcntl(n, F_GETFL));
    CALL(inotify_add_watch(n, "/tmp/none", IN_ALL_EVENTS));
    CALL(inotify_add_watch(n, "/tmp/w", 0));
    CALL(inotify_add_watch(0, "/tmp/w", IN_CREATE));
    CALL(inotify_add_watch(n, "/etc/data", IN_OPEN | IN_ONLYDIR));
    CALL(inotify_rm_watch(n, 9));
    show();
    TITLE("a directory");
    CALL(inotify_add_watch(n, "/tmp/w", IN_ALL_EVENTS));
    int f = open("/tmp/w/file", O_CREAT | O_RDWR, 0600);
    show();
    CALL(write(f, "hello", 5));
    CALL(write(f, "hello", 5)); // said once
    show();
    CALL(pread(f, b, 5, 0));
    show();
    CALL(fchmod(f, 0644));
    CALL(ftruncate(f, 3));
    show();
    close(f);
    show();
    CALL(mkdir("/tmp/w/sub", 0700));
    CALL(symlink("file", "/tmp/w/link"));
    CALL(link("/tmp/w/file", "/tmp/w/hard"));
    show();
    CALL(rename("/tmp/w/file", "/tmp/w/moved"));
    show();
    CALL(rename("/tmp/w/moved", "/tmp/elsewhere"));
    CALL(rename("/tmp/elsewhere", "/tmp/w/back"));
    show();
    CALL(unlink("/tmp/w/hard"));
    CALL(unlink("/tmp/w/link"));
    CALL(rmdir("/tmp/w/sub"));
    show();
    int d = open("/tmp/w", O_RDONLY | O_DIRECTORY);
    syscall(SYS_getdents64, d, (char[2048]){0}, 2048);
    close(d);
    show();
    TITLE("a file, and its end");
    CALL(inotify_add_watch(n, "/tmp/w/back", IN_ALL_EVENTS));
    f = open("/tmp/w/back", O_WRONLY | O_TRUNC);
    show();
    CALL(unlink("/tmp/w/back"));
    show();
    close(f);
    show();
    TITLE("masks");
    CALL(inotify_add_watch(n, "/tmp/w", IN_CREATE));
    CALL(inotify_add_watch(n, "/tmp/w", IN_DELETE | IN_MASK_ADD));
    CALL(inotify_add_watch(n, "/tmp/w", IN_OPEN | IN_MASK_CREATE));
    close(open("/tmp/w/one", O_CREAT | O_WRONLY, 0600));
    unlink("/tmp/w/one");
    show();
    CALL(inotify_add_watch(n, "/tmp/w", IN_CREATE | IN_ONESHOT));
    close(open("/tmp/w/two", O_CREAT | O_WRONLY, 0600));
    close(open("/tmp/w/three", O_CREAT | O_WRONLY, 0600));
    show();
    TITLE("reading");
    CALL(inotify_add_watch(n, "/tmp/w", IN_CREATE | IN_DELETE_SELF));
    close(open("/tmp/w/four", O_CREAT | O_WRONLY, 0600));
    int bytes = 0;
    CALL(ioctl(n, FIONREAD, &bytes));
    VALUE(bytes);
    CALL(read(n, b, 16));
    struct pollfd p = {n, POLLIN, 0};
    CALL(poll(&p, 1, 0));
    VALUE(p.revents);
    show();
    CALL(poll(&p, 1, 0));
    CALL(inotify_rm_watch(n, 3));
    show();
    CALL(inotify_add_watch(n, "/tmp/w/four", IN_ATTRIB | IN_MOVE_SELF));
    CALL(utimensat(AT_FDCWD, "/tmp/w/four", 0, 0));
    CALL(rename("/tmp/w/four", "/tmp/w/five"));
    show();
    return 0;
}
