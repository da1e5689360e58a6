/* SPDX-License-Identifier: Apache-2.0 */
/* Signals for input and output: owners, F_SETSIG, O_ASYNC, urgent data. */
#include "qemu-tests/linux/sockets/sockets.h"

static volatile int got_signal, got_code, got_fd, signals;
static volatile long got_band;
static void handler(int number, siginfo_t* info, void* context) {
    (void)context;
    got_signal = number;
    got_code = info->si_code;
    got_fd = info->si_fd;
    got_band = info->si_band;
    ++signals;
}
static void shown(const char* what) {
    sleep_ms(5);
    if (signals == 0)
        printf("%s: no signal\n", what);
    else if (got_code == SI_KERNEL)
        printf("%s: %d from the kernel, times %d\n", what, got_signal, signals > 0);
    else
        printf("%s: %d code %d band %lx fd %d\n", what, got_signal, got_code, got_band, got_fd);
    signals = 0;
    got_code = 0;
}
#define SHOWN(call)                                                                                          \
    do {                                                                                                     \
        call;                                                                                                \
        shown(#call);                                                                                        \
    } while (0)
static int on = 1, off = 0;

static void owners(int s) {
    TITLE("owners");
    struct f_owner_ex owner = {-1, -1};
    CALL(fcntl(s, F_GETOWN));
    CALL(fcntl(s, F_GETOWN_EX, &owner));
    VALUE(owner.type);
    VALUE(owner.pid);
    CALL(fcntl(s, F_SETOWN, 99999));
    CALL(fcntl(s, F_SETOWN, -99999));
    CALL(fcntl(s, F_SETOWN, INT_MIN));
    CALL(fcntl(s, F_SETOWN, getpid()));
    CALL(fcntl(s, F_GETOWN) == getpid());
    CALL(fcntl(s, F_SETOWN, -getpgrp()));
    CALL(syscall(SYS_fcntl, s, F_GETOWN) == -getpgrp());
    CALL(fcntl(s, F_GETOWN_EX, &owner));
    VALUE(owner.type);
    VALUE(owner.pid == getpgrp());
    owner.type = F_OWNER_TID;
    owner.pid = gettid();
    CALL(fcntl(s, F_SETOWN_EX, &owner));
    CALL(fcntl(s, F_GETOWN) == gettid());
    owner.type = 3;
    CALL(fcntl(s, F_SETOWN_EX, &owner));
    owner.type = F_OWNER_PID;
    owner.pid = 99999;
    CALL(fcntl(s, F_SETOWN_EX, &owner));
    CALL(fcntl(s, F_SETOWN_EX, (void*)8));
    CALL(fcntl(s, F_SETOWN, 0));
    CALL(fcntl(s, F_GETOWN));
    CALL(fcntl(s, F_SETSIG, 65));
    CALL(fcntl(s, F_SETSIG, -1));
    CALL(fcntl(s, F_SETSIG, SIGUSR1));
    CALL(fcntl(s, F_GETSIG));
    CALL(fcntl(s, F_SETSIG, 0));
    CALL(fcntl(s, F_GETSIG));
    int number = getpid();
    CALL(ioctl(s, FIOSETOWN, &number));
    number = 0;
    CALL(ioctl(s, FIOGETOWN, &number));
    VALUE(number == getpid());
    number = 0;
    CALL(ioctl(s, SIOCGPGRP, &number));
    VALUE(number == getpid());
    const int child = fork();
    if (child == 0)
        for (;;)
            pause();
    CALL(fcntl(s, F_SETOWN, child));
    CALL(fcntl(s, F_GETOWN) == child);
    kill(child, SIGKILL);
    waitpid(child, 0, 0);
    CALL(fcntl(s, F_GETOWN));
    CALL(fcntl(s, F_SETOWN, 0));
}

static void kinds(void) {
    TITLE("what tells");
    int ends[2], set = epoll_create1(0), event = eventfd(0, 0), file = open("/tmp/f", O_RDWR | O_CREAT, 0600);
    pipe(ends);
    const int null = open("/dev/null", O_RDWR);
    CALL(ioctl(ends[0], FIOASYNC, &on));
    CALL(ioctl(set, FIOASYNC, &on));
    CALL(ioctl(event, FIOASYNC, &on));
    CALL(ioctl(file, FIOASYNC, &on));
    CALL(ioctl(null, FIOASYNC, &on));
    CALL(fcntl(ends[0], F_GETFL) & O_ASYNC);
    CALL(fcntl(file, F_GETFL) & O_ASYNC);
    CALL(fcntl(file, F_SETFL, O_ASYNC));
    CALL(fcntl(file, F_GETFL) & O_ASYNC);
    CALL(fcntl(file, F_SETOWN, getpid()));
    CALL(ioctl(file, FIOSETOWN, &on));
    CALL(ioctl(ends[0], FIOASYNC, (void*)8));
    close_all();
}

static void streams(const char* title, int a, int b) {
    TITLE(title);
    char text[100];
    SHOWN(write(b, "a", 1));
    CALL(ioctl(a, FIOASYNC, &on));
    SHOWN(write(b, "b", 1));
    CALL(fcntl(a, F_SETOWN, getpid()));
    SHOWN(write(b, "c", 1));
    SHOWN(write(b, "d", 1));
    SHOWN(read(a, text, 2));
    CALL(fcntl(a, F_SETSIG, SIGRTMIN + 2));
    SHOWN(write(b, "e", 1));
    const int copy = dup(a);
    SHOWN(write(b, "f", 1));
    close(copy);
    CALL(fcntl(a, F_SETSIG, SIGIO));
    SHOWN(write(b, "g", 1));
    CALL(fcntl(a, F_SETFL, 0));
    SHOWN(write(b, "h", 1));
    CALL(fcntl(a, F_SETFL, O_ASYNC | O_NONBLOCK));
    CALL(fcntl(a, F_GETFL));
    SHOWN(write(b, "i", 1));
    read(a, text, sizeof text);
    SHOWN(write(b, "j", 1));
    read(a, text, sizeof text);
    /* room again */
    static char block[60000];
    memset(block, 1, sizeof block);
    while (write(a, block, sizeof block) > 0)
        ;
    signals = 0;
    while (recv(b, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    shown("room again");
    CALL(fcntl(a, F_SETSIG, 0));
    SHOWN(write(b, "k", 1));
    SHOWN(shutdown(b, SHUT_WR));
    SHOWN(close(b));
    close(a);
}

static void urgent(void) {
    TITLE("urgent data");
    const int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    set(l, SOL_SOCKET, SO_REUSEADDR, 1);
    struct sockaddr_in at = in4("127.0.0.1", 2350);
    bind(l, AT(at));
    listen(l, 1);
    CALL(fcntl(l, F_SETOWN, getpid()));
    CALL(ioctl(l, FIOASYNC, &on));
    SHOWN(connect(c, AT(at)));
    const int s = accept(l, 0, 0);
    CALL(fcntl(s, F_GETFL));
    CALL(fcntl(s, F_GETOWN));
    SHOWN(send(c, "a", 1, MSG_OOB));
    CALL(fcntl(s, F_SETOWN, getpid()));
    SHOWN(send(c, "b", 1, 0));
    SHOWN(send(c, "cd", 2, MSG_OOB));
    RECV(s, 10, MSG_OOB);
    RECV(s, 10, 0);
    SHOWN(close(c));
    close_all();
}

static void child_owner(void) {
    TITLE("a group, and another user's process");
    int v[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    const int child = fork();
    if (child == 0) {
        setpgid(0, 0);
        signals = 0;
        setresuid(1000, 1000, 1000);
        write(v[0], "x", 1);
        for (int i = 0; i < 200 && signals == 0; i++)
            sleep_ms(5);
        _exit(signals > 0);
    }
    char text[10];
    read(v[1], text, 1);
    CALL(fcntl(v[1], F_SETOWN, -child));
    CALL(ioctl(v[1], FIOASYNC, &on));
    write(v[0], "y", 1);
    int status = 0;
    waitpid(child, &status, 0);
    VALUE(WEXITSTATUS(status));
    close_all();
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGIO, &action, 0);
    sigaction(SIGURG, &action, 0);
    sigaction(SIGRTMIN + 2, &action, 0);
    int v[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    owners(v[0]);
    kinds();
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    streams("a local stream", v[0], v[1]);
    urgent();
    child_owner();
    VALUE(off);
    return 0;
}
