/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/terminal_jobs.c - A session on a pseudo-terminal: signals of the keyboard, stops of the background, the end of either side. */
#include "qemu-tests/linux/check.h"
#include <termios.h>
static int m;
static char name[64];
static void make(void) {
    int n = 0, l = 0;
    m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ioctl(m, TIOCGPTN, &n);
    ioctl(m, TIOCSPTLCK, &l);
    snprintf(name, sizeof name, "/dev/pts/%d", n);
}
static void settle(void) {
    sleep_ms(20);
}
static void status(pid_t child, int options) {
    int s = 0;
    pid_t got = waitpid(child, &s, options);
    if (got < 0 || (child > 0 && got != child))
        printf("   %s\n", got < 0 ? ename(errno) : "another");
    else
        printf("   status %x\n", s);
}
static void type(const char* text) {
    write(m, text, strlen(text));
    settle();
}
static void show(void) {
    char b[300];
    fcntl(m, F_SETFL, O_NONBLOCK);
    settle();
    long n = read(m, b, sizeof b);
    printf("   %ld ", n);
    for (long i = 0; i < n; i++)
        printf(b[i] < 32 || b[i] > 126 ? "\\x%02x" : "%c", b[i] & 255);
    printf("\n");
}
static pid_t begin(void) { // a child that leads a session on the terminal
    pid_t child = fork();
    if (child == 0) {
        close(m);
        setsid();
        int s = open(name, O_RDWR);
        dup2(s, 0), dup2(s, 2);
    }
    return child;
}
int main(void) {
    char b[100];
    make();
    TITLE("the keyboard's signals");
    pid_t child = begin();
    if (child == 0) {
        printf("%d %d %d\n", tcgetpgrp(0) == getpid(), tcgetsid(0) == getpid(), open("/dev/tty", O_RDWR) >= 0);
        pause();
    }
    settle();
    type("\x03");
    status(child, 0);
    child = begin();
    if (child == 0)
        pause();
    settle();
    type("\x1c");
    int s = 0;
    waitpid(child, &s, 0);
    VALUE(WTERMSIG(s));
    TITLE("stop and go on");
    child = begin();
    if (child == 0) {
        signal(SIGHUP, SIG_IGN);
        pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            settle();
            long n = read(0, b, sizeof b);
            printf("job read %ld\n", n);
            _exit(5);
        }
        setpgid(job, job);
        status(job, WUNTRACED); // it read in the background
        tcsetpgrp(0, job);
        kill(-job, SIGCONT);
        status(job, WUNTRACED); // ^Z
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(0, getpid());
        tcsetpgrp(0, job);
        kill(-job, SIGCONT);
        status(job, WUNTRACED); // it has read
        tcsetpgrp(0, getpid());
        _exit(0);
    }
    sleep_ms(100);
    type("\x1a");
    sleep_ms(50);
    type("line\n");
    status(child, 0);
    show();
    TITLE("the background writes");
    child = begin();
    if (child == 0) {
        struct termios t;
        tcgetattr(0, &t);
        t.c_lflag |= TOSTOP;
        tcsetattr(0, TCSANOW, &t);
        pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            settle();
            write(2, "job", 3);
            _exit(6);
        }
        setpgid(job, job);
        status(job, WUNTRACED);
        kill(job, SIGKILL);
        status(job, 0);
        _exit(0);
    }
    status(child, 0);
    TITLE("the leader ends");
    child = begin();
    if (child == 0) {
        if (fork() == 0) {
            settle();
            settle();
            settle();
            pause();
        }
        settle();
        _exit(0);
    }
    status(child, 0);
    status(-1, 0); // its child, hung up, is ours now
    show();
    TITLE("the terminal ends");
    child = begin();
    if (child == 0)
        for (;;)
            pause();
    settle();
    close(m);
    status(child, 0);
    return 0;
}
