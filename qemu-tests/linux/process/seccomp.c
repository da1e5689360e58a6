/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2): what a filter may be, and what becomes of a call. Each part is a thread of its own, because filters stay. */
#include "qemu-tests/linux/check.h"

struct instruction {
    unsigned short code;
    unsigned char jt, jf;
    unsigned k;
};
struct program {
    unsigned short count;
    const struct instruction* list;
};
enum { LOAD = 0x20, EQUAL = 0x15, RETURN = 0x06 };
#define ALLOW 0x7fff0000u
#define ERRNO(e) (0x00050000u | (e))
#define SECCOMP(op, flags, p) syscall(SYS_seccomp, op, flags, p)

static long install(unsigned number, unsigned verdict, unsigned flags) {
    const struct instruction list[] = {{LOAD, 0, 0, 0}, {EQUAL, 0, 1, number}, {RETURN, 0, 0, verdict}, {RETURN, 0, 0, ALLOW}};
    const struct program p = {4, list};
    return SECCOMP(1, flags, &p);
}

static void* errors(void* unused) {
    TITLE("what is no filter");
    const struct instruction end[] = {{RETURN, 0, 0, ALLOW}};
    struct program p = {1, end};
    CALL(SECCOMP(1, 0, 8));
    CALL(SECCOMP(1, 1 << 20, &p));
    CALL(SECCOMP(7, 0, &p));
    CALL(SECCOMP(0, 1, 0));
    p.count = 0;
    CALL(SECCOMP(1, 0, &p));
    p.count = 5000;
    CALL(SECCOMP(1, 0, &p));
    const struct instruction wrong[][2] = {{{LOAD, 0, 0, 2}, {RETURN, 0, 0, 0}}, {{LOAD, 0, 0, 64}, {RETURN, 0, 0, 0}}, {{LOAD, 0, 0, 0}, {LOAD, 0, 0, 0}},
                                           {{5, 0, 0, 1}, {RETURN, 0, 0, 0}},    {{EQUAL, 0, 1, 0}, {RETURN, 0, 0, 0}}, {{0x60, 0, 0, 1}, {RETURN, 0, 0, 0}},
                                           {{0x34, 0, 0, 0}, {RETURN, 0, 0, 0}}, {{0x64, 0, 0, 32}, {RETURN, 0, 0, 0}}, {{0x94, 0, 0, 3}, {RETURN, 0, 0, 0}},
                                           {{0x28, 0, 0, 0}, {RETURN, 0, 0, 0}}};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        p.count = 2;
        p.list = wrong[i];
        CALL(SECCOMP(1, 0, &p));
    }
    const unsigned actions[] = {0x80000000u, 0, 0x30000, 0x50000, 0x7ffc0000u, ALLOW, 0x12340000};
    for (unsigned i = 0; i < 7; i++)
        CALL(SECCOMP(2, 0, &actions[i]));
    CALL(prctl(PR_GET_SECCOMP));
    return unused;
}

static void* refused(void* unused) {
    TITLE("an error instead");
    CALL(install(SYS_getppid, ERRNO(EPERM), 0));
    CALL(syscall(SYS_getppid));
    CALL(prctl(PR_GET_SECCOMP));
    CALL(install(SYS_getppid, ERRNO(ENOENT), 0));
    CALL(syscall(SYS_getppid)); /* the newer one of two errors */
    CALL(install(SYS_getpgrp, ERRNO(0), 0));
    CALL(syscall(SYS_getpgrp));
    CALL(install(SYS_getsid, ERRNO(5000), 0));
    CALL(syscall(SYS_getsid, 0) == -1 && errno == 4095);
    CALL(install(SYS_getppid, ALLOW, 0));
    CALL(syscall(SYS_getppid));
    TITLE("by an argument");
    const struct instruction list[] = {{LOAD, 0, 0, 0}, {EQUAL, 0, 3, SYS_lseek}, {LOAD, 0, 0, 32}, {EQUAL, 0, 1, 2}, {RETURN, 0, 0, ERRNO(EACCES)}, {RETURN, 0, 0, ALLOW}};
    const struct program p = {6, list};
    CALL(SECCOMP(1, 0, &p));
    const int f = open("/etc/data", O_RDONLY);
    CALL(lseek(f, 3, SEEK_SET));
    CALL(lseek(f, 0, SEEK_END));
    CALL(lseek(f, 0, SEEK_CUR));
    CALL(SECCOMP(0, 0, 0));
    return unused;
}

static volatile int number_seen, error_seen, code_seen;
static volatile unsigned architecture_seen;
static void on_bad_call(int number, siginfo_t* information, void* context) {
    (void)number;
    number_seen = information->si_syscall;
    architecture_seen = information->si_arch;
    error_seen = information->si_errno;
    code_seen = information->si_code;
    ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = 77;
}
static void* trapped(void* unused) {
    TITLE("a signal");
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_bad_call;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, 0);
    CALL(install(SYS_getppid, 0x30000 | 42, 0));
    CALL(syscall(SYS_getppid));
    VALUE(number_seen == SYS_getppid);
    VALUE(architecture_seen == 0xC000003Eu);
    VALUE(error_seen);
    VALUE(code_seen);
    return unused;
}

static volatile int stage;
static void* waits(void* unused) {
    stage = 1;
    while (stage != 2)
        sleep_ms(5);
    CALL(syscall(SYS_getppid));
    return unused;
}
static void* all_threads(void* unused) {
    TITLE("all threads at once");
    pthread_t other;
    pthread_create(&other, 0, waits, 0);
    while (stage != 1)
        sleep_ms(5);
    CALL(install(SYS_getppid, ERRNO(EXDEV), 1));
    stage = 2;
    pthread_join(other, 0);
    return unused;
}

static void* ends_thread(void* unused) {
    CALL(install(SYS_getppid, 0, 0));
    syscall(SYS_getppid);
    printf("not reached\n");
    return unused;
}

int main(void) {
    pthread_t thread;
    CALL(prctl(PR_GET_SECCOMP));
    setuid(1000);
    CALL(install(SYS_getppid, ERRNO(EPERM), 0));
    CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    void* (*const parts[])(void*) = {errors, refused, trapped};
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, 0, parts[i], 0);
        pthread_join(thread, 0);
        CALL(syscall(SYS_getppid)); /* the main thread has no filter */
    }
    TITLE("the end of a thread");
    pthread_create(&thread, 0, ends_thread, 0);
    sleep_ms(50);
    pthread_create(&thread, 0, all_threads, 0);
    pthread_join(thread, 0);
    CALL(syscall(SYS_getppid));
    TITLE("strict");
    CALL(prctl(PR_SET_SECCOMP, 2, 8));
    CALL(prctl(PR_SET_SECCOMP, 5, 0));
    TITLE("the end of the process");
    CALL(install(SYS_getpgrp, 0x80000000u, 0));
    syscall(SYS_getpgrp);
    printf("not reached\n");
    return 0;
}
