/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/memory.c - what parent and child see of each other's memory after fork; shared memory, futex and
 * semaphores between processes; MADV_DONTFORK and its like. */
#include "qemu-tests/linux/check.h"
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define PAGE 4096
static int global = 1;
static int end(int p) {
    int status = -1;
    waitpid(p, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
int main(void) {
    int local = 1;
    char* heap = malloc(100000);
    memset(heap, 'a', 100000);
    char* big = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char* shared = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(big, 'b', 64 * PAGE);
    TITLE("private");
    int p = fork();
    if (p == 0) {
        int bad = global != 1 || local != 1 || heap[0] != 'a' || heap[99999] != 'a';
        global = local = 2;
        memset(heap, 'c', 100000);
        for (int i = 0; i < 64; i++)
            bad |= big[i * PAGE] != 'b';
        memset(big, 'd', 64 * PAGE);
        shared[0] = 's';
        _exit(bad);
    }
    VALUE(end(p));
    VALUE(global);
    VALUE(local);
    VALUE(heap[0] == 'a' && heap[99999] == 'a' && big[0] == 'b' && big[63 * PAGE] == 'b');
    VALUE(shared[0] == 's');
    TITLE("the parent writes, the child keeps what was");
    int ready[2];
    VALUE(pipe(ready));
    p = fork();
    if (p == 0) {
        char c;
        read(ready[0], &c, 1);
        int bad = 0;
        for (int i = 0; i < 64; i++)
            bad |= big[i * PAGE + 5] != 'b';
        _exit(bad);
    }
    memset(big, 'e', 64 * PAGE);
    write(ready[1], "x", 1);
    VALUE(end(p));
    TITLE("generations");
    p = fork();
    if (p == 0) {
        big[0] = '1';
        int q = fork();
        if (q == 0) {
            big[PAGE] = '2';
            int r = fork();
            if (r == 0) {
                _exit(big[0] == '1' && big[PAGE] == '2' && big[2 * PAGE] == 'e' ? 11 : 12);
            }
            _exit(end(r) == 11 && big[0] == '1' ? 21 : 22);
        }
        _exit(end(q) == 21 && big[PAGE] == 'e' ? 31 : 32);
    }
    VALUE(end(p));
    VALUE(big[0] == 'e');
    TITLE("protection after fork");
    char* guard = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(guard, 'g', 3 * PAGE);
    mprotect(guard, PAGE, PROT_READ);
    mprotect(guard + PAGE, PAGE, PROT_NONE);
    p = fork();
    if (p == 0) {
        catch_faults();
        setvbuf(stdout, 0, _IOLBF, 0);
        ACCESS(WRITE(guard, 'h'));
        ACCESS((void)READ(guard + PAGE));
        ACCESS(WRITE(guard + 2 * PAGE, 'h'));
        mprotect(guard, 2 * PAGE, PROT_READ | PROT_WRITE);
        ACCESS(WRITE(guard, 'h'));
        ACCESS(WRITE(guard + PAGE, 'h'));
        _exit(guard[1] == 'g' && guard[PAGE + 1] == 'g');
    }
    VALUE(end(p));
    mprotect(guard, 2 * PAGE, PROT_READ | PROT_WRITE);
    VALUE(guard[0] == 'g' && guard[PAGE] == 'g' && guard[2 * PAGE] == 'g');
    TITLE("a private file mapping, a shared one");
    int f = open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char block[PAGE];
    memset(block, 'f', PAGE);
    write(f, block, PAGE);
    char* own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
    char* both = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    own[0] = 'o';
    both[1] = 'q';
    p = fork();
    if (p == 0) {
        int bad = own[0] != 'o' || both[1] != 'q' || own[2] != 'f';
        own[0] = 'x';
        both[2] = 'y';
        _exit(bad);
    }
    VALUE(end(p));
    VALUE(own[0] == 'o' && both[2] == 'y');
    TITLE("advice about fork");
    CALL(madvise(big, PAGE, MADV_DONTFORK));
    CALL(madvise(big + PAGE, PAGE, MADV_WIPEONFORK));
    CALL(madvise(shared, PAGE, MADV_WIPEONFORK));
    CALL(madvise(own, PAGE, MADV_WIPEONFORK));
    p = fork();
    if (p == 0) {
        catch_faults();
        ACCESS((void)READ(big));
        VALUE(READ(big + PAGE));
        VALUE(READ(big + 2 * PAGE) == 'e');
        _exit(0);
    }
    VALUE(end(p));
    CALL(madvise(big, 2 * PAGE, MADV_DOFORK));
    CALL(madvise(big, 2 * PAGE, MADV_KEEPONFORK));
    p = fork();
    if (p == 0)
        _exit(READ(big) == 'e' && READ(big + PAGE) == 'e');
    VALUE(end(p));
    TITLE("locked memory is not locked in the child");
    CALL(mlock(big, 4 * PAGE));
    p = fork();
    if (p == 0) {
        FILE* status = fopen("/proc/self/status", "r");
        char line[128];
        long locked = 0;
        while (fgets(line, sizeof line, status))
            sscanf(line, "VmLck: %ld", &locked);
        VALUE(locked);
        _exit(0);
    }
    VALUE(end(p));
    TITLE("futex between processes");
    volatile int* word = (int*)(shared + PAGE);
    *word = 0;
    p = fork();
    if (p == 0) {
        while (*word == 0)
            syscall(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0);
        _exit(*word);
    }
    sleep_ms(20);
    *word = 42;
    VALUE(syscall(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0));
    VALUE(end(p));
    sem_t* semaphore = (sem_t*)(shared + 2 * PAGE);
    VALUE(sem_init(semaphore, 1, 0));
    p = fork();
    if (p == 0) {
        sem_wait(semaphore);
        sem_wait(semaphore);
        _exit(17);
    }
    sem_post(semaphore);
    sleep_ms(10);
    sem_post(semaphore);
    VALUE(end(p));
    pthread_mutexattr_t attributes;
    pthread_mutex_t* mutex = (pthread_mutex_t*)(shared + 3 * PAGE);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
    p = fork();
    if (p == 0) {
        pthread_mutex_lock(mutex);
        _exit(0); /* holding it */
    }
    VALUE(end(p));
    VALUE(pthread_mutex_lock(mutex) == EOWNERDEAD);
    VALUE(pthread_mutex_consistent(mutex));
    VALUE(pthread_mutex_unlock(mutex));
    sem_t* named = sem_open("/name", O_CREAT, 0600, 0);
    VALUE(named != SEM_FAILED);
    p = fork();
    if (p == 0) {
        sem_t* mine = sem_open("/name", 0);
        sem_post(mine);
        _exit(0);
    }
    VALUE(sem_wait(named));
    VALUE(end(p));
    return 0;
}
