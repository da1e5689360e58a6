/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/inherit.c - what a child has of its parent after fork, and what a program keeps over exec. */
#include "qemu-tests/linux/check.h"
#include <sys/file.h>
static int status;
static int end(int p) {
    status = -1;
    waitpid(p, &status, 0);
    return status;
}
static void handler(int number) { (void)number; }
static int lock(int f, int type, long start, long length) {
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(f, F_SETLK, &l);
}
static int tested(int f, long start, long length, int* who) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    fcntl(f, F_GETLK, &l);
    *who = l.l_pid;
    return l.l_type;
}
int main(int argc, char** argv) {
    if (argc > 1) { /* after exec */
        sigset_t set;
        struct sigaction action;
        stack_t stack;
        TITLE("after exec");
        sigprocmask(SIG_BLOCK, 0, &set);
        VALUE(sigismember(&set, SIGUSR1));
        sigpending(&set);
        VALUE(sigismember(&set, SIGUSR1));
        sigaction(SIGUSR2, 0, &action);
        VALUE(action.sa_handler == SIG_DFL);
        sigaction(SIGHUP, 0, &action);
        VALUE(action.sa_handler == SIG_IGN);
        sigaltstack(0, &stack);
        VALUE(stack.ss_flags);
        CALL(fcntl(10, F_GETFD));
        CALL(fcntl(11, F_GETFD));
        struct itimerval timer;
        getitimer(ITIMER_REAL, &timer);
        VALUE(timer.it_value.tv_sec > 0);
        VALUE(umask(0));
        char where[64];
        TEXT(getcwd(where, sizeof where));
        CALL(getpriority(PRIO_PROCESS, 0));
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        VALUE(limit.rlim_cur);
        int who = 0, f = open("/tmp/locked", O_RDWR);
        VALUE(tested(f, 0, 10, &who));
        if (fork() == 0) {
            VALUE(tested(f, 0, 10, &who));
            VALUE(who == getppid());
            _exit(0);
        }
        waitpid(-1, 0, 0);
        VALUE(prctl(PR_GET_KEEPCAPS));
        VALUE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        int death = -1;
        prctl(PR_GET_PDEATHSIG, &death);
        VALUE(death);
        return 0;
    }
    TITLE("descriptors: the same file, offset and flags");
    int f = open("/etc/data", O_RDONLY);
    char c;
    int p = fork();
    if (p == 0) {
        lseek(f, 100, SEEK_SET);
        fcntl(f, F_SETFL, O_NONBLOCK);
        fcntl(f, F_SETFD, FD_CLOEXEC);
        close(2);
        _exit(0);
    }
    end(p);
    VALUE(lseek(f, 0, SEEK_CUR));
    VALUE((fcntl(f, F_GETFL) & O_NONBLOCK) != 0);
    VALUE(fcntl(f, F_GETFD));
    VALUE(fcntl(2, F_GETFD));
    TITLE("clone with CLONE_FILES shares the table");
    p = (int)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (p == 0) {
        dup2(f, 20);
        _exit(0);
    }
    end(p);
    CALL(fcntl(20, F_GETFD));
    close(20);
    TITLE("clone with CLONE_FS shares the directory and the mask");
    mkdir("/tmp/dir", 0755);
    umask(022);
    p = (int)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    if (p == 0) {
        chdir("/tmp/dir");
        umask(077);
        _exit(0);
    }
    end(p);
    char where[64];
    TEXT(getcwd(where, sizeof where));
    VALUE(umask(022));
    chdir("/");
    TITLE("fork copies them");
    p = fork();
    if (p == 0) {
        chdir("/tmp/dir");
        umask(0);
        _exit(0);
    }
    end(p);
    TEXT(getcwd(where, sizeof where));
    VALUE(umask(022));
    TITLE("the last writer's end closes a pipe");
    int pipes[2];
    pipe(pipes);
    p = fork();
    if (p == 0) {
        close(pipes[0]);
        write(pipes[1], "x", 1);
        _exit(0);
    }
    close(pipes[1]);
    VALUE(read(pipes[0], &c, 1));
    VALUE(read(pipes[0], &c, 1));
    end(p);
    close(pipes[0]);
    TITLE("locks");
    f = open("/tmp/locked", O_RDWR | O_CREAT, 0644);
    write(f, "0123456789", 10);
    CALL(lock(f, F_WRLCK, 0, 4));
    CALL(flock(f, LOCK_EX));
    p = fork();
    if (p == 0) {
        int who = 0;
        CALL(lock(f, F_WRLCK, 0, 4)); /* of the parent alone */
        VALUE(tested(f, 0, 4, &who));
        VALUE(who == getppid());
        CALL(flock(f, LOCK_EX | LOCK_NB)); /* of the open file, which is the same */
        const int again = open("/tmp/locked", O_RDWR);
        CALL(flock(again, LOCK_EX | LOCK_NB));
        CALL(lock(f, F_WRLCK, 6, 2));
        close(again); /* gives up the child's ranges, not the parent's */
        _exit(0);
    }
    end(p);
    CALL(lock(f, F_WRLCK, 6, 2));
    p = fork();
    if (p == 0) {
        struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 4};
        alarm(1);
        signal(SIGALRM, handler);
        VALUE(fcntl(f, F_SETLKW, &l));
        _exit(0);
    }
    sleep_ms(30);
    lock(f, F_UNLCK, 0, 4);
    VALUE(end(p));
    flock(f, LOCK_UN);
    TITLE("signals and timers");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    signal(SIGUSR2, handler);
    signal(SIGHUP, SIG_IGN);
    raise(SIGUSR1);
    alarm(100);
    timer_t timer;
    VALUE(timer_create(CLOCK_MONOTONIC, 0, &timer));
    static char other_stack[65536];
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    sigaltstack(&stack, 0);
    p = fork();
    if (p == 0) {
        sigset_t now;
        sigpending(&now);
        VALUE(sigismember(&now, SIGUSR1));
        sigprocmask(SIG_BLOCK, 0, &now);
        VALUE(sigismember(&now, SIGUSR1));
        struct sigaction action;
        sigaction(SIGUSR2, 0, &action);
        VALUE(action.sa_handler == handler);
        VALUE(alarm(0));
        struct itimerspec left;
        CALL(timer_gettime(timer, &left));
        stack_t mine;
        sigaltstack(0, &mine);
        VALUE(mine.ss_sp == other_stack);
        struct tms times_now;
        times(&times_now);
        VALUE(times_now.tms_cutime);
        _exit(0);
    }
    VALUE(end(p));
    TITLE("CLONE_FS: one working directory and umask");
    umask(022);
    chdir("/");
    p = (int)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    if (p == 0) {
        if (syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0) == 0) {
            chdir("/etc");
            umask(055);
            _exit(0);
        }
        wait(0);
        _exit(0);
    }
    end(p);
    char place[64];
    TEXT(getcwd(place, sizeof place));
    VALUE(umask(022));
    p = fork(); /* not that one */
    if (p == 0) {
        chdir("/tmp");
        umask(077);
        _exit(0);
    }
    end(p);
    TEXT(getcwd(place, sizeof place));
    VALUE(umask(022));
    TITLE("settings");
    CALL(setpriority(PRIO_PROCESS, 0, 3));
    struct rlimit limit = {500, 600};
    CALL(setrlimit(RLIMIT_NOFILE, &limit));
    CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CALL(prctl(PR_SET_NAME, "a name"));
    CALL(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    p = fork();
    if (p == 0) {
        char name[17] = "";
        CALL(getpriority(PRIO_PROCESS, 0));
        getrlimit(RLIMIT_NOFILE, &limit);
        VALUE(limit.rlim_cur);
        VALUE(limit.rlim_max);
        VALUE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
        prctl(PR_GET_NAME, name);
        TEXT(name);
        int death = -1;
        prctl(PR_GET_PDEATHSIG, &death);
        VALUE(death);
        _exit(0);
    }
    VALUE(end(p));
    dup2(f, 10);
    dup2(f, 11);
    fcntl(11, F_SETFD, FD_CLOEXEC);
    chdir("/tmp");
    umask(027);
    lock(f, F_WRLCK, 0, 10);
    prctl(PR_SET_KEEPCAPS, 1);
    char* const given[] = {argv[0], "again", 0};
    execv("/bin/processes_inherit", given);
    return 1;
}
