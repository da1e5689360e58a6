/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/capabilities.c - what capabilities allow: owners and modes of files, users, securebits, across exec. */
#include "qemu-tests/linux/check.h"
#include <sys/fsuid.h>
#include <sys/sysmacros.h>
struct set {
    unsigned effective, permitted, inheritable;
};
static void show(const char* what) {
    unsigned header[2] = {0x20080522, 0};
    struct set s[2];
    syscall(SYS_capget, header, s);
    printf("%s: effective %08x permitted %08x inheritable %08x, bits %d\n", what, s[0].effective,
           s[0].permitted, s[0].inheritable, prctl(PR_GET_SECUREBITS));
}
static int only(unsigned effective) {
    unsigned header[2] = {0x20080522, 0};
    struct set s[2];
    syscall(SYS_capget, header, s);
    s[0].effective = effective, s[1].effective = 0;
    return (int)syscall(SYS_capset, header, s);
}
#define CHILD(...)                                                                                           \
    do {                                                                                                     \
        int status_, p_ = fork();                                                                            \
        if (p_ == 0) {                                                                                       \
            __VA_ARGS__;                                                                                     \
            _exit(0);                                                                                        \
        }                                                                                                    \
        waitpid(p_, &status_, 0);                                                                            \
        printf("child %x\n", status_);                                                                       \
    } while (0)
int main(int argc, char** argv) {
    if (argc > 1) {
        show(argv[1]);
        return 0;
    }
    char* words[] = {argv[0], "after exec", 0};
    struct stat st;
    show("at first");
    for (unsigned i = 0; i < 42; i++)
        printf("%d", prctl(PR_CAPBSET_READ, i) == 1);
    printf("\n");
    close(open("/tmp/file", O_CREAT | O_RDWR, 0600));
    mkdir("/tmp/sticky", 01777);
    close(open("/tmp/sticky/of1000", O_CREAT, 0600));
    CALL(chown("/tmp/file", 1000, 1000));
    CALL(chown("/tmp/sticky/of1000", 1000, 1000));
    CALL(chmod("/tmp/file", 06755));
    TITLE("root without capabilities");
    CHILD({
        CALL(only(0));
        CALL(open("/tmp/file", O_RDWR));
        CALL(chmod("/tmp/file", 0777));
        CALL(chown("/tmp/file", 0, 0));
        CALL(unlink("/tmp/sticky/of1000"));
        CALL(mknod("/tmp/device", S_IFCHR | 0600, makedev(1, 3)));
        CALL(access("/tmp/file", W_OK)); /* asks for the real user: root, with what is permitted */
        CALL(faccessat(AT_FDCWD, "/root", X_OK, 0x200));
        CALL(kill(getppid(), 0));
        CALL(setuid(5));
        CALL(setgroups(0, 0));
        CALL(utimes("/tmp/file", 0));
        show("still");
    });
    TITLE("one at a time");
    CHILD({
        CALL(only(1u << 1)); /* DAC_OVERRIDE */
        VALUE(open("/tmp/file", O_RDWR) >= 0);
        CALL(chmod("/tmp/file", 0777));
        CALL(only(1u << 3)); /* FOWNER */
        CALL(chmod("/tmp/file", 02755));
        stat("/tmp/file", &st), printf("%o\n", st.st_mode);
        CALL(chmod("/tmp/file", 06755));
        stat("/tmp/file", &st), printf("%o\n", st.st_mode);
        CALL(chown("/tmp/file", 0, 0));
        CALL(unlink("/tmp/sticky/of1000"));
        CALL(only(1u << 0)); /* CHOWN */
        CALL(chown("/tmp/file", 1000, 1000));
        CALL(only(1u << 27)); /* MKNOD */
        CALL(mknod("/tmp/device", S_IFCHR | 0600, makedev(1, 3)));
    });
    TITLE("users");
    CHILD({
        setresuid(1000, 1000, 0);
        show("1000 1000 0");
        setresuid(-1, 0, -1);
        show("root again");
        setfsuid(1000);
        show("files as 1000");
        setfsuid(0);
        show("files as root");
        setresuid(1000, 1000, 1000);
        show("1000");
        execv(argv[0], words);
    });
    CHILD({
        CALL(prctl(PR_SET_KEEPCAPS, 1));
        setresuid(1000, 1000, 1000);
        show("kept");
        CALL(only(1u << 5));
        CALL(kill(getppid(), 0));
        execv(argv[0], words);
    });
    TITLE("securebits");
    CHILD({
        CALL(prctl(PR_SET_SECUREBITS, 0x10000));
        CALL(prctl(PR_SET_SECUREBITS, 3));
        CALL(prctl(PR_SET_SECUREBITS, 2));
        CALL(prctl(PR_SET_SECUREBITS, 3 | 4));
        setresuid(1000, 1000, 0);
        show("no fixup");
        setresuid(-1, 0, -1);
        execv(argv[0], words);
    });
    CHILD({
        CALL(prctl(PR_SET_SECUREBITS, 0x20));
        CALL(prctl(PR_SET_KEEPCAPS, 1));
        CALL(prctl(PR_GET_KEEPCAPS));
        CALL(prctl(PR_SET_SECUREBITS, 0x40 | 0x20));
        CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0));
    });
    TITLE("the bounding set, and no new privileges");
    CHILD({
        CALL(prctl(PR_CAPBSET_DROP, 5));
        CALL(prctl(PR_CAPBSET_DROP, 41));
        execv(argv[0], words);
    });
    chmod("/tmp/file", 0600);
    CHILD({
        CALL(only(0));
        CALL(prctl(PR_CAPBSET_DROP, 6));
        CALL(prctl(PR_SET_SECUREBITS, 0));
        execv(argv[0], words);
    });
    return 0;
}
