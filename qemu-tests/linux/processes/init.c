/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/init.c - what PID 1 of a container does not get, and how it and all others end.
 * init HOW: exit, killed, abort, fault, thread, orphans. */
#include "qemu-tests/linux/check.h"
static volatile int got;
static void note(int number) { got = number; }
static void* rest(void* argument) {
    (void)argument;
    sleep_ms(50);
    printf("the other thread ends\n");
    return 0;
}
int main(int argc, char** argv) {
    const char* how = argc > 1 ? argv[1] : "exit";
    int status = 0;
    VALUE(getpid());
    CALL(kill(1, SIGKILL));
    CALL(kill(1, SIGSTOP));
    CALL(raise(SIGTERM));
    CALL(raise(SIGTSTP));
    CALL(raise(SIGUSR1));
    int p = fork();
    if (p == 0) {
        const int signals[] = {SIGKILL, SIGSTOP, SIGTERM, SIGINT, SIGQUIT, SIGABRT, SIGSEGV, SIGTSTP, SIGRTMIN};
        for (int i = 0; i < 9; i++)
            kill(1, signals[i]);
        _exit(0);
    }
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, 0);
    raise(SIGTERM);
    sigpending(&pending);
    VALUE(sigismember(&pending, SIGTERM));
    sigprocmask(SIG_UNBLOCK, &set, 0);
    signal(SIGTERM, note);
    raise(SIGTERM);
    VALUE(got);
    p = fork();
    if (p == 0) {
        signal(SIGTERM, SIG_DFL);
        raise(SIGTERM); /* nothing special about a child */
        _exit(0);
    }
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    if (!strcmp(how, "exit"))
        return 0x105;
    if (!strcmp(how, "killed")) {
        if (fork() == 0)
            for (;;)
                kill(1, SIGKILL);
        sleep_ms(30);
        return 9;
    }
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "fault"))
        *(volatile int*)0 = 1;
    if (!strcmp(how, "thread")) {
        pthread_t thread;
        pthread_create(&thread, 0, rest, 0);
        syscall(SYS_exit, 13);
    }
    if (!strcmp(how, "orphans")) { /* they end with PID 1 */
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                for (;;)
                    sleep_ms(1000);
        return 21;
    }
    return 1;
}
