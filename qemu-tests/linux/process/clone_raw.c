/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/clone_raw.c - clone, clone3 and wait with arguments that must be refused. */
#include "qemu-tests/linux/check.h"
#define CLONE_(f) syscall(SYS_clone, f, 0, 0, 0, 0)
int main(void) {
    CALL(CLONE_(CLONE_THREAD));
    CALL(CLONE_(CLONE_THREAD | CLONE_SIGHAND));
    CALL(CLONE_(CLONE_SIGHAND));
    CALL(CLONE_(CLONE_NEWNS | CLONE_FS));
    CALL(syscall(435, 0, 0));
    CALL(syscall(435, 0, 64));
    struct {
        unsigned long v[12];
    } a;
    memset(&a, 0, sizeof a);
    a.v[0] = CLONE_VM;
    a.v[4] = 65;
    CALL(syscall(435, &a, 88));
    a.v[4] = 0;
    a.v[5] = 1;
    CALL(syscall(435, &a, 88));
    CALL(syscall(SYS_set_robust_list, 0, 8));
    CALL(syscall(SYS_wait4, -1, 0, 0, 0));
    CALL(syscall(SYS_waitid, 0, 0, 0, 4, 0));
    CALL(syscall(SYS_waitid, 0, 0, 0, 0, 0));
    CALL(syscall(SYS_wait4, -1, 0, 0x1000, 0));
    return 0;
}
