/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/waiting.c - wait4 and waitid with all their options, SIGCHLD and its information, children that
 * nobody waits for, stopped and continued children. */
#include "qemu-tests/linux/check.h"
#define W(expression) (memset(&info, 0, sizeof info), expression)
static siginfo_t info;
static int status;
static volatile int heard, code, told, who;
static void on_child(int number, siginfo_t* i, void* context) {
    (void)number, (void)context;
    heard++;
    code = i->si_code;
    told = i->si_status;
    who = i->si_pid;
}
static int start(int how) {
    const int p = fork();
    if (p == 0) {
        if (how < 0)
            raise(-how);
        if (how == 1000)
            for (;;)
                pause();
        _exit(how);
    }
    return p;
}
static void handle(int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_child;
    action.sa_flags = SA_SIGINFO | SA_RESTART | flags;
    sigaction(SIGCHLD, &action, 0);
}
static void until_heard(int count) {
    for (int i = 0; heard < count && i < 400; i++)
        sleep_ms(5);
}
static char stack[65536] __attribute__((aligned(16)));
static int quit(void* argument) {
    (void)argument;
    _exit(6);
}
static void* wait_in_thread(void* argument) {
    int s = 0;
    VALUE(waitpid((int)(long)argument, &s, 0) == (int)(long)argument);
    VALUE(WEXITSTATUS(s));
    return 0;
}
int main(void) {
    /* not as PID 1 */
    int top = fork();
    if (top != 0) {
        waitpid(top, &status, 0);
        printf("top %d\n", status);
        return 0;
    }
    setpgid(0, 0); /* with a parent outside: SIGTSTP stops only such a group */
    TITLE("nobody there");
    CALL(wait4(-1, &status, 0, 0));
    CALL(wait4(99999, &status, WNOHANG, 0));
    CALL(waitid(P_ALL, 0, &info, WEXITED));
    CALL(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
    CALL(waitid(P_ALL, 0, &info, 0));
    CALL(waitid(P_PID, 0, &info, WEXITED));
    CALL(waitid(9, 0, &info, WEXITED));
    CALL(syscall(SYS_wait4, -1, 0, 0x10000000, 0));
    TITLE("plain");
    int p = start(3);
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    p = start(-SIGKILL);
    VALUE(waitpid(-1, &status, 0) == p);
    VALUE(status);
    TITLE("WNOHANG");
    p = start(1000);
    CALL(waitpid(p, &status, WNOHANG));
    CALL(W(waitid(P_PID, p, &info, WEXITED | WNOHANG)));
    VALUE(info.si_pid);
    CALL(kill(p, SIGTERM));
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    TITLE("WNOWAIT, waitid");
    p = start(9);
    CALL(W(waitid(P_PID, p, &info, WEXITED | WNOWAIT)));
    VALUE(info.si_pid == p);
    VALUE(info.si_code);
    VALUE(info.si_status);
    VALUE(info.si_signo);
    VALUE(info.si_uid);
    CALL(kill(p, 0));
    CALL(W(waitid(P_ALL, 0, &info, WEXITED)));
    VALUE(info.si_status);
    CALL(kill(p, 0));
    p = start(-SIGTERM);
    CALL(W(waitid(P_PGID, 0, &info, WEXITED)));
    VALUE(info.si_code);
    VALUE(info.si_status);
    TITLE("only stopped ones asked for");
    p = start(0);
    sleep_ms(20);
    CALL(waitid(P_PID, p, &info, WSTOPPED | WNOHANG));
    VALUE(waitpid(p, &status, 0) == p);
    TITLE("stopped and continued");
    handle(0);
    p = start(1000);
    heard = 0;
    CALL(kill(p, SIGSTOP));
    VALUE(waitpid(p, &status, WUNTRACED) == p);
    VALUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    VALUE(status);
    until_heard(1);
    VALUE(heard);
    VALUE(code);
    VALUE(told);
    CALL(waitpid(p, &status, WUNTRACED | WNOHANG));
    CALL(kill(p, SIGCONT));
    VALUE(waitpid(p, &status, WCONTINUED) == p);
    VALUE(WIFCONTINUED(status));
    VALUE(status);
    until_heard(2);
    VALUE(heard);
    VALUE(code);
    VALUE(told);
    CALL(kill(p, SIGTSTP));
    CALL(W(waitid(P_PID, p, &info, WSTOPPED | WNOWAIT)));
    VALUE(info.si_code);
    VALUE(info.si_status);
    CALL(W(waitid(P_PID, p, &info, WSTOPPED)));
    CALL(W(waitid(P_PID, p, &info, WSTOPPED | WNOHANG)));
    VALUE(info.si_pid);
    TITLE("a stopped one takes SIGTERM when it goes on, SIGKILL at once");
    CALL(kill(p, SIGTERM));
    sleep_ms(10);
    CALL(waitpid(p, &status, WNOHANG));
    CALL(kill(p, SIGCONT));
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    p = start(1000);
    kill(p, SIGSTOP);
    waitpid(p, &status, WUNTRACED);
    kill(p, SIGKILL);
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(status);
    TITLE("SIGCHLD at an end");
    heard = 0;
    p = start(12);
    until_heard(1);
    VALUE(heard);
    VALUE(code);
    VALUE(told);
    VALUE(who == p);
    VALUE(waitpid(p, &status, 0) == p);
    heard = 0;
    p = start(-SIGUSR1);
    until_heard(1);
    VALUE(code);
    VALUE(told);
    VALUE(waitpid(p, &status, 0) == p);
    TITLE("SA_NOCLDSTOP");
    handle(SA_NOCLDSTOP);
    heard = 0;
    p = start(1000);
    kill(p, SIGSTOP);
    VALUE(waitpid(p, &status, WUNTRACED) == p);
    kill(p, SIGCONT);
    VALUE(waitpid(p, &status, WCONTINUED) == p);
    VALUE(heard);
    kill(p, SIGKILL);
    until_heard(1);
    VALUE(heard);
    VALUE(waitpid(p, &status, 0) == p);
    TITLE("SA_NOCLDWAIT");
    handle(SA_NOCLDWAIT);
    heard = 0;
    p = start(1);
    until_heard(1);
    VALUE(heard);
    CALL(waitpid(p, &status, 0));
    TITLE("SIGCHLD ignored");
    signal(SIGCHLD, SIG_IGN);
    p = start(2);
    int q = start(1000);
    CALL(waitpid(p, &status, 0));
    kill(q, SIGKILL);
    CALL(waitpid(-1, &status, 0));
    signal(SIGCHLD, SIG_DFL);
    TITLE("clone with another signal, or none");
    handle(0);
    heard = 0;
    p = clone(quit, stack + sizeof stack, SIGUSR2, 0);
    signal(SIGUSR2, SIG_IGN);
    sleep_ms(20);
    CALL(waitpid(p, &status, 0));
    CALL(waitpid(p, &status, WNOHANG));
    VALUE(waitpid(p, &status, __WALL) == p);
    VALUE(status);
    p = clone(quit, stack + sizeof stack, 0, 0);
    VALUE(waitpid(-1, &status, __WCLONE) == p);
    VALUE(status);
    VALUE(heard);
    TITLE("which one");
    p = start(1);
    q = start(2);
    sleep_ms(30);
    VALUE(waitpid(-1, &status, 0) == p);
    VALUE(waitpid(-1, &status, 0) == q);
    p = start(1);
    q = start(2);
    VALUE(waitpid(q, &status, 0) == q);
    VALUE(waitpid(0, &status, 0) == p);
    TITLE("EINTR, and restarted");
    p = start(1000);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_child;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGALRM, &action, 0);
    const struct itimerval soon = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &soon, 0);
    CALL(waitpid(p, &status, 0));
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGALRM, &action, 0);
    q = fork();
    if (q == 0) {
        sleep_ms(60);
        kill(p, SIGKILL);
        _exit(0);
    }
    setitimer(ITIMER_REAL, &soon, 0);
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(waitpid(q, &status, 0) == q);
    TITLE("in a thread, and the usage of children");
    signal(SIGCHLD, SIG_DFL);
    p = start(8);
    pthread_t thread;
    pthread_create(&thread, 0, wait_in_thread, (void*)(long)p);
    pthread_join(thread, 0);
    struct rusage usage;
    p = fork();
    if (p == 0) {
        const long long end = now_ms() + 120;
        volatile unsigned long x = 0;
        while (now_ms() < end)
            x++;
        _exit(0);
    }
    memset(&usage, 0, sizeof usage);
    VALUE(wait4(p, &status, 0, &usage) == p);
    CALL(getrusage(RUSAGE_CHILDREN, &usage));
    return 0;
}
