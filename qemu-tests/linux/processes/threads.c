/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/threads.c - processes of several threads: a first thread that ends early, exec and fork from another
 * thread, exit_group, vfork among threads, stopping all of them. */
#include "qemu-tests/linux/check.h"
static int status;
static int end(int p) {
    status = -1;
    waitpid(p, &status, 0);
    return status;
}
static void* later(void* argument) {
    sleep_ms(40);
    if (argument)
        _exit((int)(long)argument);
    return 0;
}
static void* sleeper(void* argument) {
    for (;;)
        sleep_ms(1000);
    return argument;
}
static void* execs(void* argument) {
    char me[16];
    snprintf(me, sizeof me, "%d", getpid());
    execl("/bin/sh", "sh", "-c", "test $$ = $1 && echo same number; exit 6", "sh", me, (char*)0);
    return argument;
}
static void* forks(void* argument) {
    (void)argument;
    const int p = fork();
    if (p == 0) {
        printf("in the child: first thread %d\n", (int)syscall(SYS_gettid) == getpid());
        FILE* f = fopen("/proc/self/status", "r");
        char line[128];
        while (fgets(line, sizeof line, f))
            if (!strncmp(line, "Threads:", 8))
                printf("%s", line);
        _exit(3);
    }
    VALUE(end(p));
    return 0;
}
static void* vforks(void* argument) {
    (void)argument;
    for (int i = 0; i < 5; i++) {
        const int p = vfork();
        if (p == 0) {
            execl("/bin/sh", "sh", "-c", "exit 2", (char*)0);
            _exit(99);
        }
        int s = 0;
        if (waitpid(p, &s, 0) != p || WEXITSTATUS(s) != 2)
            return (void*)1;
    }
    return 0;
}
static volatile int counter;
static void* counts(void* argument) {
    for (;;)
        counter++;
    return argument;
}
int main(void) {
    if (fork() != 0) {
        waitpid(-1, &status, 0);
        printf("top %d\n", status);
        return 0;
    }
    pthread_t thread;
    TITLE("the first thread ends, the process goes on");
    int p = fork();
    if (p == 0) {
        pthread_create(&thread, 0, later, 0);
        syscall(SYS_exit, 7);
    }
    sleep_ms(15);
    CALL(waitpid(p, &status, WNOHANG));
    CALL(kill(p, 0));
    CALL(syscall(SYS_tgkill, p, p, 0));
    VALUE(end(p));
    p = fork();
    if (p == 0) {
        pthread_create(&thread, 0, later, (void*)9L);
        syscall(SYS_exit, 7);
    }
    VALUE(end(p));
    TITLE("exit_group ends sleepers");
    p = fork();
    if (p == 0) {
        for (int i = 0; i < 4; i++)
            pthread_create(&thread, 0, sleeper, 0);
        sleep_ms(5);
        _exit(8);
    }
    VALUE(end(p));
    TITLE("SIGKILL ends all threads");
    p = fork();
    if (p == 0) {
        for (int i = 0; i < 4; i++)
            pthread_create(&thread, 0, sleeper, 0);
        syscall(SYS_exit, 0);
    }
    sleep_ms(10);
    kill(p, SIGKILL);
    VALUE(end(p));
    TITLE("exec in another thread");
    p = fork();
    if (p == 0) {
        pthread_create(&thread, 0, sleeper, 0);
        pthread_create(&thread, 0, execs, 0);
        pause();
    }
    VALUE(end(p));
    p = fork();
    if (p == 0) {
        pthread_create(&thread, 0, execs, 0);
        syscall(SYS_exit, 0);
    }
    VALUE(end(p));
    TITLE("fork in another thread");
    pthread_create(&thread, 0, forks, 0);
    pthread_join(thread, 0);
    TITLE("vfork in several threads");
    pthread_t many[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&many[i], 0, vforks, 0);
    for (int i = 0; i < 3; i++) {
        void* result = (void*)5;
        pthread_join(many[i], &result);
        VALUE(result);
    }
    TITLE("all threads stop");
    volatile int* shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p = fork();
    if (p == 0) {
        pthread_create(&thread, 0, counts, 0);
        for (;;) {
            shared[0]++;
            shared[1] = counter;
            sleep_ms(1);
        }
    }
    sleep_ms(30);
    kill(p, SIGSTOP);
    VALUE(waitpid(p, &status, WUNTRACED) == p);
    int before = shared[0];
    sleep_ms(30);
    VALUE(shared[0] == before);
    kill(p, SIGCONT);
    sleep_ms(30);
    VALUE(shared[0] > before);
    kill(p, SIGKILL);
    VALUE(end(p));
    TITLE("threads of a process that stops wait in calls that go on");
    int pipes[2];
    pipe(pipes);
    p = fork();
    if (p == 0) {
        char c = 0;
        VALUE(read(pipes[0], &c, 1));
        _exit(c);
    }
    sleep_ms(10);
    kill(p, SIGSTOP);
    waitpid(p, &status, WUNTRACED);
    kill(p, SIGCONT);
    sleep_ms(5);
    write(pipes[1], "\5", 1);
    VALUE(end(p));
    return 0;
}
