/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/event_files.c - eventfd, timerfd, poll and select on every kind of file. */
#include "qemu-tests/linux/check.h"
#include <sys/timerfd.h>
int main(void) {
    uint64_t v;
    int e = eventfd(3, EFD_NONBLOCK);
    CALL(read(e, &v, 8));
    VALUE(v);
    CALL(read(e, &v, 8));
    v = 5;
    CALL(write(e, &v, 8));
    CALL(write(e, &v, 8));
    CALL(read(e, &v, 8));
    VALUE(v);
    v = -1;
    CALL(write(e, &v, 8));
    v = -2;
    CALL(write(e, &v, 8));
    v = 1;
    CALL(write(e, &v, 8));
    struct pollfd p = {e, POLLIN | POLLOUT, 0};
    CALL(poll(&p, 1, 0));
    VALUE(p.revents);
    CALL(read(e, &v, 4));
    CALL(read(e, &v, 100));
    CALL(write(e, &v, 4));
    CALL(lseek(e, 0, SEEK_SET));
    CALL(pread(e, &v, 8, 0));
    CALL(ftruncate(e, 0));
    CALL(fsync(e));
    int s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CALL(read(s, &v, 8));
    VALUE(v);
    CALL(read(s, &v, 8));
    CALL(read(s, &v, 8));
    CALL(eventfd(0, 0x40000000));
    char l[64];
    char n[32];
    sprintf(n, "/proc/self/fd/%d", e);
    int k = readlink(n, l, 63);
    l[k < 0 ? 0 : k] = 0;
    TEXT(l);
    struct stat st;
    fstat(e, &st);
    printf("mode %o\n", st.st_mode);
    CALL(fcntl(e, F_GETFL));
    CALL(dup(e) > 0);
    CALL(ioctl(e, FIONREAD, &v));
    CALL(mmap(0, 4096, PROT_READ, MAP_PRIVATE, e, 0) == MAP_FAILED ? -1 : 0);
    TITLE("timerfd");
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    VALUE(t >= 0);
    if (t >= 0) {
        struct itimerspec i = {{0, 20000000}, {0, 50000000}};
        CALL(timerfd_settime(t, 0, &i, 0));
        CALL(read(t, &v, 8));
        sleep_ms(60);
        CALL(read(t, &v, 8));
        VALUE(v >= 1);
    }
    TITLE("poll");
    int pi[2];
    pipe(pi);
    int reg = open("/etc/data", O_RDONLY), nu = open("/dev/null", O_RDWR), dir = open("/", O_RDONLY),
        pth = open("/etc/data", O_PATH);
    struct pollfd f[8] = {{pi[0], POLLIN | POLLPRI, 0},
                          {pi[1], POLLOUT | POLLIN, 0},
                          {reg, POLLIN | POLLOUT, 0},
                          {nu, -1, 0},
                          {dir, POLLIN | POLLOUT, 0},
                          {pth, POLLIN, 0},
                          {99, POLLIN, 0},
                          {-1, POLLIN, 0}};
    CALL(poll(f, 8, 0));
    for (int i = 0; i < 8; i++)
        printf("%d: %x\n", i, f[i].revents);
    close(pi[1]);
    CALL(poll(f, 1, 0));
    VALUE(f[0].revents);
    int pj[2];
    pipe(pj);
    close(pj[0]);
    f[0].fd = pj[1];
    f[0].events = POLLOUT;
    CALL(poll(f, 1, 0));
    VALUE(f[0].revents);
    f[0].events = 0;
    CALL(poll(f, 1, 0));
    VALUE(f[0].revents);
    write(1, "", 0);
    f[0].fd = 1;
    f[0].events = POLLIN | POLLOUT;
    CALL(poll(f, 1, 0));
    VALUE(f[0].revents & POLLOUT);
    f[0].fd = 0;
    CALL(poll(f, 1, 0));
    VALUE(f[0].revents);
    CALL(poll((void*)8, 1, 0));
    CALL(poll(0, 0, 10));
    CALL(poll(f, 100000, 0));
    TITLE("select");
    fd_set r, w;
    int pk[2];
    pipe(pk);
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(pk[0], &r);
    FD_SET(pk[1], &w);
    struct timeval tv = {0, 50000};
    CALL(select(64, &r, &w, 0, &tv));
    VALUE(FD_ISSET(pk[0], &r));
    VALUE(FD_ISSET(pk[1], &w));
    VALUE(tv.tv_usec > 40000);
    FD_ZERO(&r);
    FD_SET(pk[0], &r);
    tv.tv_usec = 50000;
    CALL(select(64, &r, 0, 0, &tv));
    VALUE(tv.tv_usec);
    FD_ZERO(&r);
    FD_SET(50, &r);
    CALL(select(64, &r, 0, 0, &tv));
    CALL(select(-1, &r, 0, 0, &tv));
    tv.tv_usec = -1;
    CALL(select(0, 0, 0, 0, &tv));
    tv.tv_usec = 0;
    tv.tv_sec = -1;
    CALL(select(0, 0, 0, 0, &tv));
    tv.tv_sec = 0;
    tv.tv_usec = 2000000;
    FD_ZERO(&r);
    FD_SET(pk[0], &r);
    write(pk[1], "a", 1);
    CALL(select(64, &r, 0, 0, &tv));
    close(pk[1]);
    FD_ZERO(&r);
    FD_SET(pk[0], &r);
    read(pk[0], &v, 1);
    CALL(select(64, &r, 0, 0, 0));
    struct timespec ts = {0, 30000000};
    CALL(syscall(SYS_ppoll, 0, 0, &ts, 0, 8));
    VALUE(ts.tv_nsec);
    ts.tv_nsec = 300000000;
    struct pollfd q = {pi[0], POLLIN, 0};
    CALL(syscall(SYS_ppoll, &q, 1, &ts, 0, 8));
    VALUE(ts.tv_nsec > 200000000 && ts.tv_nsec < 300000000);
    return 0;
}
