/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/timerfd.c - Timers that are read as files: arming, periods, the clock of the day, epoll. */
#include "qemu-tests/linux/check.h"
#include <sys/timerfd.h>
int main(void) {
    uint64_t v = 0;
    struct itimerspec i = {{0, 0}, {0, 0}}, o;
    int t = timerfd_create(CLOCK_MONOTONIC, 0);
    TITLE("errors");
    CALL(timerfd_create(3, 0));
    CALL(timerfd_create(1, 5));
    CALL(timerfd_settime(0, 0, &i, 0));
    CALL(timerfd_settime(t, 8, &i, 0));
    CALL(timerfd_settime(t, 0, (void*)8, 0));
    i.it_value.tv_nsec = 1000000000;
    CALL(timerfd_settime(t, 0, &i, 0));
    TITLE("once");
    i.it_value.tv_nsec = 30000000;
    CALL(timerfd_settime(t, 0, &i, 0));
    CALL(read(t, &v, 4));
    CALL(read(t, &v, 8));
    VALUE(v);
    CALL(timerfd_gettime(t, &o));
    VALUE(o.it_value.tv_sec + o.it_value.tv_nsec);
    TITLE("again and again, in a set");
    int e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN, {.fd = 1}}, g;
    CALL(epoll_ctl(e, EPOLL_CTL_ADD, t, &ev));
    CALL(epoll_wait(e, &g, 1, 0));
    i.it_interval.tv_nsec = 20000000;
    CALL(timerfd_settime(t, 0, &i, &o));
    CALL(epoll_wait(e, &g, 1, 1000));
    sleep_ms(100);
    CALL(read(t, &v, 8));
    VALUE(v >= 4);
    CALL(timerfd_gettime(t, &o));
    VALUE(o.it_value.tv_nsec > 0 && o.it_value.tv_nsec <= 20000000 && o.it_interval.tv_nsec == 20000000);
    memset(&i, 0, sizeof i);
    CALL(timerfd_settime(t, 0, &i, &o));
    CALL(epoll_wait(e, &g, 1, 50));
    TITLE("a time of day that is past");
    int c = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    clock_gettime(CLOCK_REALTIME, &i.it_value);
    i.it_value.tv_sec -= 1;
    CALL(timerfd_settime(c, TFD_TIMER_ABSTIME, &i, 0));
    sleep_ms(20);
    CALL(read(c, &v, 8));
    VALUE(v);
    CALL(write(c, &v, 8));
    CALL(lseek(c, 0, SEEK_SET));
    close(t);
    CALL(epoll_wait(e, &g, 1, 30));
    return 0;
}
