/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/identity.c - niceness, affinity, I/O priority, groups, file identity, what prctl says of capabilities. */
#include "qemu-tests/linux/check.h"
#include <grp.h>
#include <sys/fsuid.h>
#define GET_IO(who) syscall(SYS_ioprio_get, 1, who)
#define SET_IO(who, value) syscall(SYS_ioprio_set, 1, who, value)
static int try_open(const char* path) {
    const int file = open(path, O_RDONLY);
    if (file >= 0)
        close(file);
    return file < 0 ? -errno : 0;
}
int main(void) {
    cpu_set_t cpus;
    TITLE("scheduling");
    CALL(syscall(SYS_sched_getaffinity, -1, sizeof cpus, &cpus));
    CALL(syscall(SYS_sched_getaffinity, 999999, sizeof cpus, &cpus));
    CALL(syscall(SYS_sched_getaffinity, 0, 3, &cpus));
    CALL(syscall(SYS_sched_setaffinity, -1, sizeof cpus, &cpus));
    CALL(sched_getscheduler(0));
    CALL(syscall(SYS_sched_getscheduler, 0));
    CALL(syscall(SYS_sched_getscheduler, -1));
    CALL(syscall(SYS_sched_getscheduler, 999999));
    TITLE("nice");
    CALL(getpriority(PRIO_PROCESS, 0));
    CALL(setpriority(PRIO_PROCESS, 0, 5));
    CALL(getpriority(PRIO_PROCESS, 0));
    CALL(syscall(SYS_getpriority, PRIO_PROCESS, 0));
    CALL(getpriority(PRIO_PROCESS, getpid()));
    CALL(nice(3));
    CALL(setpriority(PRIO_PROCESS, 0, 100));
    CALL(getpriority(PRIO_PROCESS, 0));
    CALL(setpriority(PRIO_PROCESS, 0, -3));
    CALL(getpriority(PRIO_PROCESS, 0));
    CALL(setpriority(PRIO_PROCESS, 999999, 1));
    CALL(getpriority(7, 0));
    TITLE("I/O priority");
    CALL(GET_IO(0));
    CALL(SET_IO(0, 2 << 13 | 3));
    CALL(GET_IO(0));
    CALL(GET_IO(getpid()));
    CALL(SET_IO(0, 7 << 13));
    CALL(SET_IO(0, 1));
    CALL(SET_IO(999999, 3 << 13));
    CALL(GET_IO(999999));
    CALL(syscall(SYS_ioprio_get, 9, 0));
    TITLE("groups");
    static gid_t many[1000], got[1000];
    for (int i = 0; i < 1000; i++)
        many[i] = 2000 - i;
    CALL(getgroups(0, got));
    CALL(setgroups(1000, many));
    CALL(getgroups(0, got));
    CALL(getgroups(999, got));
    CALL(getgroups(1000, got));
    VALUE(got[0]);
    VALUE(got[999]);
    CALL(setgroups(65537, many));
    CALL(setgroups(1, (void*)8));
    CALL(getgroups(-1, got));
    CALL(chown("/etc/big", 0, 1500));
    CALL(chmod("/etc/big", 0040));
    CALL(chown("/etc/data", 7, 7));
    CALL(chmod("/etc/data", 0400));
    TITLE("file identity");
    CALL(setfsuid(-1));
    CALL(try_open("/etc/big"));
    CALL(setfsuid(1000));
    CALL(setfsuid(-1));
    CALL(try_open("/etc/big"));
    CALL(try_open("/etc/data"));
    CALL(setfsuid(7));
    CALL(try_open("/etc/data"));
    VALUE(geteuid());
    CALL(setfsuid(0));
    CALL(setfsgid(1500));
    CALL(setfsgid(-1));
    CALL(setfsgid(0));
    CALL(try_open("/etc/data"));
    TITLE("capabilities");
    CALL(prctl(PR_CAPBSET_READ, 0));
    CALL(prctl(PR_CAPBSET_READ, 1000));
    CALL(prctl(PR_GET_KEEPCAPS));
    CALL(prctl(PR_SET_KEEPCAPS, 1));
    CALL(prctl(PR_GET_KEEPCAPS));
    CALL(prctl(PR_SET_KEEPCAPS, 2));
    CALL(prctl(PR_SET_KEEPCAPS, 0));
    CALL(prctl(PR_GET_SECUREBITS));
    CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
    CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1000, 0, 0));
    CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
    CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    CALL(prctl(PR_CAP_AMBIENT, 9, 0, 0, 0));
    TITLE("without privilege");
    CALL(setresuid(1000, 1000, 1000));
    CALL(setpriority(PRIO_PROCESS, 0, -10));
    CALL(setgroups(1, many));
    CALL(setfsuid(0));
    CALL(setfsuid(-1));
    CALL(try_open("/etc/big"));
    CALL(try_open("/etc/data"));
    CALL(prctl(PR_CAPBSET_READ, 0));
    CALL(prctl(PR_CAPBSET_DROP, 0));
    return 0;
}
