/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/memory/nodes.c - get_mempolicy and set_mempolicy on a machine of one node. */
#include "qemu-tests/linux/check.h"

static int policy;
static unsigned long mask[520];

static long ask(int* into, unsigned long* nodes, unsigned long bits, const void* where, unsigned long flags) {
    policy = 7;
    memset(mask, 0xFF, sizeof mask);
    return syscall(SYS_get_mempolicy, into, nodes, bits, where, flags);
}
static void show(void) {
    int zero = 0;
    for (unsigned i = 1; i < 520; i++)
        zero += mask[i] == 0;
    printf("policy %d, nodes %lx, words that are 0: %d\n", policy, mask[0], zero);
}
#define ASK(into, nodes, bits, where, flags)                                                                           \
    do {                                                                                                               \
        CALL(ask(into, nodes, bits, where, flags));                                                                    \
        show();                                                                                                        \
    } while (0)

int main(void) {
    char* page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASK(&policy, 0, 0, 0, 0);
    ASK(0, 0, 0, 0, 0);
    ASK(0, mask, 0, 0, 0);
    ASK(&policy, mask, 1, 0, 0);
    ASK(&policy, mask, 2, 0, 0);
    ASK(&policy, mask, 65, 0, 0);
    ASK(&policy, mask, 66, 0, 0);
    ASK(&policy, mask, 1025, 0, 0);
    ASK(&policy, mask, 4096 * 8 + 1, 0, 0);
    ASK(&policy, mask, 4096 * 8 + 66, 0, 0);
    ASK(&policy, mask, 1UL << 40, 0, 0);
    TITLE("flags");
    for (unsigned long flags = 0; flags < 9; flags++) {
        printf("%lu\n", flags);
        ASK(&policy, mask, 1025, 0, flags);
        ASK(&policy, mask, 1025, page, flags);
        ASK(&policy, mask, 1025, (void*)16, flags);
    }
    ASK(&policy, mask, 1025, 0, 1UL << 32);
    TITLE("pointers");
    ASK((int*)16, 0, 0, 0, 0);
    ASK((int*)16, mask, 1025, 0, 4);
    ASK(&policy, (unsigned long*)16, 1025, 0, 4);
    munmap(page, 4096);
    ASK(&policy, 0, 0, page, 2);
    page = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASK(&policy, 0, 0, page, 2);
    ASK(&policy, 0, 0, page, 3);
    TITLE("set");
    static unsigned long nodes[520];
    for (int which = 0; which < 4; which++) {
        memset(nodes, 0, sizeof nodes);
        nodes[0] = which & 1 ? 1 : which ? 2 : 0;
        nodes[3] = which == 3;
        for (int mode = 0; mode < 8; mode++)
            for (int flags = 0; flags < 8 && mode != 6; flags++) {
                if ((flags & 1 && mode == 5) || (flags & 2 && which == 2))
                    continue; /* newer kernels take it; nodes that are not there, counted round */
                const long r = syscall(SYS_set_mempolicy, mode | flags << 13, nodes, 1025);
                printf("nodes %d mode %d flags %d -> %s\n", which, mode, flags, r ? ename(errno) : "0");
                if (r == 0)
                    ASK(&policy, mask, 1025, 0, 0);
                if (r == 0 && mode == 3)
                    ASK(&policy, mask, 1025, 0, 1);
                if (r == 0 && flags == 0)
                    ASK(&policy, mask, 1025, nodes, 2);
            }
    }
    memset(nodes, 0, sizeof nodes);
    nodes[0] = 1;
    CALL(syscall(SYS_set_mempolicy, 2, nodes, 0));
    CALL(syscall(SYS_set_mempolicy, 2, nodes, 1));
    CALL(syscall(SYS_set_mempolicy, 2, nodes, 2));
    CALL(syscall(SYS_set_mempolicy, 2, 0, 1025));
    CALL(syscall(SYS_set_mempolicy, 2, 16, 1025));
    CALL(syscall(SYS_set_mempolicy, 2, nodes, 4096 * 8 + 1));
    CALL(syscall(SYS_set_mempolicy, 2, nodes, 4096 * 8 + 2));
    nodes[500] = 1;
    CALL(syscall(SYS_set_mempolicy, 2, nodes, 4096 * 8 + 1));
    CALL(syscall(SYS_set_mempolicy, 3, nodes, 1025));
    if (fork() == 0) {
        ASK(&policy, mask, 1025, 0, 0);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    return 0;
}
