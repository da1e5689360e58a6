/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/boot/entry.S - from firmware's 32-bit entry, and another processor's real mode, to C++ in long mode.
 *
 * One ELF64, two ways in: the PVH note (QEMU -kernel, Xen) and the Multiboot2 header (GRUB on BIOS and UEFI). Both leave
 * paging off, flat 32-bit segments, interrupts off. The first instruction after the entry records the TSC.
 * The early tables map the first 512 GiB one to one (4 GiB on a CPU without 1 GiB pages); they serve only until the hypervisor's own tables are built.
 * Spec: Xen public/arch-x86/hvm/start_info.h; Multiboot2 specification 2.0 sections 3.1, 3.3; AMD APM vol. 2 ch. 14
 * "Processor Initialization and Long Mode Activation". */

/* Paging and protection in one step, with the early tables. What follows is a far jump to a 64-bit selector. */
.macro enable_long_mode
    movl $(1 << 5 | 1 << 9 | 1 << 10), %eax /* PAE OSFXSR OSXMMEXCPT */
    movl %eax, %cr4
    movl $early_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $(1 << 8 | 1 << 11), %eax           /* LME NXE */
    wrmsr
    movl $0x80010033, %eax                  /* PG WP NE ET MP PE */
    movl %eax, %cr0
.endm
/* Intel's firmware may switch no-execute off (IA32_MISC_ENABLE bit 34): then CPUID does not show it and EFER.NXE faults. It is
 * switched on again; other vendors have no such switch. */
.macro allow_no_execute
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 20), %edx
    jnz 9f
    xorl %eax, %eax
    cpuid
    cmpl $0x756e6547, %ebx  /* "Genu" */
    jne 9f
    movl $0x1a0, %ecx
    rdmsr
    andl $~(1 << 2), %edx
    wrmsr
9:
.endm
/* `count` entries from `table` on: `first`, and each `step` more than the one before. */
.macro fill_table table, count, first, step
    movl $\table, %ebx
    movl $(\first), %eax
    xorl %edx, %edx
1:  movl %eax, (%ebx)
    movl %edx, 4(%ebx)
    addl $8, %ebx
    addl $\step, %eax
    adcl $0, %edx
    cmpl $(\table + 8 * \count), %ebx
    jb 1b
.endm
.macro load_flat_segments
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
.endm

.set PVH_KIND, 1
.set MULTIBOOT2_KIND, 2
.set MULTIBOOT2_LOADED, 0x36d76289

.section .head, "a", @progbits
.balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2_header
    .long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
    .balign 8
    .short 6, 0             /* modules on page boundaries */
    .long 8
    .balign 8
    .short 0, 0
    .long 8
multiboot2_end:

.section .note.pvh, "a", @note
.balign 4
    .long 4, 4, 18          /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_entry

.section .text.entry, "ax", @progbits
.code32
.global multiboot2_entry, pvh_entry
multiboot2_entry:
    movl %eax, %ebp
    rdtsc
    movl $MULTIBOOT2_KIND, %edi
    cmpl $MULTIBOOT2_LOADED, %ebp
    je common_entry
    xorl %edi, %edi
    jmp common_entry
pvh_entry:
    rdtsc
    movl $PVH_KIND, %edi
common_entry:
    cli
    cld
    movl %eax, boot_entry_tsc
    movl %edx, boot_entry_tsc + 4
    movl %ebx, %esi
    movl $boot_stack_top, %esp

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb stop32
    allow_no_execute
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 29), %edx  /* long mode */
    jz stop32
    testl $(1 << 20), %edx  /* no-execute */
    jz stop32

    movl $(early_pdpt + 3), early_pml4
    testl $(1 << 26), %edx  /* 1 GiB pages */
    jz 2f
    movl $512, early_map_gigabytes
    fill_table early_pdpt, 512, 0x83, 0x40000000
    jmp 4f
2:  fill_table early_pdpt, 4, early_pds+3, 4096
    fill_table early_pds, 4*512, 0x83, 0x200000
4:  enable_long_mode
    lgdt early_gdt_pointer
    ljmp $0x08, $long_entry
stop32:
    hlt
    jmp stop32

.code64
long_entry:
    load_flat_segments
    movl %edi, %edi
    movl %esi, %esi
    movq $boot_stack_top, %rsp
    /* QEMU, loading the image again at a reset, leaves a segment without bytes in the file as it was. */
    movq %rdi, %rbp
    movl $image_constant_start, %edi
    movl $image_data_start, %ecx
    subl %edi, %ecx
    shrl $3, %ecx
    xorl %eax, %eax
    rep stosq
    movq %rbp, %rdi
    /* The stack guard's value: hardware randomness where there is any, the clock in any case. */
    movl $1, %eax
    cpuid
    movl %ecx, %r8d
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movabsq $0x9e3779b97f4a7c15, %rdx
    mulq %rdx
    xorq %rdx, %rax
    btl $30, %r8d
    jnc 3f
    rdrand %rdx
    xorq %rdx, %rax
3:  xorb %al, %al           /* a NUL in front: string functions stop at it */
    movq %rax, __stack_chk_guard
    xorl %ebp, %ebp
    call caisson_boot
4:  hlt
    jmp 4b

/* Another processor, in the early tables: on with what processor_start says (boot::Start). */
processor_entry:
    load_flat_segments
    movq processor_start, %rdi
    movq processor_start + 8, %rsi
    movq processor_start + 16, %rdx
    movq processor_start + 24, %rcx
/* Into the hypervisor's own tables, onto the CPU's own stack, for good:
 * enter_address_space(argument, stack top, function, CR3). */
.global enter_address_space
enter_address_space:
    movq %rcx, %cr3
    movq %rsi, %rsp
    xorl %ebp, %ebp
    call *%rdx
5:  hlt
    jmp 5b

/* What lies between the two marks is copied to a page below 1 MiB (it is position independent) and entered at its first
 * byte by SIPI with CS = page >> 4; erased once all CPUs are up. */
.section .rodata.trampoline, "a", @progbits
.balign 16
.global trampoline_start, trampoline_end
.code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt_pointer - trampoline_start
    allow_no_execute
    enable_long_mode
    ljmpl $0x08, $processor_entry
trampoline_gdt_pointer:
    .short 23
    .long early_gdt
trampoline_end:

.section .rodata.entry, "a", @progbits
.balign 8
early_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
early_gdt_pointer:
    .short 23
    .quad early_gdt

.section .data.entry, "aw", @progbits
.balign 8
.global boot_entry_tsc, early_map_gigabytes
boot_entry_tsc:         .quad 0
early_map_gigabytes:    .long 4

.section .bss.early, "aw", @nobits
.balign 8
.global processor_start
processor_start: .skip 32       /* boot::Start */
.balign 4096
early_pml4: .skip 4096
early_pdpt: .skip 4096
early_pds:  .skip 4 * 4096

.section .bss.bootstack, "aw", @nobits
.balign 4096
.global boot_stack_guard, boot_stack_top
boot_stack_guard: .skip 4096     /* left out of the hypervisor's tables */
    .skip 60 * 1024
boot_stack_top:

.section .note.GNU-stack, "", @progbits
