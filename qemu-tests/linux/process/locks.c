/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/locks.c - Record locks and flock between processes: who holds, who waits, what fork, exec and close do to them. */
#include "qemu-tests/linux/check.h"
#include <sys/file.h>
static int up[2], down[2];
static int lock(int f, int command, int type, long start, long length) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(f, command, &l);
}
static void who(int f, int type, long start, long length) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    if (fcntl(f, F_GETLK, &l))
        printf("   %s\n", ename(errno));
    else if (l.l_type == F_UNLCK)
        printf("   free\n");
    else
        printf("   type %d from %ld length %ld by %s\n", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == getppid() ? "the parent" : l.l_pid == getpid() ? "itself" : "a child");
}
static void tell(void) {
    write(up[1], "x", 1);
}
static void hear(int* p) {
    char c;
    read(p[0], &c, 1);
}
static void ended(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    printf("child: %x\n", status);
}
int main(int c, char** v) {
    if (c == 2) { // after exec, with descriptor 9
        int g = open("/tmp/f", O_RDWR);
        who(g, F_WRLCK, 0, 0);
        CALL(flock(g, LOCK_EX | LOCK_NB));
        return 0;
    }
    int f = open("/tmp/f", O_CREAT | O_RDWR, 0600);
    pipe(up);
    pipe(down);
    TITLE("between two");
    CALL(lock(f, F_SETLK, F_WRLCK, 10, 20));
    CALL(lock(f, F_SETLK, F_RDLCK, 100, 0));
    pid_t child = fork();
    if (child == 0) {
        who(f, F_WRLCK, 0, 0);
        who(f, F_RDLCK, 25, 1);
        who(f, F_RDLCK, 100, 1);
        who(f, F_WRLCK, 500, 1);
        CALL(lock(f, F_SETLK, F_WRLCK, 15, 1));
        CALL(lock(f, F_SETLK, F_RDLCK, 200, 1));
        CALL(lock(f, F_SETLK, F_WRLCK, 0, 10));
        CALL(lock(f, F_SETLK, F_UNLCK, 10, 20));
        CALL(lock(f, F_SETLK, F_WRLCK, 15, 1));
        fflush(stdout);
        _exit(3);
    }
    ended(child);
    who(f, F_WRLCK, 0, 10);
    TITLE("waiting");
    child = fork();
    if (child == 0) {
        tell();
        CALL(lock(f, F_SETLKW, F_WRLCK, 10, 5));
        tell();
        hear(down);
        _exit(0);
    }
    hear(up);
    sleep_ms(20);
    printf("parent goes on\n");
    const int unlocked = lock(f, F_SETLK, F_UNLCK, 10, 5);
    hear(up); // the child has said what it got
    VALUE(unlocked);
    CALL(lock(f, F_SETLK, F_WRLCK, 12, 1));
    who(f, F_WRLCK, 12, 1);
    write(down[1], "x", 1);
    ended(child);
    CALL(lock(f, F_SETLK, F_WRLCK, 12, 1));
    TITLE("a circle");
    CALL(lock(f, F_SETLK, F_UNLCK, 0, 0));
    CALL(lock(f, F_SETLK, F_WRLCK, 0, 1));
    child = fork();
    if (child == 0) {
        CALL(lock(f, F_SETLK, F_WRLCK, 1, 1));
        tell();
        CALL(lock(f, F_SETLKW, F_WRLCK, 0, 1));
        _exit(0);
    }
    hear(up);
    sleep_ms(20);
    CALL(lock(f, F_SETLKW, F_WRLCK, 1, 1));
    CALL(lock(f, F_SETLK, F_UNLCK, 0, 1));
    ended(child);
    TITLE("a signal ends the wait");
    CALL(lock(f, F_SETLK, F_WRLCK, 0, 0));
    child = fork();
    if (child == 0) {
        tell();
        lock(f, F_SETLKW, F_WRLCK, 0, 1);
        _exit(0);
    }
    hear(up);
    sleep_ms(20);
    kill(child, SIGTERM);
    ended(child);
    TITLE("close gives up");
    close(open("/tmp/f", O_RDONLY));
    child = fork();
    if (child == 0) {
        who(f, F_WRLCK, 0, 0);
        _exit(0);
    }
    ended(child);
    TITLE("flock");
    CALL(flock(f, LOCK_EX));
    child = fork();
    if (child == 0) {
        int g = open("/tmp/f", O_RDWR);
        CALL(flock(g, LOCK_SH | LOCK_NB));
        CALL(flock(f, LOCK_SH | LOCK_NB)); // the same as the parent's
        CALL(flock(g, LOCK_SH | LOCK_NB));
        CALL(flock(g, LOCK_EX | LOCK_NB));
        CALL(flock(f, LOCK_UN));
        CALL(flock(g, LOCK_EX | LOCK_NB));
        _exit(0);
    }
    ended(child);
    CALL(flock(f, LOCK_EX | LOCK_NB));
    TITLE("exec keeps them");
    CALL(lock(f, F_SETLK, F_WRLCK, 0, 7));
    child = fork();
    if (child == 0) {
        execl("/bin/process_locks", "process_locks", "again", (char*)0);
        _exit(9);
    }
    ended(child);
    return 0;
}
