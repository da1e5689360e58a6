/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/bench/exitbench.c - times VM exits with RDTSC, from inside.
 *
 * A 32-bit PVH kernel that needs only COM1, so that the same file boots under QEMU alone, KVM, Xen PVH and as
 * a partition of ours and its `@@ EX` lines compare one to one. Under `-icount shift=0` a figure is the
 * number of emulated instructions of one round trip. Freestanding, no runtime: it must not depend on what it
 * measures. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

__asm__(".section .note.pvh, \"a\", @note\n"
        ".long 4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
        ".asciz \"Xen\"\n"
        ".long _start\n"
        ".text\n"
        ".globl _start\n"
        "_start: mov $stack_top, %esp\n"
        "cld\n"
        "call bench_main\n"
        "1: hlt\n"
        "jmp 1b\n"
        ".bss\n"
        ".balign 16\n"
        ".skip 16384\n"
        "stack_top:\n"
        ".text\n");

enum { samples = 1001, com1 = 0x3f8 };
static u32 sample[samples];

static inline void out8(u32 port, u8 value) {
    __asm__ volatile("outb %0, %w1" : : "a"(value), "d"(port));
}
static inline u8 in8(u32 port) {
    u8 value;
    __asm__ volatile("inb %w1, %0" : "=a"(value) : "d"(port));
    return value;
}
static inline u64 rdtsc(void) {
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}
static inline void cpuid(u32 leaf, u32* out) {
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}
static inline void vmmcall(u32 number) {
    u32 ebx = 0, ecx = 0;
    __asm__ volatile("vmmcall" : "+a"(number), "+b"(ebx), "+c"(ecx) : : "edx", "esi", "edi", "memory");
}
static inline void vmcall(u32 number) {
    u32 ebx = 0, ecx = 0;
    __asm__ volatile("vmcall" : "+a"(number), "+b"(ebx), "+c"(ecx) : : "edx", "esi", "edi", "memory");
}
/* Our hypervisor's count of exits (partitions/abi/hypercall.h: CAISSON_CALL_COUNTER, CAISSON_COUNTER_EXITS). */
static inline u32 exits(int intel) {
    u32 value = 6;
    if (intel)
        __asm__ volatile("vmcall" : "+a"(value) : "D"(0) : "memory");
    else
        __asm__ volatile("vmmcall" : "+a"(value) : "D"(0) : "memory");
    return value;
}
static inline void rdmsr(u32 msr) {
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
}

static void put_char(char c) {
    for (int i = 0; i < 100000 && !(in8(com1 + 5) & 0x20); ++i) {
    }
    out8(com1, (u8)c);
}
static void put_text(const char* text) {
    while (*text)
        put_char(*text++);
}
static u32 divide_by_ten(u64* value) { /* no 64-bit division without libgcc */
    u32 high = (u32)(*value >> 32), low = (u32)*value, quotient_high = high / 10, rest = high % 10,
        quotient_low;
    __asm__("divl %4" : "=a"(quotient_low), "=d"(rest) : "0"(low), "1"(rest), "r"(10));
    *value = (u64)quotient_high << 32 | quotient_low;
    return rest;
}
static void put_number(u64 value) {
    char digits[24];
    int i = 23;
    digits[i] = 0;
    do
        digits[--i] = (char)('0' + divide_by_ten(&value));
    while (value);
    put_text(digits + i);
}

static void report(const char* name) {
    u64 sum = 0;
    for (u32 i = 0; i < samples; ++i)
        sum += sample[i];
    for (u32 gap = samples / 2; gap; gap /= 2)
        for (u32 i = gap; i < samples; ++i) {
            u32 t = sample[i], j = i;
            for (; j >= gap && sample[j - gap] > t; j -= gap)
                sample[j] = sample[j - gap];
            sample[j] = t;
        }
    u32 mean, rest;
    __asm__("divl %4" : "=a"(mean), "=d"(rest) : "0"((u32)sum), "1"((u32)(sum >> 32)), "r"((u32)samples));
    put_text("@@ EX ");
    put_text(name);
    put_text(" n=");
    put_number(samples);
    put_text(" min=");
    put_number(sample[0]);
    put_text(" med=");
    put_number(sample[samples / 2]);
    put_text(" mean=");
    put_number(mean);
    put_text(" p99=");
    put_number(sample[samples * 99 / 100]);
    put_char('\n');
}

#define MEASURE(name, statement)                                                                             \
    do {                                                                                                     \
        for (u32 i = 0; i < samples; ++i) {                                                                  \
            u64 before = rdtsc();                                                                            \
            statement;                                                                                       \
            sample[i] = (u32)(rdtsc() - before);                                                             \
        }                                                                                                    \
        report(name);                                                                                        \
    } while (0)

void bench_main(void);
void bench_main(void) {
    const u64 start = rdtsc();
    u32 out[4];
    cpuid(1, out);
    const int virtual_machine = (int)(out[2] >> 31);
    char vendor[13] = "none";
    int ours = 0;
    if (virtual_machine) {
        cpuid(0x40000000, out);
        for (int i = 0; i < 12; ++i)
            vendor[i] = (char)(out[1 + i / 4] >> (i % 4 * 8));
        vendor[12] = 0;
        cpuid(0x40000100, out);      /* behind the signature that stock kernels look for */
        ours = out[1] == 0x73696143; /* "Cais"son hv */
        for (int i = 0; ours && i < 12; ++i)
            vendor[i] = (char)(out[1 + i / 4] >> (i % 4 * 8));
    }
    const int emulator_only = !virtual_machine || vendor[0] == 'T';
    put_text("@@ APP-HELLO exitbench tsc=");
    put_number(start);
    put_text(" hv=");
    put_text(vendor);
    put_char('\n');

    MEASURE("null", );
    MEASURE("cpuid0", cpuid(0, out));
    MEASURE("cpuid0x40000000", cpuid(0x40000000, out));
    cpuid(0, out);
    const int intel = out[1] == 0x756e6547; /* "Genu"ineIntel */
    if (!emulator_only && intel)
        MEASURE("vmcall17", vmcall(17));
    else if (!emulator_only)
        MEASURE("vmmcall17", vmmcall(17));
    if (ours) { /* 50 million instructions between two questions; the second is itself an exit */
        const u32 before = exits(intel);
        for (u32 i = 0; i < 25000000; ++i)
            __asm__ volatile("");
        const u32 after = exits(intel);
        put_text("@@ EX steady_exits med=");
        put_number(after - before - 1);
        put_char('\n');
    }
    MEASURE("rdmsr_apicbase", rdmsr(0x1b));
    MEASURE("out80", out8(0x80, 0));
    MEASURE("in3fd", in8(0x3fd));
    for (int pass = 0; pass < 2; ++pass) {
        volatile u8* page = (volatile u8*)0x1000000;
        for (u32 i = 0; i < samples; ++i) {
            u64 before = rdtsc();
            page[i << 12] = 1;
            sample[i] = (u32)(rdtsc() - before);
        }
        report(pass == 0 ? "touch4k_first" : "touch4k_second");
    }
    put_text("@@ EXIT-DONE\n");
    __asm__ volatile("cli");
    out8(0xf4, 0); /* QEMU's debug exit; then a triple fault ends any machine */
    __asm__ volatile("lidt %0; int3" : : "m"(*(const char(*)[6]) "\0\0\0\0\0"));
    for (;;)
        __asm__ volatile("hlt");
}
