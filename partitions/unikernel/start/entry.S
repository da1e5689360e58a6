// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/entry.S - PVH entry: 32-bit protected mode, paging off, EBX = hvm_start_info.
//
// Builds a first set of tables (the first GiB at 0, at the direct map and at the kernel's half), turns long
// mode on and calls kernel_start on the boot stack. Section .boot is linked where it is loaded; everything
// else in the high half. The memory used here is given to the frame allocator once the kernel has its own
// tables.
// The uplink has one CPU, and nothing for further ones (CAISSON_ONE_CPU).
// Spec: Xen public header start_info.h ("x86/HVM direct boot ABI"); AMD APM vol. 2 "Long Mode Activation".

.equ KERNEL_BASE, 0xffffffff80000000
.equ PRESENT_WRITABLE, 0x3
.equ LARGE, 0x80

.section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18                      // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_entry

.section .boot.text, "ax"
.code32
.globl pvh_entry
pvh_entry:
    cli
    cld
    movl $(boot_stack_top - KERNEL_BASE), %esp
    movl %ebx, %ebp

    movl $(early_pd - KERNEL_BASE), %edi
    movl $(PRESENT_WRITABLE | LARGE), %eax
    movl $512, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $(early_pd - KERNEL_BASE + PRESENT_WRITABLE), %eax
    movl %eax, early_pdpt_low - KERNEL_BASE
    movl %eax, early_pdpt_high - KERNEL_BASE + 510 * 8
    movl $(early_pdpt_low - KERNEL_BASE + PRESENT_WRITABLE), %eax
    movl %eax, early_pml4 - KERNEL_BASE
    movl %eax, early_pml4 - KERNEL_BASE + 256 * 8
    movl $(early_pdpt_high - KERNEL_BASE + PRESENT_WRITABLE), %eax
    movl %eax, early_pml4 - KERNEL_BASE + 511 * 8

enter_long_mode:
    movl $0x20, %eax                    // CR4.PAE
    movl %eax, %cr4
    movl $(early_pml4 - KERNEL_BASE), %eax
    movl %eax, %cr3
    movl $0xC0000080, %ecx              // EFER: SCE, LME, NXE
    rdmsr
    orl $0x901, %eax
    wrmsr
    movl $0x80010033, %eax              // CR0: PG WP NE ET MP PE
    movl %eax, %cr0
    lgdtl boot_gdt_pointer
    ljmpl $0x08, $long_mode

.balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff            // 64-bit code
    .quad 0x00cf92000000ffff            // data
    .quad 0x00cf9a000000ffff            // 32-bit code
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

#ifndef CAISSON_ONE_CPU
// A further CPU begins with the bytes up to other_cpu_end, copied to address 0; nothing but EBP tells it from the first.
.code16
.globl other_cpu_begin, other_cpu_end
other_cpu_begin:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl other_cpu_gdt_pointer - other_cpu_begin
    movl $0x11, %eax                    // CR0: ET PE
    movl %eax, %cr0
    ljmpl $0x18, $other_cpu
other_cpu_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt
other_cpu_end:
.code32
other_cpu:
    movl $0x10, %eax
    movl %eax, %ds
    xorl %ebp, %ebp
    jmp enter_long_mode
#endif

.code64
long_mode:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
#ifndef CAISSON_ONE_CPU
    testl %ebp, %ebp
    jz 2f
#endif
    movabsq $boot_stack_top, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    movabsq $kernel_start, %rax
    call *%rax
    ud2
#ifndef CAISSON_ONE_CPU
2:  movabsq $other_cpu_on_kernel_tables, %rax
    jmp *%rax

.text
other_cpu_on_kernel_tables:
    movq other_cpu_tables(%rip), %rax
    movq %rax, %cr3
    movq other_cpu_stack(%rip), %rsp
    movq other_cpu_block(%rip), %rdi
    call start_other_cpu
#endif

.section .boot.bss, "aw", @nobits
.balign 4096
early_pml4:
    .skip 4096
early_pdpt_low:
    .skip 4096
early_pdpt_high:
    .skip 4096
early_pd:
    .skip 4096
boot_stack:
    .skip 16384
boot_stack_top:
.section .note.GNU-stack, "", @progbits
