/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/check.h - shared by the programs here: each prints lines that must be the same on Linux and in the
 * unikernel. A line is a call as written and what it returned, or the name of its error. */
#ifndef CAISSON_LINUX_CHECK_H
#define CAISSON_LINUX_CHECK_H
#pragma GCC diagnostic ignored "-Wunused-function"
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static const char* ename(int error) {
    static const struct {
        int error;
        const char* name;
    } names[] = {
#define NAMED(x) {x, #x},
        NAMED(EPERM) NAMED(ENOENT) NAMED(ESRCH) NAMED(EINTR) NAMED(EIO) NAMED(ENXIO) NAMED(E2BIG) NAMED(ENOEXEC)
        NAMED(EBADF) NAMED(ECHILD) NAMED(EAGAIN) NAMED(ENOMEM) NAMED(EACCES) NAMED(EFAULT) NAMED(ENOTBLK)
        NAMED(EBUSY) NAMED(EEXIST) NAMED(EXDEV) NAMED(ENODEV) NAMED(ENOTDIR) NAMED(EISDIR) NAMED(EINVAL)
        NAMED(ENFILE) NAMED(EMFILE) NAMED(ENOTTY) NAMED(ETXTBSY) NAMED(EFBIG) NAMED(ENOSPC) NAMED(ESPIPE)
        NAMED(EROFS) NAMED(EMLINK) NAMED(EPIPE) NAMED(EDOM) NAMED(ERANGE) NAMED(EDEADLK) NAMED(ENAMETOOLONG)
        NAMED(ENOLCK) NAMED(ENOSYS) NAMED(ENOTEMPTY) NAMED(ELOOP) NAMED(ENODATA) NAMED(EOVERFLOW)
        NAMED(EOPNOTSUPP) NAMED(ETIMEDOUT) NAMED(ENOTSOCK) NAMED(EAFNOSUPPORT) NAMED(EPROTONOSUPPORT)
        NAMED(ECONNREFUSED) NAMED(ENOTCONN) NAMED(EADDRINUSE) NAMED(EOWNERDEAD) NAMED(ECANCELED)
        NAMED(EDESTADDRREQ) NAMED(EPROTOTYPE) NAMED(EMSGSIZE) NAMED(ENOPROTOOPT) NAMED(ESOCKTNOSUPPORT) NAMED(EPFNOSUPPORT)
        NAMED(EADDRNOTAVAIL) NAMED(ENETUNREACH) NAMED(ECONNABORTED) NAMED(ECONNRESET) NAMED(ENOBUFS) NAMED(EISCONN)
        NAMED(ETOOMANYREFS) NAMED(EALREADY) NAMED(EINPROGRESS)
#undef NAMED
    };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error)
            return names[i].name;
    static char other[32];
    snprintf(other, sizeof other, "E%d", error);
    return other;
}

/* A call's value, or the name of its error. */
#define CALL(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long result_ = (long)(call);                                                                             \
        const int error_ = errno;                                                                                      \
        if (result_ < 0 && result_ > -4096)                                                                            \
            printf("%s -> %s\n", #call, ename(error_));                                                                \
        else                                                                                                           \
            printf("%s -> %ld\n", #call, result_);                                                                     \
    } while (0)
/* Success or the error: for values that differ between systems. */
#define SUCCEEDS(call)                                                                                                 \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long result_ = (long)(call);                                                                             \
        const int error_ = errno;                                                                                      \
        printf("%s -> %s\n", #call, result_ == -1 ? ename(error_) : "ok");                                             \
    } while (0)
#define VALUE(expression) printf("%s = %ld\n", #expression, (long)(expression))
#define TEXT(expression) printf("%s = \"%s\"\n", #expression, (expression))
#define TITLE(text) printf("-- %s\n", text)

static inline long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}
static inline void sleep_ms(int ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}
/* Near enough, in milliseconds: emulated machines are slow. compare.py runs a native program again that was late. */
static inline const char* about(long long got, long long want) {
    static char said[64];
    if (got >= want - 15 && got <= want + 150)
        snprintf(said, sizeof said, "about %lld", want);
    else
        snprintf(said, sizeof said, "%lld, not about %lld", got, want);
    return said;
}

static sigjmp_buf fault_jmp;
static volatile int fault_sig, fault_code;
static void* volatile fault_addr;
static void fault_handler(int number, siginfo_t* info, void* context) {
    (void)context;
    fault_sig = number;
    fault_code = info->si_code;
    fault_addr = info->si_addr;
    siglongjmp(fault_jmp, 1);
}
static inline void catch_faults(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = fault_handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, 0);
}
/* What an access does: "ok", or the signal with its code. */
#define ACCESS(statement)                                                                                              \
    do {                                                                                                               \
        if (sigsetjmp(fault_jmp, 1) == 0) {                                                                            \
            statement;                                                                                                 \
            printf("%s: ok\n", #statement);                                                                            \
        } else {                                                                                                       \
            printf("%s: signal %d code %d\n", #statement, fault_sig, fault_code);                                      \
        }                                                                                                              \
    } while (0)
#define READ(p) (*(volatile char*)(p))
#define WRITE(p, v) (*(volatile char*)(p) = (v))

/* A line leaves the program when it is printed: what it did before it died is seen. */
static void __attribute__((constructor)) line_buffered(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
}
#endif
