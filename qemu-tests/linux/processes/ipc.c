/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/ipc.c - System V shared memory and semaphores: keys, permissions, removal, waiting, undoing. */
#include "qemu-tests/linux/check.h"
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
static int status;
static int shm_of(int id, const char* what) {
    struct shmid_ds d;
    if (shmctl(id, IPC_STAT, &d) < 0)
        return printf("%s: %s\n", what, ename(errno));
    return printf("%s: %lu bytes, mode %o, %lu uses, maker %d, last %d\n", what, (unsigned long)d.shm_segsz,
                  d.shm_perm.mode, (unsigned long)d.shm_nattch, d.shm_cpid == getpid(),
                  d.shm_lpid == getpid());
}
static void child_ends(int p) {
    waitpid(p, &status, 0);
    printf("child %x\n", status);
}
int main(void) {
    TITLE("segments");
    const int id = shmget(0x1234, 5000, IPC_CREAT | IPC_EXCL | 0640);
    VALUE(id >= 0);
    CALL(shmget(0x1234, 5000, IPC_CREAT | IPC_EXCL | 0640));
    VALUE(shmget(0x1234, 0, 0) == id);
    CALL(shmget(0x1234, 9000, 0));
    CALL(shmget(0x9999, 100, 0));
    CALL(shmget(IPC_PRIVATE, 0, 0600));
    shm_of(id, "new");
    char* a = shmat(id, 0, 0);
    VALUE(a != (void*)-1 && a[4999] == 0 && a[8191] == 0);
    char* b = shmat(id, 0, SHM_RDONLY);
    strcpy(a, "seen");
    VALUE(strcmp(b, "seen"));
    CALL(mprotect(b, 4096, PROT_READ | PROT_WRITE));
    VALUE(shmat(id, a, 0) == (void*)-1);
    VALUE(shmat(id, a, SHM_REMAP) == a);
    VALUE(shmat(id, a + 1, 0) == (void*)-1);
    VALUE(shmat(-1, 0, 0) == (void*)-1);
    shm_of(id, "twice");
    int p = fork();
    if (p == 0) {
        strcpy(a, "by the child");
        shm_of(id, "in the child");
        setuid(1000);
        VALUE(shmat(id, 0, 0) == (void*)-1 ? errno == EACCES : 0);
        CALL(shmctl(id, IPC_RMID, 0));
        CALL(shmget(0x1234, 0, 0600));
        VALUE(shmget(0x1234, 0, 0) == id);
        _exit(0);
    }
    child_ends(p);
    VALUE(strcmp(a, "by the child"));
    CALL(shmdt(b + 4096));
    CALL(shmdt(b));
    CALL(shmdt(b));
    shm_of(id, "once");
    CALL(munmap(a, 4096));
    shm_of(id, "a part");
    CALL(shmctl(id, IPC_RMID, 0));
    shm_of(id, "removed");
    CALL(shmget(0x1234, 0, 0));
    char* late = shmat(id, 0, 0);
    VALUE(late != (void*)-1);
    CALL(shmdt(late));
    CALL(shmdt(a));
    shm_of(id, "gone");
    VALUE(shmat(id, 0, 0) == (void*)-1);
    const int other = shmget(IPC_PRIVATE, 4096, 0600);
    struct shmid_ds d;
    shmctl(other, IPC_STAT, &d);
    d.shm_perm.mode = 0444;
    CALL(shmctl(other, IPC_SET, &d));
    shm_of(other, "set");
    CALL(shmctl(other, 99, 0));
    CALL(shmctl(other, IPC_RMID, 0));

    TITLE("semaphores");
    const int s = semget(0x77, 3, IPC_CREAT | 0600);
    VALUE(s >= 0);
    CALL(semget(0x77, 4, 0));
    CALL(semget(IPC_PRIVATE, 0, 0600));
    CALL(semget(IPC_PRIVATE, 40000, 0600));
    CALL(semctl(s, 0, SETVAL, 5));
    CALL(semctl(s, 0, GETVAL));
    CALL(semctl(s, 3, GETVAL));
    CALL(semctl(s, 0, SETVAL, 40000));
    CALL(semctl(s, 0, SETVAL, -1));
    unsigned short all[3] = {1, 2, 3};
    CALL(semctl(s, 0, SETALL, all));
    all[0] = all[1] = all[2] = 9;
    CALL(semctl(s, 0, GETALL, all));
    printf("%d %d %d\n", all[0], all[1], all[2]);
    struct semid_ds sd;
    CALL(semctl(s, 0, IPC_STAT, &sd));
    printf("%lu of mode %o, operated %d\n", (unsigned long)sd.sem_nsems, sd.sem_perm.mode, sd.sem_otime != 0);
    struct sembuf ops[3] = {{0, -1, IPC_NOWAIT}, {1, -2, IPC_NOWAIT}, {2, -4, IPC_NOWAIT}};
    CALL(semop(s, ops, 3)); /* the third cannot: none is done */
    CALL(semctl(s, 0, GETVAL));
    ops[2].sem_op = -3;
    CALL(semop(s, ops, 3));
    CALL(semctl(s, 2, GETVAL));
    CALL(semctl(s, 0, GETPID) == getpid());
    CALL(semop(s, ops, 0));
    ops[0] = (struct sembuf){7, 1, 0};
    CALL(semop(s, ops, 1));
    ops[0] = (struct sembuf){0, 32767, 0};
    CALL(semop(s, ops, 1));
    CALL(semop(s, &(struct sembuf){0, 1, 0}, 1));
    CALL(semctl(s, 0, SETVAL, 0));
    struct timespec soon = {0, 20000000};
    CALL(syscall(SYS_semtimedop, s, &(struct sembuf){0, -1, 0}, 1, &soon));
    p = fork();
    if (p == 0) {
        usleep(20000);
        printf("waits: %d for more, %d for zero\n", semctl(s, 0, GETNCNT), semctl(s, 0, GETZCNT));
        fflush(stdout);
        semop(s, &(struct sembuf){0, 2, 0}, 1);
        _exit(0);
    }
    CALL(semop(s, &(struct sembuf){0, -2, 0}, 1));
    child_ends(p);
    p = fork();
    if (p == 0) {
        semop(s, (struct sembuf[]){{1, 3, SEM_UNDO}, {2, 1, 0}}, 2);
        semop(s, &(struct sembuf){1, -1, SEM_UNDO}, 1);
        CALL(semctl(s, 1, GETVAL));
        _exit(0);
    }
    child_ends(p);
    CALL(semctl(s, 1, GETVAL));
    CALL(semctl(s, 2, GETVAL));
    semctl(s, 1, SETVAL, 1);
    p = fork();
    if (p == 0) {
        usleep(20000);
        semop(s, &(struct sembuf){1, -1, 0}, 1);
        _exit(0);
    }
    CALL(semop(s, &(struct sembuf){1, 0, 0}, 1));
    child_ends(p);
    p = fork();
    if (p == 0) {
        setuid(1000);
        CALL(semop(s, &(struct sembuf){0, 1, 0}, 1));
        CALL(semctl(s, 0, IPC_RMID));
        _exit(0);
    }
    child_ends(p);
    p = fork();
    if (p == 0) {
        _exit(semop(s, &(struct sembuf){0, -1, 0}, 1) < 0 && errno == EIDRM ? 3 : 4);
    }
    usleep(20000);
    CALL(semctl(s, 0, IPC_RMID));
    child_ends(p);
    CALL(semop(s, &(struct sembuf){0, 1, 0}, 1));
    p = fork();
    if (p == 0) {
        const int t = semget(IPC_PRIVATE, 1, 0600);
        alarm(1);
        semop(t, &(struct sembuf){0, -1, 0}, 1);
        _exit(0);
    }
    child_ends(p);
    return 0;
}
