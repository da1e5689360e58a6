/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/spawn.c - vfork, posix_spawn, popen, system and exec in a child; what a child of each sees. */
#include "qemu-tests/linux/check.h"
#include <spawn.h>
extern char** environ;
static char* const sh[] = {"sh", "-c", "exit 7", 0};
static int status;
static const char* ended(int s) {
    static char text[64];
    if (WIFEXITED(s))
        snprintf(text, sizeof text, "exit %d", WEXITSTATUS(s));
    else if (WIFSIGNALED(s))
        snprintf(text, sizeof text, "signal %d%s", WTERMSIG(s), WCOREDUMP(s) ? " core" : "");
    else
        snprintf(text, sizeof text, "status %x", s);
    return text;
}
static volatile int shared;
static char stack[65536] __attribute__((aligned(16)));
static int child(void* argument) {
    shared = *(int*)argument;
    _exit(3);
}
int main(int argc, char** argv) {
    if (argc > 1) {
        printf("child: parent is the caller %d, argument %s, X=%s\n", getppid() == atoi(argv[2]), argv[1], getenv("X") ? getenv("X") : "-");
        return 5;
    }
    char me[16];
    snprintf(me, sizeof me, "%d", getpid());
    TITLE("vfork");
    int p = vfork();
    if (p == 0) {
        shared = 1;
        _exit(9);
    }
    VALUE(shared);
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    p = vfork();
    if (p == 0) {
        execl("/bin/sh", "sh", "-c", "exit 4", (char*)0);
        _exit(99);
    }
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    p = vfork();
    if (p == 0) {
        execl("/nowhere", "x", (char*)0);
        _exit(errno);
    }
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    TITLE("clone with shared memory");
    int seven = 7;
    p = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &seven);
    VALUE(shared);
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    int eight = 8;
    p = clone(child, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, &eight);
    VALUE(waitpid(p, &status, 0) == p);
    VALUE(shared);
    TEXT(ended(status));
    TITLE("posix_spawn");
    VALUE(posix_spawn(&p, "/bin/sh", 0, 0, sh, environ));
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    VALUE(posix_spawn(&p, "/nowhere", 0, 0, sh, environ));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/tmp/out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    char* const args[] = {"sh", "-c", "echo to a file; exit 2", 0};
    VALUE(posix_spawn(&p, "/bin/sh", &actions, 0, args, environ));
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    char line[64] = "";
    int f = open("/tmp/out", O_RDONLY);
    VALUE(read(f, line, sizeof line - 1));
    TEXT(line);
    TITLE("system, popen");
    TEXT(ended(system("exit 3")));
    TEXT(ended(system("kill -9 $$")));
    FILE* pipe = popen("echo hello; echo world; exit 6", "r");
    while (fgets(line, sizeof line, pipe))
        printf("read %s", line);
    TEXT(ended(pclose(pipe)));
    pipe = popen("cat; exit 1", "w");
    fprintf(pipe, "through cat\n");
    fflush(pipe);
    TEXT(ended(pclose(pipe)));
    TITLE("exec");
    p = fork();
    if (p == 0) {
        char* const given[] = {argv[0], "word", me, 0};
        char* const with[] = {"X=y", 0};
        execve(argv[0], given, with);
        _exit(99);
    }
    VALUE(waitpid(p, &status, 0) == p);
    TEXT(ended(status));
    TITLE("how children end");
    const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGPIPE, SIGUSR1};
    for (int i = 0; i < 6; i++) {
        p = fork();
        if (p == 0) {
            signal(signals[i], SIG_DFL);
            raise(signals[i]);
            _exit(0);
        }
        waitpid(p, &status, 0);
        TEXT(ended(status));
    }
    p = fork();
    if (p == 0)
        *(volatile int*)0 = 1;
    waitpid(p, &status, 0);
    TEXT(ended(status));
    p = fork();
    if (p == 0)
        abort();
    waitpid(p, &status, 0);
    TEXT(ended(status));
    p = fork();
    if (p == 0)
        _exit(0x1234);
    waitpid(p, &status, 0);
    TEXT(ended(status));
    CALL(waitpid(-1, &status, 0));
    return 0;
}
