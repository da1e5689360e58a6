/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/descriptors.c - pidfds: opened, polled, waited for, signalled, made by clone; /proc of other processes. */
#include "qemu-tests/linux/check.h"
#define OPEN(p, f) ((int)syscall(434, p, f))
#define SEND(fd, n) syscall(424, fd, n, 0, 0)
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
static int status;
static int idle(void) {
    const int p = fork();
    if (p == 0)
        for (;;)
            pause();
    return p;
}
static short polled(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    poll(&p, 1, ms);
    return p.revents;
}
static void show(const char* format, int p, int column) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, format, p);
    const int f = open(path, O_RDONLY);
    const long bytes = read(f, text, sizeof text - 1);
    if (f < 0 || bytes < 0) {
        printf("%s: %s\n", format, ename(errno));
        return;
    }
    for (long i = 0; i + 1 < bytes; i++)
        if (text[i] == 0)
            text[i] = ' ';
    char* from = text;
    for (int i = 1; column > 0 && i < column; i++)
        from = strchr(from, ' ') + 1;
    if (column > 0)
        *strchr(from, ' ') = 0;
    printf("%s: %s%s", format, from, from[strlen(from) - 1] == '\n' ? "" : "\n");
    close(f);
}
static void link_of(const char* format, int p) {
    char path[64], to[128] = "";
    snprintf(path, sizeof path, format, p);
    errno = 0;
    const long n = readlink(path, to, sizeof to - 1);
    printf("%s -> %s\n", format, n < 0 ? ename(errno) : to);
}
int main(void) {
    int p = idle();
    int fd = OPEN(p, 0);
    VALUE(fd >= 0);
    VALUE(fcntl(fd, F_GETFD));
    CALL(OPEN(-1, 0));
    CALL(OPEN(0, 0));
    CALL(OPEN(99999, 0));
    CALL(OPEN(p, 1));
    VALUE(polled(fd, 0));
    siginfo_t info;
    memset(&info, 0, sizeof info);
    CALL(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    CALL(waitid(P_PIDFD, 99, &info, WEXITED));
    CALL(waitid(P_PIDFD, 1, &info, WEXITED));
    CALL(SEND(fd, 0));
    CALL(SEND(fd, 65));
    CALL(SEND(1, 0));
    CALL(SEND(fd, SIGTERM));
    VALUE(polled(fd, 1000));
    CALL(SEND(fd, 0));
    CALL(waitid(P_PIDFD, fd, &info, WEXITED));
    VALUE(info.si_pid == p);
    VALUE(info.si_status);
    VALUE(polled(fd, 0) & POLLIN);
    CALL(SEND(fd, 0));
    CALL(waitid(P_PIDFD, fd, &info, WEXITED));
    char c;
    CALL(read(fd, &c, 1));
    CALL(write(fd, &c, 1));
    CALL(lseek(fd, 0, SEEK_SET));
    close(fd);
    TITLE("made by clone");
    int made = -1;
    p = (int)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &made, 0, 0);
    if (p == 0)
        _exit(3);
    VALUE(made >= 0);
    VALUE(fcntl(made, F_GETFD));
    int e = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    CALL(epoll_ctl(e, EPOLL_CTL_ADD, made, &event));
    VALUE(epoll_wait(e, &event, 1, 1000));
    VALUE(event.events);
    CALL(waitid(P_PIDFD, made, &info, WEXITED));
    VALUE(info.si_status);
    struct {
        unsigned long flags, pidfd, child, parent, signal, stack, bytes, tls;
    } a = {.flags = CLONE_PIDFD, .pidfd = (unsigned long)&made, .signal = SIGCHLD};
    p = (int)syscall(435, &a, sizeof a);
    if (p == 0)
        for (;;)
            pause();
    VALUE(p > 0 && made > 0);
    fd = OPEN(p, O_NONBLOCK);
    CALL(waitid(P_PIDFD, fd, &info, WEXITED));
    CALL(SEND(made, SIGKILL));
    VALUE(waitpid(p, &status, 0) == p);
    CALL(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &made, 0, 0));
    a.flags = CLONE_NEWNS;
    a.signal = 200;
    CALL(syscall(435, &a, sizeof a));
    TITLE("/proc of others");
    p = idle();
    sleep_ms(20);
    show("/proc/%d/comm", p, 0);
    show("/proc/%d/cmdline", p, 0);
    show("/proc/%d/stat", p, 2);
    show("/proc/%d/stat", p, 3);
    show("/proc/%d/stat", p, 4);
    show("/proc/%d/stat", p, 20);
    link_of("/proc/%d/exe", p);
    link_of("/proc/%d/cwd", p);
    link_of("/proc/%d/root", p);
    kill(p, SIGSTOP);
    waitpid(p, &status, WUNTRACED);
    show("/proc/%d/stat", p, 3);
    kill(p, SIGKILL);
    waitid(P_PID, p, &info, WEXITED | WNOWAIT);
    show("/proc/%d/stat", p, 3);
    show("/proc/%d/comm", p, 0);
    show("/proc/%d/maps", p, 0);
    link_of("/proc/%d/cwd", p);
    waitpid(p, &status, 0);
    show("/proc/%d/stat", p, 3);
    p = fork();
    if (p == 0) {
        char self[64] = "", number[16];
        readlink("/proc/self", self, sizeof self - 1);
        snprintf(number, sizeof number, "%d", getpid());
        VALUE(strcmp(self, number));
        execl("/bin/sh", "sh", "-c", "read a < /proc/$$/comm; echo $a; read a < /proc/self/comm; echo $a; exit 0", (char*)0);
    }
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    return 0;
}
