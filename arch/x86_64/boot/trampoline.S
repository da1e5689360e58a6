/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/boot/trampoline.S - an application processor's way from real mode to long mode.
 *
 * Copied to a page below 1 MiB (position independent but for the fields the boot CPU fills), entered at its first byte
 * by SIPI with CS = page >> 4; erased once all CPUs are up. Paging and protection are switched on in one step.
 * Spec: AMD APM vol. 2 "Processor Initialization and Long Mode Activation". */

.section .rodata.trampoline, "a", @progbits
.balign 16
.global trampoline_start, trampoline_end, trampoline_gdtr, trampoline_far, trampoline_cr3, trampoline_entry
.global trampoline_space, trampoline_stack, trampoline_argument, trampoline_long
.code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdtr - trampoline_start
    movl $(1 << 5 | 1 << 9 | 1 << 10), %eax
    movl %eax, %cr4
    movl trampoline_cr3 - trampoline_start, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $(1 << 8 | 1 << 11), %eax
    wrmsr
    movl $0x80010033, %eax
    movl %eax, %cr0
    ljmpl *(trampoline_far - trampoline_start)
.code64
trampoline_long:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq trampoline_argument(%rip), %rdi
    movq trampoline_stack(%rip), %rsi
    movq trampoline_entry(%rip), %rdx
    movq trampoline_space(%rip), %rcx
    movq $enter_address_space, %rax
    jmp *%rax
.balign 8
trampoline_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
trampoline_gdtr:
    .short 23
    .long 0                 /* linear address of trampoline_gdt */
    .balign 4
trampoline_far:
    .long 0                 /* linear address of trampoline_long */
    .short 0x08
    .balign 8
trampoline_cr3:      .quad 0    /* the early tables */
trampoline_space:    .quad 0    /* the hypervisor's own */
trampoline_entry:    .quad 0
trampoline_stack:    .quad 0
trampoline_argument: .quad 0
trampoline_end:
.global trampoline_gdt

.section .note.GNU-stack, "", @progbits
