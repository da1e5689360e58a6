/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/family.c - groups and sessions, kill to all kinds of targets, orphans, subreapers, death signals. */
#include "qemu-tests/linux/check.h"
static int status;
static int idle(void) {
    const int p = fork();
    if (p == 0)
        for (;;)
            pause();
    return p;
}
static int end(int p) {
    status = -1;
    waitpid(p, &status, 0);
    return status;
}
static int value_of(int* pipe) {
    int value = -1;
    read(pipe[0], &value, sizeof value);
    return value;
}
static void put(int* pipe, int value) { write(pipe[1], &value, sizeof value); }
static volatile int got;
static void note(int number) { got = number; }
int main(void) {
    TITLE("PID 1");
    VALUE(getpid());
    VALUE(getppid());
    int top = fork();
    if (top != 0) {
        int orphans = 0;
        while (waitpid(-1, &status, 0) > 0)
            orphans += WIFEXITED(status) && WEXITSTATUS(status) == 77;
        VALUE(orphans);
        return 0;
    }
    int pipes[2];
    pipe(pipes);
    TITLE("groups");
    VALUE(setsid() == getpid());
    CALL(setpgid(0, 0));
    VALUE(getpgrp() == getpid());
    VALUE(getpgid(0) == getpid());
    CALL(getpgid(99999));
    CALL(getsid(99999));
    CALL(setpgid(0, -1));
    CALL(setpgid(99999, 0));
    CALL(setpgid(1, 0));
    CALL(setpgid(0, 99999));
    int p = idle();
    VALUE(getpgid(p) == getpid());
    CALL(setpgid(p, p));
    VALUE(getpgid(p) == p);
    int q = idle();
    CALL(setpgid(q, p));
    VALUE(getpgid(q) == p);
    CALL(setpgid(q, 99999));
    CALL(kill(-p, SIGTERM));
    VALUE(end(p));
    VALUE(end(q));
    CALL(kill(-p, 0));
    TITLE("a child that has a program");
    p = fork();
    if (p == 0) {
        execl("/bin/sh", "sh", "-c", "sleep 5", (char*)0);
        _exit(1);
    }
    sleep_ms(100);
    CALL(setpgid(p, p));
    kill(p, SIGKILL);
    end(p);
    TITLE("sessions");
    p = fork();
    if (p == 0) {
        VALUE(setsid() == getpid());
        VALUE(getsid(0) == getpid() && getpgrp() == getpid());
        CALL(setsid());
        CALL(setpgid(0, 0));
        CALL(setpgid(0, getppid()));
        const int child = idle();
        CALL(setpgid(child, getpgid(getppid())));
        kill(child, SIGKILL);
        end(child);
        _exit(0);
    }
    VALUE(end(p));
    p = fork();
    if (p == 0) {
        setsid();
        put(pipes, 1);
        for (;;)
            pause();
    }
    value_of(pipes);
    CALL(setpgid(p, getpgrp()));
    VALUE(getsid(p) == p);
    kill(p, SIGKILL);
    end(p);
    TITLE("kill");
    CALL(kill(99999, 0));
    CALL(kill(-99999, 0));
    CALL(kill(getpid(), 65));
    CALL(kill(1, 0));
    CALL(syscall(SYS_tgkill, getpid(), getpid(), 0));
    CALL(syscall(SYS_tgkill, 1, getpid(), 0));
    CALL(syscall(SYS_tkill, 99999, 0));
    CALL(syscall(SYS_tkill, 0, 0));
    signal(SIGUSR1, note);
    p = idle();
    q = fork();
    if (q == 0) {
        signal(SIGUSR1, SIG_IGN);
        CALL(kill(0, SIGUSR1));
        _exit(0);
    }
    VALUE(end(q));
    VALUE(got == SIGUSR1);
    CALL(kill(p, 0)); /* it has the handler too */
    kill(p, SIGKILL);
    VALUE(end(p));
    TITLE("a signal with a value to another process");
    p = fork();
    if (p == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        sigprocmask(SIG_BLOCK, &set, 0);
        put(pipes, 1);
        siginfo_t info;
        const int number = sigwaitinfo(&set, &info);
        _exit(number == SIGRTMIN && info.si_code == SI_QUEUE && info.si_pid == getppid() ? info.si_value.sival_int : 0);
    }
    value_of(pipes);
    CALL(sigqueue(p, SIGRTMIN, (union sigval){.sival_int = 33}));
    VALUE(WEXITSTATUS(end(p)));
    siginfo_t forged;
    memset(&forged, 0, sizeof forged);
    forged.si_code = SI_USER;
    p = idle();
    CALL(syscall(SYS_rt_sigqueueinfo, p, SIGUSR2, &forged));
    forged.si_code = SI_QUEUE;
    CALL(syscall(SYS_rt_sigqueueinfo, p, SIGUSR2, &forged));
    VALUE(end(p));
    TITLE("orphans");
    p = fork();
    if (p == 0) {
        const int inner = fork();
        if (inner == 0) {
            while (getppid() != 1)
                sleep_ms(5);
            put(pipes, getppid());
            _exit(77);
        }
        _exit(0);
    }
    VALUE(end(p));
    VALUE(value_of(pipes));
    TITLE("a subreaper");
    int on = -1;
    CALL(prctl(PR_GET_CHILD_SUBREAPER, &on));
    VALUE(on);
    CALL(prctl(PR_SET_CHILD_SUBREAPER, 1));
    CALL(prctl(PR_GET_CHILD_SUBREAPER, &on));
    VALUE(on);
    p = fork();
    if (p == 0) {
        on = -1;
        prctl(PR_GET_CHILD_SUBREAPER, &on);
        VALUE(on);
        const int before = getpid(), inner = fork();
        if (inner == 0) {
            while (getppid() == before)
                sleep_ms(5);
            put(pipes, getppid());
            _exit(5);
        }
        _exit(0);
    }
    VALUE(end(p));
    VALUE(value_of(pipes) == getpid());
    VALUE(waitpid(-1, &status, 0) > 0);
    VALUE(status);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    TITLE("death signals");
    p = fork();
    if (p == 0) {
        const int inner = fork();
        if (inner == 0) {
            int number = -1;
            signal(SIGUSR2, note);
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            prctl(PR_GET_PDEATHSIG, &number);
            put(pipes, number);
            for (int i = 0; i < 400 && got != SIGUSR2; i++)
                sleep_ms(5);
            put(pipes, got);
            _exit(0);
        }
        value_of(pipes);
        _exit(0);
    }
    VALUE(end(p));
    VALUE(value_of(pipes) == SIGUSR2);
    CALL(prctl(PR_SET_PDEATHSIG, 65));
    TITLE("a stopped group whose parent goes is told and continued");
    p = fork();
    if (p == 0) {
        setpgid(0, 0);
        const int inner = fork();
        if (inner == 0) {
            setpgid(0, 0);
            signal(SIGHUP, note);
            put(pipes, 1);
            raise(SIGSTOP);
            put(pipes, got);
            _exit(0);
        }
        value_of(pipes);
        waitpid(inner, &status, WUNTRACED);
        _exit(0);
    }
    VALUE(end(p));
    VALUE(value_of(pipes) == SIGHUP);
    TITLE("an orphaned group does not stop for the terminal's signals");
    p = fork();
    if (p == 0) {
        setsid();
        raise(SIGTSTP);
        raise(SIGTTIN);
        _exit(4);
    }
    VALUE(end(p));
    TITLE("limits of other processes");
    p = idle();
    struct rlimit limit = {100, 200};
    CALL(prlimit(p, RLIMIT_NOFILE, &limit, 0));
    CALL(prlimit(p, RLIMIT_NOFILE, 0, &limit));
    VALUE(limit.rlim_cur);
    CALL(getpriority(PRIO_PROCESS, p));
    CALL(setpriority(PRIO_PROCESS, p, 5));
    CALL(getpriority(PRIO_PROCESS, p));
    kill(p, SIGKILL);
    end(p);
    CALL(prlimit(p, RLIMIT_NOFILE, 0, &limit));
    TITLE("another user");
    p = idle();
    q = fork();
    if (q == 0) {
        setuid(1000);
        CALL(kill(p, 0));
        CALL(kill(p, SIGKILL));
        CALL(kill(-1, SIGCONT));
        CALL(setpriority(PRIO_PROCESS, p, 10));
        CALL(prlimit(p, RLIMIT_NOFILE, 0, &limit));
        _exit(0);
    }
    VALUE(end(q));
    TITLE("everybody but PID 1 and me");
    CALL(kill(-1, SIGKILL));
    VALUE(end(p));
    CALL(kill(-1, SIGKILL));
    return 0;
}
