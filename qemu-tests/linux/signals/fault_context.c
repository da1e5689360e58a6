/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/signals/fault_context.c - What a handler sees of each processor fault: code, address, trap number, error code, CR2. */
#include "qemu-tests/linux/check.h"
static void h(int s, siginfo_t* i, void* u) {
    ucontext_t* c = u;
    greg_t* g = c->uc_mcontext.gregs;
    printf("sig %d code %d addr %s trap %lld err %llx cr2 %s cs %llx oldmask %llx\n", s, i->si_code,
           i->si_addr == (void*)0x1234000    ? "0x1234000"
           : i->si_addr == 0                 ? "0"
           : i->si_addr == (void*)g[REG_RIP] ? "rip"
                                             : "other",
           (long long)g[REG_TRAPNO], (long long)g[REG_ERR],
           g[REG_CR2] == 0x1234000 ? "0x1234000"
           : g[REG_CR2] == 0       ? "0"
                                   : "other",
           (long long)(g[REG_CSGSFS] & 0xffff), (long long)g[REG_OLDMASK]);
    if (s == SIGSEGV || s == SIGILL || s == SIGBUS)
        g[REG_RIP] = g[REG_RBX];
    if (s == SIGFPE)
        g[REG_RIP] = g[REG_RBX];
    if (s == SIGTRAP)
        g[REG_EFL] &= ~0x100;
}
#define TRY(code)                                                                                            \
    do {                                                                                                     \
        printf("%s\n", #code);                                                                               \
        __asm__ volatile("lea 1f(%%rip),%%rbx\n" code "\n1:" ::                                              \
                             : "rbx", "rax", "rcx", "rdx", "memory", "cc");                                  \
    } while (0)
int main(void) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = h;
    a.sa_flags = SA_SIGINFO;
    int s[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++)
        sigaction(s[i], &a, 0);
    sigset_t b;
    sigemptyset(&b);
    sigaddset(&b, SIGUSR2);
    sigprocmask(SIG_BLOCK, &b, 0);
    mmap((void*)0x1234000, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    TRY("mov 0x1234000,%%eax");
    TRY("mov %%eax,0x1234000");
    munmap((void*)0x1234000, 4096);
    TRY("mov 0x1234000,%%eax");
    TRY("movl $1,0x1234000");
    mmap((void*)0x1234000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    TRY("movl $1,0x1234000");
    TRY("mov $0x1234000,%%eax; jmp *%%rax");
    TRY("mov $0x8000000000000000,%%rax; mov (%%rax),%%eax");
    TRY("mov $0xffffffffff600000,%%rax; mov (%%rax),%%eax");
    TRY("mov $0xffff800000000000,%%rax; mov %%eax,(%%rax)");
    TRY("xor %%ecx,%%ecx; div %%ecx");
    TRY("ud2");
    TRY("int3; nop");
    TRY("hlt");
    TRY("pushf; orq $0x100,(%%rsp); popf; nop; nop");
    TRY("mov $0x8000000000000000,%%rax; jmp *%%rax");
    return 0;
}
